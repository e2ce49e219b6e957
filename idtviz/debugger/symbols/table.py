"""The names and source lines of everything that runs in a machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from idtviz.debugger.symbols.names import Named, Names
from idtviz.debugger.symbols.readable import brief
from idtviz.debugger.symbols.symbol import Line, Lines, LinesOfBoth, NoLines, Symbol

_OTHERS = 16  # added to the rank of the names of another file


class Segment(NamedTuple):
    """`size` bytes of a program that are linked at one address and loaded at another (p_vaddr and p_paddr)."""

    linked: int
    loaded: int
    size: int


class Symbols:
    """Looks up names and lines by address, and addresses by name and line.

    A kernel of the higher half runs where it was loaded until it has turned on paging: there its names and lines are
    the same, with addresses moved accordingly.
    """

    def __init__(
        self, names: Names | None = None, lines: Lines | None = None, segments: Sequence[Segment] = ()
    ) -> None:
        self._names = names or Names(tuple)
        self._lines = lines or NoLines()
        self._segments = tuple(segments)

    @property
    def all(self) -> tuple[Symbol, ...]:
        """The best name of each address, in order."""
        return tuple(entry.symbol for entry in self._names.listed)

    def address_of(self, name: str) -> int | None:
        """The address that a symbol is linked at.

        `name` is that of the symbol table, or the readable one; the last components of a path will do if no other path
        ends so.
        """
        return self._names.address_of(name)

    def at(self, address: int) -> Symbol | None:
        """The symbol whose bytes hold `address`; with the address where it was loaded, if it is that one."""
        distance = self._distance(address)
        found = self._names.at(address + distance)
        return found if found is None or not distance else replace(found, address=found.address - distance)

    def name(self, address: int) -> str | None:
        """`symbol` or `symbol+0x12`; of a long path of C++ or Rust what matters most."""
        found = self.at(address)
        if found is None:
            return None
        offset, path = address - found.address, brief(found.shown)
        return f"{path}+{offset:#x}" if offset else path

    def next_data(self, address: int) -> int | None:
        """Where the first symbol above `address` begins that is not code."""
        distance = self._distance(address)
        found = self._names.next_data(address + distance)
        return None if found is None else found - distance

    def line(self, address: int) -> Line | None:
        """The source line that the instruction at `address` comes from."""
        distance = self._distance(address)
        found = self._lines.at(address + distance)
        return found if found is None or not distance else replace(found, address=found.address - distance)

    def files(self, suffix: str) -> tuple[str, ...]:
        """The paths of the source files whose last components are `suffix`: `kernel.c`, `mm/kernel.c`."""
        return self._lines.files(suffix)

    def addresses_of_line(self, file_suffix: str, number: int) -> tuple[int, ...]:
        """Where each stretch of code of a source line begins, lowest address first.

        Of the next line that has code if this one has none; of each file whose path ends in `file_suffix`. Empty if
        there is no such file, or no code from that line on.
        """
        found = {address for path in self.files(file_suffix) for address in self._lines.addresses_of(path, number)}
        return tuple(sorted(found))

    def merged(self, other: Symbols) -> Symbols:
        """Both together; where both know a name or a line, this one's."""

        def entries() -> list[Named]:
            theirs = [entry._replace(rank=entry.rank + _OTHERS) for entry in other._names.known]
            return [*self._names.known, *theirs]

        lines = LinesOfBoth(self._lines, other._lines)
        return Symbols(Names(entries), lines, (*self._segments, *other._segments))

    def _distance(self, address: int) -> int:
        """What to add to an address to get to where its code is linked."""
        loaded = 0
        for segment in self._segments:
            if 0 <= address - segment.linked < segment.size:
                return 0
            if not loaded and 0 <= address - segment.loaded < segment.size:
                loaded = segment.linked - segment.loaded
        return loaded
