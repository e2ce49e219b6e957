"""Symbols and lines of ELF files."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section

from idtviz.debugger.symbols.dwarf.lines import DwarfLines
from idtviz.debugger.symbols.dwarf.sections import BROKEN, DwarfSections, contents
from idtviz.debugger.symbols.names import REACH, Named, Names
from idtviz.debugger.symbols.symbol import NoLines
from idtviz.debugger.symbols.table import Segment, Symbols
from idtviz.debugger.symbols.text import from_text

_MAGIC = b"\x7fELF"
_SHF_ALLOC, _SHF_EXECINSTR = 0x2, 0x4
_SHN_UNDEF, _SHN_ABS, _SHN_RESERVED = 0, 0xFFF1, 0xFF00
_NOTYPE, _OBJECT, _FUNC, _GNU_IFUNC = 0, 1, 2, 10
_GLOBAL, _WEAK = 1, 2
_MOST_SYMBOLS = 1 << 20
_MOST_SECTIONS = 1 << 16
_MOST_SEGMENTS = 64
_IGNORED = (".L", "$")
"""How local labels of compilers begin, and the symbols that tell what kind of bytes follow."""

_BOUNDARIES = frozenset(("edata", "end", "etext", "bss_start"))
"""Names, less their underscores, that linkers give to the ends of what they place: nothing belongs to them."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What a section says of the symbols in it."""

    begin: int
    end: int
    code: bool
    listed: bool


def from_file(raw: bytes) -> Symbols:
    """The symbols of a file that was given for its symbols: an ELF file, or any text that `from_text` knows."""
    return from_elf(raw) if raw.startswith(_MAGIC) else from_text(raw)


def from_elf(raw: bytes) -> Symbols:
    """The symbols and lines of an ELF file; what cannot be read is left out: a file without them still runs.

    Only headers are read here. Symbols, and the lines of each compiled file, are read when they are first asked for.
    """
    try:
        elf = ELFFile(io.BytesIO(raw))
        sections = list(_sections(elf))
        segments = list(_segments(elf))
    except BROKEN:
        return Symbols()
    places = {number: _place(section) for number, section in enumerate(sections)}
    table = next((each for each in sections if each["sh_type"] == "SHT_SYMTAB"), None)
    table = table or next((each for each in sections if each["sh_type"] == "SHT_DYNSYM"), None)

    def entries() -> list[Named]:
        try:
            return [] if table is None else list(_entries(elf, table, places))
        except BROKEN:
            return []

    names = {section.name for section in sections}
    code = [(place.begin, place.end) for place in places.values() if place.code and place.end > place.begin]
    has_lines = {".debug_info", ".debug_line"} <= names
    lines = DwarfLines(DwarfSections(elf, sections), code) if has_lines else NoLines()
    return Symbols(Names(entries), lines, segments)


def _sections(elf: ELFFile) -> Iterator[Section]:
    for number in range(min(elf.num_sections(), _MOST_SECTIONS)):
        yield elf.get_section(number)


def _place(section: Section) -> _Place:
    begin, flags = section["sh_addr"], section["sh_flags"]
    code = bool(flags & _SHF_EXECINSTR)
    # Data in a section at address 0 is what a kernel has of each processor: its symbols are offsets.
    return _Place(begin, begin + section["sh_size"], code, bool(flags & _SHF_ALLOC) and (code or begin != 0))


def _segments(elf: ELFFile) -> Iterator[Segment]:
    for number in range(min(elf.num_segments(), _MOST_SEGMENTS)):
        header = elf.get_segment(number).header
        if header["p_type"] == "PT_LOAD" and header["p_memsz"]:
            yield Segment(header["p_vaddr"], header["p_paddr"], header["p_memsz"])


def _entries(elf: ELFFile, table: Section, places: dict[int, _Place]) -> Iterator[Named]:
    names = contents(elf.get_section(table["sh_link"]))
    order = "<" if elf.little_endian else ">"
    raw = contents(table)
    if elf.elfclass == 64:
        layout = struct.Struct(f"{order}IBBHQQ")
        fields = ((name, info, section, value, size) for name, info, _, section, value, size in _unpack(layout, raw))
    else:
        layout = struct.Struct(f"{order}IIIBBH")
        fields = ((name, info, section, value, size) for name, value, size, info, _, section in _unpack(layout, raw))
    for at, info, section, value, size in fields:
        kind, binding = info & 0xF, info >> 4
        if kind not in (_NOTYPE, _OBJECT, _FUNC, _GNU_IFUNC) or section == _SHN_UNDEF:
            continue
        name = names[at : names.find(b"\0", at)].decode("utf-8", errors="replace")
        if not name or name.startswith(_IGNORED):
            continue
        rank = (0 if binding == _GLOBAL else 1 if binding == _WEAK else 2) + (3 if kind == _NOTYPE else 0)
        place = places.get(section)
        if place is None or section >= _SHN_RESERVED:
            yield Named(value, rank, name, size, value, code=False, listed=False)
            continue
        if not size and name.lstrip("_") in _BOUNDARIES:
            rank += 6
            end = value
        else:
            # An interrupt at the last instruction of a section returns to what lies right behind it.
            end = value + size if size else min(value + REACH, place.end + 1)
        yield Named(value, rank, name, size, end, place.code, place.listed)


def _unpack(layout: struct.Struct, raw: bytes) -> Iterator[tuple[int, ...]]:
    count = min(len(raw) // layout.size, _MOST_SYMBOLS)
    return layout.iter_unpack(raw[: count * layout.size])
