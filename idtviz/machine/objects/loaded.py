"""An object file as it lies in memory."""

from __future__ import annotations

import bisect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

_FRAGMENT = re.compile(r"\.(cold|part|constprop|isra)\b|__x86[._]|__llvm_")
"""Names that compilers give to what they split off, and to what they call behind the author's back."""


class Kind(Enum):
    """What a symbol stands for."""

    FUNCTION = "function"
    DATA = "data"
    LABEL = "label"
    """A name without a type, as an assembler gives it: of code or of data."""


class Use(Enum):
    """What the code does with a name that the file does not define, as far as its instructions tell."""

    CALLED = "called"
    """A call or a jump goes there."""
    ACCESSED = "accessed"
    """It is read or written: a variable."""
    NAMED = "named"
    """Only its address is taken: it may be either."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of memory: `data`, and zeros behind it up to `size` bytes. `name` is that of its section."""

    name: str
    address: int
    data: bytes
    size: int
    writable: bool
    executable: bool

    @property
    def end(self) -> int:
        """The address behind the last byte."""
        return self.address + self.size


@dataclass(frozen=True, slots=True)
class ObjectSymbol:
    """A name that the file defines, as it stands there: of C++ or Rust, mangled. `size` 0: unknown."""

    name: str
    address: int
    size: int
    section: str
    kind: Kind
    is_global: bool
    executable: bool


@dataclass(frozen=True, slots=True)
class Undefined:
    """A name that the file uses and does not define, and what was put in its place.

    `address` is a slot of the recorder's; for a variable (`Use.ACCESSED`), zeroed room behind the program's own. There
    are `size` bytes.
    """

    name: str
    address: int
    size: int
    use: Use
    is_weak: bool = False


@dataclass(frozen=True)
class LoadedObject:
    """A program whose handlers can be called. All addresses are linear.

    `base` is the lowest address of it, `end` the one behind the highest; `entry` that of a linked program.
    """

    bits: int
    linked: bool
    pieces: tuple[Piece, ...]
    symbols: tuple[ObjectSymbol, ...]
    undefined: tuple[Undefined, ...]
    sections: Mapping[int, int]
    """Where each section that is in memory begins, by its number in the file."""
    moved: int = 0
    """How far a position-independent program lies above where it was linked."""
    entry: int | None = None

    @property
    def base(self) -> int:
        """The lowest address of it."""
        return min(piece.address for piece in self.pieces)

    @property
    def end(self) -> int:
        """The address behind the last byte of it."""
        return max(piece.end for piece in self.pieces)

    @cached_property
    def candidates(self) -> tuple[ObjectSymbol, ...]:
        """What may be a handler: each name of code, functions before labels, global names before local ones."""
        found = (each for each in self.symbols if each.executable and each.kind is not Kind.DATA)
        found = (each for each in found if self._is_code(each.address) and not _FRAGMENT.search(each.name))
        return tuple(sorted(found, key=lambda each: (each.kind is Kind.LABEL, not each.is_global, each.address)))

    @cached_property
    def slots(self) -> Mapping[int, Undefined]:
        """What the recorder stands in for, by the address of the slot."""
        return {each.address: each for each in self.undefined if each.use is not Use.ACCESSED}

    def named(self, name: str) -> tuple[ObjectSymbol, ...]:
        """The symbols of that name: more than one only where local names repeat."""
        return tuple(symbol for symbol in self.symbols if symbol.name == name)

    def piece_at(self, address: int) -> Piece | None:
        """The piece that the byte at `address` belongs to."""
        place = bisect.bisect_right(self._starts, address) - 1
        return self.pieces[place] if place >= 0 and address < self.pieces[place].end else None

    def _is_code(self, address: int) -> bool:
        piece = self.piece_at(address)
        return piece is not None and piece.executable

    @cached_property
    def _starts(self) -> list[int]:
        return [piece.address for piece in self.pieces]
