"""The debugging sections of an ELF file."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from elftools.common.exceptions import DWARFError, ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section

BROKEN = (
    *(ELFError, DWARFError, ValueError, KeyError, AttributeError, TypeError, AssertionError, IndexError),
    *(OverflowError, struct.error, zlib.error),
)
"""What pyelftools raises over a file that is not what its headers say."""

_MOST_BYTES = 512 << 20  # of one section, unpacked


def contents(section: Section) -> bytes:
    """The bytes of a section, unpacked; none where it has none in the file, too many, or other ones than it says."""
    if section["sh_type"] == "SHT_NOBITS" or section.data_size > _MOST_BYTES:
        return b""
    try:
        data: bytes = section.data()
    except BROKEN:
        return b""
    return data


class DwarfSections:
    """Gives the bytes of each `.debug_` section: unpacked, and relocated in a file that is not linked yet."""

    def __init__(self, elf: ELFFile, sections: Sequence[Section]) -> None:
        self._elf = elf
        self._found = {each.name: each for each in reversed(sections) if each.name.startswith(".debug_")}
        self._read: dict[str, bytes] = {}
        self.order = "<" if elf.little_endian else ">"
        """The order of bytes, as `struct` has it."""

    def get(self, name: str) -> bytes:
        """The bytes of a section; none if it is not there or cannot be read."""
        if name not in self._read:
            self._read[name] = self._bytes(name)
        return self._read[name]

    def _bytes(self, name: str) -> bytes:
        section = self._found.get(name)
        if section is None:
            return b""
        return self._relocated(name) if self._elf["e_type"] == "ET_REL" else contents(section)

    def _relocated(self, name: str) -> bytes:
        if any(each.data_size > _MOST_BYTES for each in self._found.values()):
            return b""
        try:
            section = getattr(self._elf.get_dwarf_info(), f"{name[1:]}_sec")
            data: bytes = section.stream.getvalue() if section is not None else b""
        except BROKEN:
            return b""
        return data
