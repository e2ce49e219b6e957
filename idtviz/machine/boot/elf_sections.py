"""The section headers of a kernel in memory, and the sections that its segments leave out: symbols above all.

GRUB loads every section that has no address of its own and writes into its header where (Multiboot 0.6.96 3.3, flag 5).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from idtviz.machine.boot.elf import Elf
from idtviz.machine.boot.image import Part
from idtviz.machine.boot.placement import Placement

_HEADERS = {32: struct.Struct("<10I"), 64: struct.Struct("<IIQQQQIIQQ")}
_ADDRESS = {32: (12, struct.Struct("<I")), 64: (16, struct.Struct("<Q"))}
"""Where sh_addr stands in a header."""
_SHT_NULL, _SHT_NOBITS = 0, 8
_LARGEST_ALIGNMENT = 4096


@dataclass(frozen=True, slots=True)
class Sections:
    """`headers` in memory, `names` being the index of the section with the names, and the sections loaded for them."""

    count: int
    entry_size: int
    names: int
    headers: bytes
    parts: tuple[Part, ...]


def placed(elf: Elf, placement: Placement) -> Sections | None:
    """The sections in their places; None for a file without section headers, or with broken ones.

    A kernel does without them, so they are no reason to refuse it.
    """
    layout = _HEADERS[elf.bits]
    end = elf.shoff + elf.shnum * elf.shentsize
    if not elf.shnum or elf.shentsize < layout.size or end > len(elf.raw):
        return None
    headers = bytearray(elf.raw[elf.shoff : end])
    wanted = []
    for at in range(0, len(headers), elf.shentsize):
        _, kind, _, address, offset, size, _, _, alignment, _ = layout.unpack_from(headers, at)
        if kind in (_SHT_NULL, _SHT_NOBITS) or address or not size:
            continue
        if offset + size > len(elf.raw):
            return None
        wanted.append((at, offset, size, max(1, min(alignment, _LARGEST_ALIGNMENT))))
    if sum(size for _, _, size, _ in wanted) > len(elf.raw):
        return None
    parts = []
    for at, offset, size, alignment in wanted:
        address = placement.high(size, alignment)
        field, layout = _ADDRESS[elf.bits]
        layout.pack_into(headers, at + field, address)
        parts.append(Part(address, elf.raw[offset : offset + size], size))
    return Sections(elf.shnum, elf.shentsize, elf.shstrndx, bytes(headers), tuple(parts))
