"""The tables of an object file: sections, symbols, relocations. Nothing in them is believed unchecked.

They are read here and not by pyelftools, which follows what the file says however much work that is.
Source: Tool Interface Standard, Executable and Linking Format 1.2; System V ABI, AMD64 supplement.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from idtviz.machine.objects import header, limits
from idtviz.machine.objects.header import Header
from idtviz.machine.objects.problem import ObjectError, short

SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR, SHF_COMPRESSED = 0x1, 0x2, 0x4, 0x800
SHN_UNDEF, SHN_LORESERVE, SHN_ABS, SHN_COMMON = 0, 0xFF00, 0xFFF1, 0xFFF2
SHT_SYMTAB, SHT_RELA, SHT_NOBITS, SHT_REL, SHT_DYNSYM = 2, 4, 8, 9, 11
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION, STT_FILE, STT_COMMON, STT_TLS, STT_GNU_IFUNC = 0, 1, 2, 3, 4, 5, 6, 10
STB_LOCAL, STB_WEAK = 0, 2

NOT_WRITTEN: Final = (".L", "$")
"""How local labels of compilers begin, and the symbols that tell what kind of bytes follow."""

_SHT_CREL = 0x4000_0014
_SECTIONS = {32: struct.Struct("<10I"), 64: struct.Struct("<IIQQQQIIQQ")}
_SYMBOLS = {32: struct.Struct("<IIIBBH"), 64: struct.Struct("<IBBHQQ")}
_RELOCATIONS = {
    (32, SHT_REL): struct.Struct("<II"),
    (32, SHT_RELA): struct.Struct("<IIi"),
    (64, SHT_REL): struct.Struct("<QQ"),
    (64, SHT_RELA): struct.Struct("<QQq"),
}


@dataclass(frozen=True, slots=True)
class Section:
    """A section header, its fields without their `sh_`."""

    number: int
    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int

    @property
    def is_loaded(self) -> bool:
        """Whether it is in memory when the program runs."""
        return bool(self.flags & SHF_ALLOC)

    @property
    def is_code(self) -> bool:
        """Whether its bytes are instructions."""
        return self.flags & (SHF_ALLOC | SHF_EXECINSTR) == SHF_ALLOC | SHF_EXECINSTR

    @property
    def has_bytes(self) -> bool:
        """Whether the file holds its contents; else they are zero."""
        return self.kind != SHT_NOBITS


class Entry(NamedTuple):
    """An entry of the symbol table; `name` is an offset in the table of names."""

    name: int
    kind: int
    binding: int
    section: int
    value: int
    size: int


class Relocation(NamedTuple):
    """A place of section `section` that is to be filled in. `addend` None: it stands at the place."""

    section: int
    offset: int
    kind: int
    symbol: int
    addend: int | None


class ObjectFile:
    """The header and the tables of a file. Raises ObjectError where they do not hold together."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.header: Header = header.read(raw)
        self.bits = self.header.bits
        self._named = 0
        self._known: dict[int, str] = {}
        self._names = b""
        self.sections = self._sections()
        self._symbols = self._symbol_section()
        self.symbols = self._entries()

    def contents(self, section: Section) -> bytes:
        """The bytes that the file holds of a section. Raises ObjectError."""
        if not section.has_bytes:
            return b""
        end = section.offset + section.size
        if end > len(self.raw):
            raise ObjectError(
                f"the ELF file is cut short: {short(section.name) or f'section {section.number}'} ends at {end:#x}, "
                f"the file at {len(self.raw):#x}"
            )
        return self.raw[section.offset : end]

    def name(self, entry: Entry) -> str:
        """The name of a symbol; of one that stands for a section, that section's."""
        if entry.kind == STT_SECTION and entry.section < len(self.sections):
            return self.sections[entry.section].name
        if entry.name not in self._known:
            self._known[entry.name] = self._text(self._names, entry.name, "symbol") if entry.name else ""
        return self._known[entry.name]

    def relocations(self, section: Section, most: int) -> Iterator[Relocation]:
        """What a relocation section says, at most `most` entries. Raises ObjectError."""
        layout = _RELOCATIONS[self.bits, section.kind]
        if section.size // layout.size > most:
            raise ObjectError(f"{short(section.name)} brings the relocations to more than {limits.MOST_RELOCATIONS}")
        if section.entry_size != layout.size or section.size % layout.size:
            raise ObjectError(
                f"the ELF file is damaged: the entries of {short(section.name)} are not of {layout.size} bytes"
            )
        if self._symbols is None or section.link != self._symbols.number:
            raise ObjectError(f"the ELF file is damaged: {short(section.name)} goes with no symbol table")
        shift, mask = (8, 0xFF) if self.bits == 32 else (32, 0xFFFF_FFFF)
        for offset, info, *addend in layout.iter_unpack(self.contents(section)):
            if info >> shift >= len(self.symbols):
                raise ObjectError(f"the ELF file is damaged: {short(section.name)} names symbol {info >> shift}")
            yield Relocation(section.info, offset, info & mask, info >> shift, addend[0] if addend else None)

    def relocation_sections(self) -> Iterator[tuple[Section, Section]]:
        """Each section of relocations, and the one that they are for. Raises ObjectError."""
        for section in self.sections:
            if section.kind not in (SHT_REL, SHT_RELA, _SHT_CREL) or not section.size:
                continue
            if not 0 < section.info < len(self.sections):
                raise ObjectError(f"the ELF file is damaged: {short(section.name)} relocates section {section.info}")
            target = self.sections[section.info]
            if section.kind == _SHT_CREL and target.is_loaded:
                raise ObjectError(
                    f"the relocations of {short(target.name)} are packed (SHT_CREL); compile without --crel"
                )
            if section.kind != _SHT_CREL:
                yield section, target

    def _sections(self) -> tuple[Section, ...]:
        head, layout = self.header, _SECTIONS[self.bits]
        if not head.shoff:
            return ()
        if not head.shnum:
            raise ObjectError(f"the ELF file has {limits.MOST_SECTIONS} sections or more, or a damaged header")
        if head.shentsize != layout.size:
            raise ObjectError(f"the ELF file is damaged: section headers of {head.shentsize} bytes, not {layout.size}")
        end = head.shoff + head.shnum * layout.size
        if end > len(self.raw):
            raise ObjectError(
                f"the ELF file is cut short: its section headers end at {end:#x}, the file at {len(self.raw):#x}"
            )
        if head.shnum >= limits.MOST_SECTIONS:
            raise ObjectError(f"the ELF file has {head.shnum} sections; expected less than {limits.MOST_SECTIONS}")
        heads = list(layout.iter_unpack(self.raw[head.shoff : end]))
        if not 0 < head.shstrndx < head.shnum:
            raise ObjectError(f"the ELF file is damaged: the names of its sections are in section {head.shstrndx}")
        names = self.contents(Section(head.shstrndx, "", *heads[head.shstrndx][1:]))
        return tuple(Section(at, self._text(names, each[0], "section"), *each[1:]) for at, each in enumerate(heads))

    def _symbol_section(self) -> Section | None:
        for kind in (SHT_SYMTAB, SHT_DYNSYM):
            for section in self.sections:
                if section.kind == kind:
                    return section
        return None

    def _entries(self) -> tuple[Entry, ...]:
        table, layout = self._symbols, _SYMBOLS[self.bits]
        if table is None:
            return ()
        if table.entry_size != layout.size or table.size % layout.size:
            raise ObjectError(
                f"the ELF file is damaged: the entries of {short(table.name)} are not of {layout.size} bytes"
            )
        count = table.size // layout.size
        if count > limits.MOST_SYMBOLS:
            raise ObjectError(f"the ELF file has {count} symbols; expected at most {limits.MOST_SYMBOLS}")
        if not 0 < table.link < len(self.sections):
            raise ObjectError(f"the ELF file is damaged: the names of its symbols are in section {table.link}")
        self._names = self.contents(self.sections[table.link])
        fields = layout.iter_unpack(self.contents(table))
        if self.bits == 64:
            return tuple(
                Entry(name, info & 15, info >> 4, at, value, size) for name, info, _, at, value, size in fields
            )
        return tuple(Entry(name, info & 15, info >> 4, at, value, size) for name, value, size, info, _, at in fields)

    def _text(self, table: bytes, at: int, what: str) -> str:
        end = table.find(b"\0", at, at + limits.LONGEST_NAME)
        if end < 0:
            why = f"is longer than {limits.LONGEST_NAME} bytes" if at < len(table) else "is not in its table of names"
            raise ObjectError(f"the ELF file is damaged: the name of a {what}, at {at:#x}, {why}")
        self._named += end - at
        if self._named > limits.LONGEST_NAMES:
            raise ObjectError(f"the names of the ELF file have more than {limits.LONGEST_NAMES} bytes")
        text = table[at:end].decode("utf-8", errors="replace")
        return text if text.isprintable() else "".join(each if each.isprintable() else "\ufffd" for each in text)
