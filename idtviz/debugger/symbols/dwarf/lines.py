"""The source lines of a program: each unit's line program is run when a line in it is first asked for."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import PurePosixPath

from idtviz.debugger.symbols.dwarf import ranges
from idtviz.debugger.symbols.dwarf.cursor import DwarfError
from idtviz.debugger.symbols.dwarf.line_header import LineHeader, joined, line_header
from idtviz.debugger.symbols.dwarf.line_program import LineTable, run
from idtviz.debugger.symbols.dwarf.ranges import Range
from idtviz.debugger.symbols.dwarf.sections import DwarfSections
from idtviz.debugger.symbols.dwarf.units import Unit, units
from idtviz.debugger.symbols.symbol import Line

_LOOK_BACK = 16  # ranges in front of the nearest one that may reach over it


class DwarfLines:
    """Finds lines by address, and addresses by line."""

    def __init__(self, sections: DwarfSections, code: Sequence[Range]) -> None:
        """`code`: where the program's code is. What DWARF says of other addresses belongs to code that was left out."""
        self._sections = sections
        self._code = code
        self._headers: dict[int, LineHeader | None] = {}
        self._tables: dict[int, LineTable] = {}

    def at(self, address: int) -> Line | None:
        """The line that the instruction at `address` comes from."""
        if not self._is_code(address):
            return None
        begins, found = self._index
        place = bisect.bisect_right(begins, address) - 1
        for back in range(place, max(-1, place - _LOOK_BACK), -1):
            _, end, unit = found[back]
            if address < end and (line := self._table(unit).at(address)):
                return line
        return None

    def files(self, suffix: str) -> tuple[str, ...]:
        """The paths of the source files whose last components are `suffix`."""
        found = (path for unit in self._units_with(suffix) for path in self._paths(unit) if _ends(path, suffix))
        return tuple(dict.fromkeys(found))

    def addresses_of(self, path: str, number: int) -> tuple[int, ...]:
        """Where each stretch of code of a line begins; of the next line that has code if this one has none."""
        best: int | None = None
        addresses: list[int] = []
        for unit in self._units_with(path):
            mine = frozenset(place for place, each in enumerate(self._paths(unit)) if each == path)
            found = self._table(unit).stretches(mine, number) if mine else None
            if found is not None and (best is None or found[0] <= best):
                addresses = found[1] + (addresses if found[0] == best else [])
                best = found[0]
        return tuple(sorted(set(addresses)))

    @cached_property
    def _units(self) -> list[Unit]:
        return list(units(self._sections))

    @cached_property
    def _index(self) -> tuple[list[int], list[tuple[int, int, Unit]]]:
        """The ranges of all units, by where they begin. A unit that does not say is read for it."""
        listed = ranges.of_sets(self._sections)
        found = []
        for unit in self._units:
            mine: Iterable[Range] = listed.get(unit.offset) or unit.ranges or self._table(unit).ranges
            found += [(begin, end, unit) for begin, end in mine if self._is_code(begin)]
        found.sort(key=lambda each: each[:2])
        return [begin for begin, _, _ in found], found

    def _is_code(self, address: int) -> bool:
        return any(begin <= address < end for begin, end in self._code)

    def _units_with(self, suffix: str) -> list[Unit]:
        """The units that were compiled from such a file; if there are none, those that include one."""
        own = [unit for unit in self._units if _ends(joined(unit.folder, unit.name), suffix)]
        return own or [unit for unit in self._units if any(_ends(path, suffix) for path in self._paths(unit))]

    def _paths(self, unit: Unit) -> Sequence[str]:
        header = self._header(unit)
        return () if header is None else header.paths

    def _header(self, unit: Unit) -> LineHeader | None:
        if unit.offset not in self._headers:
            try:
                self._headers[unit.offset] = line_header(self._sections, unit)
            except DwarfError:
                self._headers[unit.offset] = None
        return self._headers[unit.offset]

    def _table(self, unit: Unit) -> LineTable:
        if unit.offset not in self._tables:
            header = self._header(unit)
            raw = self._sections.get(".debug_line")
            found = [] if header is None else run(raw, self._sections.order, header)
            kept = [each for each in found if self._is_code(each.addresses[0])]
            self._tables[unit.offset] = LineTable(kept, self._paths(unit))
        return self._tables[unit.offset]


def _ends(path: str, suffix: str) -> bool:
    """Whether the last components of `path` are those of `suffix`."""
    wanted = PurePosixPath(suffix).parts
    return path.endswith(suffix) and PurePosixPath(path).parts[-len(wanted) :] == wanted
