"""What a tool has made of one source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from idtviz.lab.building.complaints import Complaint
from idtviz.lab.building.target import Target
from idtviz.lab.building.workplace import Workplace

ASSEMBLED, NASM, COMPILED = (".S", ".s"), (".asm", ".nasm"), (".c",)
UNITS = (*ASSEMBLED, *NASM, *COMPILED)
"""The endings of the sources that an object file is made of; the others are only read by them."""


@dataclass(frozen=True, slots=True)
class Made:
    """An object file. `reads`: the lab's files that it was made of, None where the tool does not tell."""

    object: Path
    reads: tuple[str, ...] | None
    warnings: tuple[Complaint, ...] = ()


class Maker(Protocol):
    """Makes an object file of one source, with `tools`, by their names. Raises BuildError."""

    @property
    def tools(self) -> tuple[str, ...]:
        """What the programs are called."""

    @property
    def identity(self) -> str:
        """Changes when what is made of the same source may change."""

    def make(self, place: Workplace, source: str, target: Target) -> Made:
        """The object file of the source `source` of the workplace."""
