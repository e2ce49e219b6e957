"""Names and source lines for addresses, from an ELF file's symbol table and DWARF line programs."""

from __future__ import annotations

import bisect
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from elftools.common.exceptions import DWARFError, ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

_REACH = 1 << 16  # bytes behind the last symbol that still count as belonging to it, where symbols have no size


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name for the bytes from `address`, `size` of them (0: unknown). `code`: it lies in an executable section."""

    name: str
    address: int
    size: int
    code: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One source line, and the address of its first instruction."""

    file: str
    number: int
    address: int


class Symbols:
    """Looks up names by address and addresses by name."""

    def __init__(self, symbols: Iterable[Symbol] = (), lines: Iterable[Line] = (), ends: Iterable[int] = ()) -> None:
        """`ends`: addresses behind the last line of each stretch of code."""
        ordered = sorted(symbols, key=lambda symbol: (symbol.address, symbol.size))
        self.all: tuple[Symbol, ...] = tuple(ordered)
        self._addresses = [symbol.address for symbol in ordered]
        self._by_name = {symbol.name: symbol for symbol in reversed(ordered)}
        marks: dict[int, Line | None] = dict.fromkeys(ends)
        marks |= {line.address: line for line in sorted(lines, key=lambda line: line.address)}
        self._line_addresses = sorted(marks)
        self._lines = [marks[address] for address in self._line_addresses]

    def address_of(self, name: str) -> int | None:
        """The address of a symbol."""
        found = self._by_name.get(name)
        return None if found is None else found.address

    def at(self, address: int) -> Symbol | None:
        """The symbol whose bytes hold `address`: the nearest below, if its size or a later symbol does not end it."""
        place = bisect.bisect_right(self._addresses, address) - 1
        if place < 0:
            return None
        found = self.all[place]
        offset = address - found.address
        return found if offset < (found.size or _REACH) else None

    def name(self, address: int) -> str | None:
        """`symbol` or `symbol+0x12`."""
        found = self.at(address)
        if found is None:
            return None
        offset = address - found.address
        return f"{found.name}+{offset:#x}" if offset else found.name

    def line(self, address: int) -> Line | None:
        """The source line that the instruction at `address` comes from."""
        place = bisect.bisect_right(self._line_addresses, address) - 1
        return self._lines[place] if place >= 0 else None


def from_elf(raw: bytes) -> Symbols:
    """The symbols and lines of an ELF file; what cannot be read is left out: a file without them still runs."""
    try:
        elf = ELFFile(io.BytesIO(raw))
        symbols = list(_symbols(elf))
    except (ELFError, ValueError, KeyError, AttributeError, TypeError, AssertionError, IndexError):
        return Symbols()
    try:
        lines, ends = _lines(elf)
    except (ELFError, DWARFError, ValueError, KeyError, AttributeError, TypeError, AssertionError, IndexError):
        lines, ends = [], []
    return Symbols(symbols, lines, ends)


def _symbols(elf: ELFFile) -> Iterable[Symbol]:
    table = elf.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        return
    executable = {
        index
        for index, section in enumerate(elf.iter_sections())
        if section["sh_flags"] & 0x4  # SHF_EXECINSTR
    }
    for entry in table.iter_symbols():
        kind, section = entry["st_info"]["type"], entry["st_shndx"]
        if entry.name and kind in ("STT_NOTYPE", "STT_FUNC", "STT_OBJECT") and isinstance(section, int):
            yield Symbol(entry.name, entry["st_value"], entry["st_size"], section in executable)


def _lines(elf: ELFFile) -> tuple[list[Line], list[int]]:
    lines: list[Line] = []
    ends: list[int] = []
    if not elf.has_dwarf_info():
        return lines, ends
    dwarf = elf.get_dwarf_info()
    for unit in dwarf.iter_CUs():
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        first = 0 if program["version"] >= 5 else 1
        files = [PurePosixPath(entry.name.decode(errors="replace")).name for entry in program["file_entry"]]
        for row in program.get_entries():
            state = row.state
            if state is None:
                continue
            if state.end_sequence:
                ends.append(state.address)
            elif 0 <= state.file - first < len(files):
                lines.append(Line(files[state.file - first], state.line, state.address))
    return lines, ends
