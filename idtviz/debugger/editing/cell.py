"""A cell: something that holds one number and can be given another. Its fields, if it has any, are parts of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from idtviz.debugger.inputs import Edit
from idtviz.x86.fields import Bits, Reserved, Structure

Make = Callable[[int, str], Edit]
"""The edit that gives a cell this number, and what a person calls it. Raises RefusedError where that cannot be."""
MakeRun = Callable[[bytes, str], Edit]
"""The edit that writes these bytes from the cell on. Raises RefusedError."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A register, a structure in memory, or a word: `width` bits that hold `value`.

    `fixed`: bits that stay as they are whatever is written. `run`: bytes may be written from here on. `address`: the
    value is an address, if it means anything.
    """

    path: str
    label: str
    width: int
    value: int
    make: Make
    meaning: str = ""
    structure: type[Structure] | None = None
    fixed: int = 0
    run: MakeRun | None = None
    address: bool = False
    reserved: bool = True
    """Whether its reserved bits can be edited, as those of memory can."""

    @property
    def fields(self) -> tuple[Bits, ...]:
        """The fields that can be edited, lowest bit first."""
        if self.structure is None:
            return ()
        return tuple(
            bits
            for bits in self.structure.WHOLE
            if all(high < self.width for high, _ in bits.ranges)
            and not (isinstance(bits, Reserved) and not self.reserved)
            and not bits.mask & self.fixed
        )

    @property
    def decoded(self) -> Structure | None:
        """The value in its structure."""
        return None if self.structure is None else self.structure(self.value)
