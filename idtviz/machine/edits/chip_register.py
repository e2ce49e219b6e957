"""One register of a chip, as it can be changed from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from idtviz.machine.board import Board
from idtviz.x86.fields import Structure


@dataclass(frozen=True, slots=True)
class ChipRegister:
    """One register of a chip. `fixed`: bits that stay as they are. `structure`: its fields, if it has several."""

    width: int
    meaning: str
    read: Callable[[Board], int]
    write: Callable[[Board, int], None]
    refuses: Callable[[Board, int], str | None] = lambda _board, _value: None
    structure: type[Structure] | None = None
    fixed: int = 0


Registers = Mapping[str, ChipRegister]
"""The registers of one chip by name; `[n]` is number n of a chip that has many alike."""
