"""Where the person at the debugger works: the folder that keeps what they make, and whether the files are theirs.

Two things hang on it, and both are asked here alone. `data` is the folder for whatever outlives a key press: progress
in lessons, copies of labs, files that are written. `trusted` says whether the person owns the computer: at a terminal
they do, and may name any file. A visitor of `idtviz serve` does not: they read what idtviz ships and what the host
opens for them, read and write in `data`, and touch nothing else; `data` is a folder of their own that goes when they
go. What is built for them is built with `trusted=False`.

`idtviz serve` sets both through the environment of a visitor's process, which nothing that a visitor does can change.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

DATA_VARIABLE = "IDTVIZ_DATA"
"""The environment variable that names the folder; without it, the system's place for a user's data."""
VISITOR_VARIABLE = "IDTVIZ_VISITOR"
"""The environment variable that is `1` in a visitor's process."""


@dataclass(frozen=True, slots=True)
class Premises:
    """`data` may not be there yet: whoever writes makes it. It is absolute."""

    data: Path
    trusted: bool

    def allow(self, path: Path) -> bool:
        """Whether the person may name this file to have it read or written: a visitor only one in `data`.

        Links are followed first: one that leads out of `data` is not in it.
        """
        return self.trusted or Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.data))


def premises() -> Premises:
    """The premises of this process, as its environment says."""
    named = os.environ.get(DATA_VARIABLE)
    data = Path(named).absolute() if named else platformdirs.user_data_path("idtviz")
    return Premises(data, trusted=os.environ.get(VISITOR_VARIABLE) != "1")
