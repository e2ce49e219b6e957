"""The files that make a machine, remembered as they were when it was made."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from idtviz.lab import image_file
from idtviz.lab.image_file import LARGEST_FILE
from idtviz.lab.overrides import Overrides

SCENARIO, IMAGE = "scenario", "image"
"""The roles of the file that was opened."""


@dataclass(frozen=True)
class MachineFile:
    """One file, as it was read.

    `role`: what it is to the machine (`scenario`, `image.elf`, `--disk[0]`); `path`: absolute; `beside`: a scenario
    names it, and has it in its folder.
    """

    role: str
    path: Path
    raw: bytes = field(repr=False)
    beside: bool = False

    @cached_property
    def sha256(self) -> str:
        """Of its bytes."""
        return hashlib.sha256(self.raw).hexdigest()


@dataclass(frozen=True, slots=True)
class Origin:
    """What a session was opened from: the path or name as it was given, what was said beside it, and the files."""

    given: str
    overrides: Overrides
    files: tuple[MachineFile, ...]


class MachineFiles:
    """Reads the files that make a machine."""

    def __init__(self) -> None:
        self._files: list[MachineFile] = []

    def read(self, role: str, path: Path, name: str, limit: int = LARGEST_FILE, *, beside: bool = False) -> bytes:
        """The bytes of the regular file `path`, called `name` in messages. Raises FileProblem."""
        raw = image_file.read(path, name, limit)
        self._files.append(MachineFile(role, Path(os.path.abspath(path)), raw, beside))  # noqa: PTH100 -- links stay
        return raw

    def origin(self, given: str, overrides: Overrides) -> Origin:
        """Where what was read belongs to."""
        return Origin(given, overrides, tuple(self._files))
