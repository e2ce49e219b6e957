"""Opening the FILE of a command: a line on stderr tells how far a saved session has been replayed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from idtviz.cli.problems import refuse
from idtviz.debugger.inputs import Recorded
from idtviz.lab.overrides import Overrides
from idtviz.lab.problems import ScenarioError
from idtviz.lab.session import LabSession

_T = TypeVar("_T")
_PATIENCE = 0.3
"""Seconds before there is anything to be said."""


def opened(file: str, overrides: Overrides) -> LabSession:
    """The session on FILE. Ends the program with exit code 2 where it cannot be opened."""
    return _opened(lambda told: LabSession.open(file, overrides, told=told))


def opened_run(file: str, overrides: Overrides) -> tuple[LabSession, tuple[Recorded, ...]]:
    """The same for a run: the session at its start, and what is given on the way."""
    return _opened(lambda told: LabSession.open_run(file, overrides, told=told))


def _opened(open_it: Callable[[Callable[[int, int, int], None]], _T]) -> _T:
    line = _Line()
    try:
        return open_it(line.tell)
    except ScenarioError as error:
        line.clear()
        refuse(error)
    finally:
        line.clear()


class _Line:
    """One line of a terminal that is written over; nothing where nobody watches."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._width = 0

    def tell(self, number: int, done: int, of: int) -> None:
        """Say how far the replay has come."""
        if not sys.stderr.isatty() or time.monotonic() - self._begun < _PATIENCE:
            return
        text = f"idtviz: replaying branch {number}: {done:,} of {of:,} instructions"
        sys.stderr.write(f"\r{text.ljust(self._width)}")
        sys.stderr.flush()
        self._width = len(text)

    def clear(self) -> None:
        """Leave the line as it was."""
        if self._width:
            sys.stderr.write(f"\r{' ' * self._width}\r")
            sys.stderr.flush()
            self._width = 0
