"""Opening whatever can be opened as a session: a scenario, an image, or a session that was saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from idtviz.debugger.inputs import Recorded
from idtviz.lab.overrides import NONE, Overrides
from idtviz.lab.preparation import prepare
from idtviz.lab.saving import SavedSessionError, restore
from idtviz.lab.saving.text import SUFFIX, is_marked
from idtviz.lab.session import LabSession

_S = TypeVar("_S", bound=LabSession)


def is_saved(path: str | Path) -> bool:
    """Whether the file is a saved session, by its content; or says so by its suffix."""
    found = Path(path)
    if found.suffix == SUFFIX:
        return True
    try:
        if not found.is_file():
            return False
        with found.open("rb") as file:
            return is_marked(file.read(1024))
    except (OSError, ValueError):
        return False


def open_session(
    path: str | Path,
    overrides: Overrides = NONE,
    *,
    narrated: bool = True,
    told: Callable[[int, int, int], None] | None = None,
) -> LabSession:
    """The session on a file. Raises ScenarioError."""
    return open_as(LabSession, path, overrides, narrated=narrated, told=told)


def open_as(
    make: type[_S],
    path: str | Path,
    overrides: Overrides = NONE,
    *,
    narrated: bool = True,
    told: Callable[[int, int, int], None] | None = None,
) -> _S:
    """The same as a session of the class `make`. `told` hears how far the replay of a saved one has come."""
    if not is_saved(path):
        return make(prepare(path, overrides), narrated=narrated)
    if overrides != NONE:
        raise SavedSessionError(str(path), "a saved session has its machine; expected no options for that beside it")
    return restore(path, make, narrated=narrated, told=told)


def open_run(
    path: str | Path, overrides: Overrides = NONE, *, told: Callable[[int, int, int], None] | None = None
) -> tuple[LabSession, tuple[Recorded, ...]]:
    """The session on a file, at its start, and what is to be given on its way; see `run`. Raises ScenarioError."""
    session = open_session(path, overrides, narrated=False, told=told)
    return (session, ()) if session.saved_as is None else (session.anew(), session.given)
