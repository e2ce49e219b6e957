"""ELF files made byte by byte: sections, segments, symbols, and line programs of DWARF 2 to 5."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

ALLOC, WRITE, EXEC = 0x2, 0x1, 0x4
NOTYPE, OBJECT, FUNC, SECTION, FILE, TLS = 0, 1, 2, 3, 4, 6
LOCAL, GLOBAL, WEAK = 0, 1, 2
ABSOLUTE = 0xFFF1


@dataclass(frozen=True)
class Section:
    name: str
    raw: bytes = b""
    address: int = 0
    flags: int = 0
    kind: int = 1  # SHT_PROGBITS
    size: int | None = None


@dataclass(frozen=True)
class Entry:
    """A symbol. `section` is the name of one, or a reserved index."""

    name: str
    address: int
    section: str | int = ".text"
    kind: int = NOTYPE
    binding: int = LOCAL
    size: int = 0


@dataclass
class Elf:
    """An ELF64 file. `segments`: linked address, loaded address and size of each PT_LOAD."""

    sections: list[Section]
    symbols: list[Entry] = field(default_factory=list)
    segments: list[tuple[int, int, int]] = field(default_factory=list)
    dynamic: bool = False

    def bytes(self) -> bytes:
        numbers = {section.name: number for number, section in enumerate(self.sections, 1)}
        names, table = b"\0", bytes(24)
        for entry in self.symbols:
            section = numbers[entry.section] if isinstance(entry.section, str) else entry.section
            info = entry.binding << 4 | entry.kind
            table += struct.pack("<IBBHQQ", len(names), info, 0, section, entry.address, entry.size)
            names += entry.name.encode() + b"\0"
        kind = 11 if self.dynamic else 2  # SHT_DYNSYM, SHT_SYMTAB
        made = [*self.sections, Section(".strtab", names, kind=3), Section(".symbols", table, kind=kind)]
        titles, heads = b"\0", bytes(64)
        body = b""
        first = 64 + 56 * len(self.segments)
        for section in [*made, Section(".shstrtab", kind=3)]:
            title, titles = len(titles), titles + section.name.encode() + b"\0"
            raw = titles if section.name == ".shstrtab" else section.raw
            size = len(raw) if section.size is None else section.size
            link, entry_size = (len(self.sections) + 1, 24) if section.kind in (2, 11) else (0, 0)
            where = (section.address, first + len(body), size, link, 0, 1, entry_size)
            heads += struct.pack("<IIQQQQIIQQ", title, section.kind, section.flags, *where)
            body += raw
        segments = b"".join(
            struct.pack("<IIQQQQQQ", 1, 5, 0, linked, loaded, 0, size, 4096) for linked, loaded, size in self.segments
        )
        count = len(made) + 2
        head = b"\x7fELF\2\1\1" + bytes(9)
        head += struct.pack("<HHIQQQI", 2, 62, 1, 0, 64 if segments else 0, first + len(body), 0)
        head += struct.pack("<HHHHHH", 64, 56, len(self.segments), 64, count, count - 1)
        return head + segments + body + heads


def code(size: int = 0x1000, address: int = 0x100000) -> Section:
    return Section(".text", bytes(size), address, ALLOC | EXEC)


def data(size: int = 0x1000, address: int = 0x200000, name: str = ".data") -> Section:
    return Section(name, bytes(size), address, ALLOC | WRITE)


# DWARF


def leb128(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))


@dataclass(frozen=True)
class Row:
    """A row of a line program. `line` None ends the sequence."""

    address: int
    line: int | None = None
    file: int = 1
    statement: bool = True


@dataclass(frozen=True)
class Unit:
    """A compiled file. `files`: folder number and name, from file 1 on; `ranges` says what `.debug_info` gives."""

    rows: list[Row]
    name: str = "kernel.c"
    folder: str = "/os"
    folders: tuple[str, ...] = ()
    files: tuple[tuple[int, str], ...] = ((0, "kernel.c"),)
    ranges: tuple[int, int] | None = None


def dwarf(units: list[Unit], version: int = 4, *, aranges: bool = False) -> list[Section]:
    """The sections of debugging information; with `aranges` addresses are in `.debug_aranges`, too."""
    abbreviations = b"\1\x11\0" + bytes((0x03, 0x08, 0x1B, 0x08, 0x10, 0x06 if version < 4 else 0x17))
    without_ranges = abbreviations + b"\0\0\0"
    with_ranges = abbreviations + bytes((0x11, 0x01, 0x12, 0x01 if version < 4 else 0x07)) + b"\0\0\0"
    info = lines = sets = b""
    for unit in units:
        entry = b"\1" + unit.name.encode() + b"\0" + unit.folder.encode() + b"\0" + struct.pack("<I", len(lines))
        if unit.ranges is not None:
            begin, end = unit.ranges
            entry += struct.pack("<QQ", begin, end if version < 4 else end - begin)
        table = len(without_ranges) if unit.ranges is not None else 0
        head = struct.pack("<HBBI", version, 1, 8, table) if version == 5 else struct.pack("<HIB", version, table, 8)
        if aranges and unit.ranges is not None:
            begin, end = unit.ranges
            body = struct.pack("<HIBB4xQQQQ", 2, len(info), 8, 0, begin, end - begin, 0, 0)
            sets += struct.pack("<I", len(body)) + body
        info += struct.pack("<I", len(head + entry)) + head + entry
        lines += program(unit, version)
    made = {".debug_abbrev": without_ranges + with_ranges, ".debug_info": info, ".debug_line": lines}
    if aranges:
        made[".debug_aranges"] = sets
    return [Section(name, raw) for name, raw in made.items()]


def program(unit: Unit, version: int) -> bytes:
    """The line program of a unit."""
    head = bytes((1, *((1,) if version >= 4 else ()), 1, 0xFB, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1))
    if version == 5:
        folders = (unit.folder, *unit.folders)
        head += b"\1\1\x08" + leb128(len(folders)) + b"".join(each.encode() + b"\0" for each in folders)
        files = ((0, unit.name), *unit.files)
        head += b"\2\1\x08\2\x0b" + leb128(len(files))
        head += b"".join(name.encode() + b"\0" + bytes((folder,)) for folder, name in files)
    else:
        head += b"".join(each.encode() + b"\0" for each in unit.folders) + b"\0"
        head += b"".join(name.encode() + b"\0" + bytes((folder, 0, 0)) for folder, name in unit.files) + b"\0"
    body = b"".join(_opcodes(unit.rows))
    fixed = struct.pack("<H", version) + (b"\x08\0" if version == 5 else b"") + struct.pack("<I", len(head))
    return struct.pack("<I", len(fixed + head + body)) + fixed + head + body


def _opcodes(rows: list[Row]) -> list[bytes]:
    made, line, file, last, statement, fresh = [], 1, 1, 0, True, True
    for row in rows:
        if fresh or row.line is None:
            made.append(b"\0\x09\2" + struct.pack("<Q", row.address))
        else:
            made.append(b"\x09" + struct.pack("<H", row.address - last))
        last, fresh = row.address, False
        if row.line is None:
            made.append(b"\0\1\1")
            line, file, statement, fresh = 1, 1, True, True
            continue
        if row.file != file:
            made.append(b"\4" + leb128(row.file))
        if row.statement != statement:
            made.append(b"\6")
        step = row.line - line
        made.append(b"\3" + (bytes((step & 0x7F,)) if -64 <= step < 64 else leb128(step & (1 << 34) - 1)) + b"\1")
        line, file, statement = row.line, row.file, row.statement
    return made
