"""Names and source lines of an object file, at the addresses where it has been laid out.

A compiler leaves the addresses in `.debug_` sections open, as it does in code. They are filled in here, and not by
pyelftools, which follows what the file says however much work that is.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

from elftools.elf.elffile import ELFFile

from idtviz.debugger.symbols.dwarf.lines import DwarfLines
from idtviz.debugger.symbols.dwarf.sections import BROKEN, DwarfSections
from idtviz.debugger.symbols.elf import from_elf
from idtviz.debugger.symbols.names import REACH, Named, Names
from idtviz.debugger.symbols.parameters import Signatures
from idtviz.debugger.symbols.symbol import NoLines
from idtviz.debugger.symbols.table import Symbols
from idtviz.machine.objects import Kind, LoadedObject, ObjectError
from idtviz.machine.objects.file import SHF_COMPRESSED, SHN_ABS, ObjectFile, Section
from idtviz.machine.objects.relocation import RULES, Terms

_LARGEST = 16 << 20  # bytes of one section, unpacked
_MOST_RELOCATIONS = 1 << 18  # of one section
_ZLIB = 1
_COMPRESSION = {32: struct.Struct("<III"), 64: struct.Struct("<I4xQQ")}
_PHYSICAL = {32: (12, struct.Struct("<I")), 64: (24, struct.Struct("<Q"))}
"""Where p_paddr stands in a program header."""


def from_object(raw: bytes, loaded: LoadedObject) -> Symbols:
    """The symbols and lines of the file `raw`, which lies in memory as `loaded` says; what cannot be read is left out.

    The names that it does not define are known at the places that stand in for them.
    """
    if loaded.linked:
        return from_elf(_moved(raw, loaded) if loaded.moved else raw)
    try:
        file = ObjectFile(raw)
        sections = _Sections(file, loaded)
    except ObjectError:
        return Symbols(Names(lambda: list(_names(loaded))))
    code = [(each.address, each.end) for each in loaded.pieces if each.executable]
    lines = DwarfLines(sections, code) if sections.are_there else NoLines()
    return Symbols(Names(lambda: list(_names(loaded))), lines)


def signatures_of(raw: bytes, loaded: LoadedObject) -> Signatures | None:
    """What the functions of the file `raw` declare to take; None for a linked one, or where there is no telling."""
    try:
        return None if loaded.linked else Signatures(_Sections(ObjectFile(raw), loaded), loaded.bits)
    except ObjectError:
        return None


def _names(loaded: LoadedObject) -> Iterator[Named]:
    for each in loaded.symbols:
        rank = (0 if each.is_global else 2) + (3 if each.kind is Kind.LABEL else 0)
        piece = loaded.piece_at(each.address)
        # An interrupt at the last instruction of a section returns to what lies right behind it.
        end = min(each.address + REACH, each.address if piece is None else piece.end + 1)
        yield Named(
            each.address, rank, each.name, each.size, each.address + each.size if each.size else end, each.executable
        )
    for missing in loaded.undefined:
        is_code = missing.address in loaded.slots
        end = missing.address + missing.size
        yield Named(missing.address, 0, missing.name, missing.size, end, is_code)


def _moved(raw: bytes, loaded: LoadedObject) -> bytes:
    """The file of a position-independent program, whose segments say where they have been loaded."""
    try:
        elf = ELFFile(io.BytesIO(raw))
        begin, size, count = elf["e_phoff"], elf["e_phentsize"], elf["e_phnum"]
        addresses = [elf.get_segment(number)["p_vaddr"] for number in range(count)]
    except BROKEN:
        return raw
    found = bytearray(raw)
    field, layout = _PHYSICAL[loaded.bits]
    mask = (1 << loaded.bits) - 1
    for number, address in enumerate(addresses):
        layout.pack_into(found, begin + number * size + field, address + loaded.moved & mask)
    return bytes(found)


class _Sections(DwarfSections):
    """Gives the bytes of each `.debug_` section as they are once the object file lies in memory."""

    def __init__(self, file: ObjectFile, loaded: LoadedObject) -> None:
        self._file = file
        self._loaded = loaded
        self._read = {}
        self._debug = {each.name: each for each in reversed(file.sections) if each.name.startswith(".debug_")}
        self.order = "<"

    @property
    def are_there(self) -> bool:
        """Whether there are lines at all."""
        return {".debug_info", ".debug_line"} <= self._debug.keys()

    def _bytes(self, name: str) -> bytes:
        section = self._debug.get(name)
        if section is None:
            return b""
        try:
            return self._filled_in(section)
        except (ObjectError, zlib.error, struct.error):
            return b""

    def _filled_in(self, section: Section) -> bytes:
        if section.size > _LARGEST:
            return b""
        data = bytearray(self._unpacked(section))
        rules, left = RULES[self._file.bits], _MOST_RELOCATIONS
        for relocations, target in self._file.relocation_sections():
            if target is not section:
                continue
            for each in self._file.relocations(relocations, left):
                left -= 1
                rule, end = rules.get(each.kind), 0
                if rule is not None and not rule.entry:
                    end = each.offset + rule.size
                if rule is None or not 0 < end <= len(data):
                    continue
                addend = int.from_bytes(data[each.offset : end], "little") if each.addend is None else each.addend
                value = rule.fits(
                    rule.value(Terms(self._value(each.symbol), addend, each.offset, 0, 0)), self._file.bits
                )
                if value is not None:
                    data[each.offset : end] = value.to_bytes(rule.size, "little")
        return bytes(data)

    def _unpacked(self, section: Section) -> bytes:
        data = self._file.contents(section)
        if not section.flags & SHF_COMPRESSED:
            return data
        layout = _COMPRESSION[self._file.bits]
        kind, size, _ = layout.unpack_from(data)
        if kind != _ZLIB or size > _LARGEST:
            return b""
        return zlib.decompressobj().decompress(data[layout.size :], _LARGEST)

    def _value(self, number: int) -> int:
        """The address of a symbol; of one of a section that is not in memory, its offset there."""
        entry = self._file.symbols[number]
        if entry.section < len(self._file.sections):
            return self._loaded.sections.get(entry.section, 0) + entry.value
        return entry.value if entry.section == SHN_ABS else 0
