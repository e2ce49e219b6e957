"""The header by which a kernel asks for Multiboot: found, checked, decoded.

Source: Multiboot Specification 0.6.96, 3.1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from idtviz.machine.boot.image import Image, Part
from idtviz.machine.boot.placement import FOUR_GIB
from idtviz.machine.boot.problem import ImageError

MAGIC: Final = 0x1BADB002
SEARCHED: Final = 8192
"""The header lies whole within so many bytes of the file, on a boundary of four (3.1.1)."""

PAGE_ALIGN, MEMORY_INFO, VIDEO_MODE, ADDRESSES = 1 << 0, 1 << 1, 1 << 2, 1 << 16
_REQUIREMENTS, _KNOWN = 0xFFFF, PAGE_ALIGN | MEMORY_INFO | VIDEO_MODE
_MAGIC = struct.pack("<I", MAGIC)
_FIELDS = struct.Struct("<3I")
_ADDRESSES = struct.Struct("<5I")


@dataclass(frozen=True, slots=True)
class Addresses:
    """The fields of the a.out kludge (3.1.3)."""

    header: int
    load: int
    load_end: int
    bss_end: int
    entry: int


@dataclass(frozen=True, slots=True)
class Header:
    """The header at `offset` of the file."""

    offset: int
    flags: int
    addresses: Addresses | None

    @property
    def wants_video(self) -> bool:
        """Whether the kernel asks for a video mode."""
        return bool(self.flags & VIDEO_MODE)


def find(raw: bytes) -> Header | None:
    """The header of a kernel; None where there is none. Raises ImageError for one that cannot be served."""
    at = offset(raw)
    if at is None:
        return None
    _, flags, _ = _FIELDS.unpack_from(raw, at)
    unknown = flags & _REQUIREMENTS & ~_KNOWN
    if unknown:
        raise ImageError(f"the Multiboot header requires features that are not known: flags {unknown:#06x}")
    addresses = None
    if flags & ADDRESSES:
        fields = at + _FIELDS.size
        if fields + _ADDRESSES.size > len(raw):
            raise ImageError("the Multiboot header is cut short: its address fields are incomplete")
        addresses = Addresses(*_ADDRESSES.unpack_from(raw, fields))
    return Header(at, flags, addresses)


def offset(raw: bytes) -> int | None:
    """Where in the file a header with the right checksum stands."""
    return search(raw[:SEARCHED], _MAGIC, _FIELDS, alignment=4)


def search(raw: bytes, magic: bytes, fields: struct.Struct, alignment: int) -> int | None:
    """Where in `raw` whole `fields` stand that begin with `magic`, and whose sum is 0 in 32 bits."""
    at = raw.find(magic)
    while at >= 0:
        whole = not at % alignment and at + fields.size <= len(raw)
        if whole and not sum(fields.unpack_from(raw, at)) % FOUR_GIB:
            return at
        at = raw.find(magic, at + 1)
    return None


def image_of(raw: bytes, header_at: int, addresses: Addresses) -> Image:
    """What a header at `header_at` whose fields give the addresses says is to be loaded (3.1.3). Raises ImageError."""
    start = header_at - (addresses.header - addresses.load)
    if addresses.load > addresses.header or start < 0:
        raise ImageError(
            f"the Multiboot header loads from {addresses.load:#x}, with itself at {addresses.header:#x}: "
            f"that begins outside the file, where it stands at {header_at:#x}"
        )
    end = addresses.load_end or addresses.load + len(raw) - start
    if not addresses.load < end <= addresses.load + len(raw) - start:
        raise ImageError(
            f"the Multiboot header loads {addresses.load:#x} to {end:#x}; "
            f"the file has {len(raw) - start:#x} bytes for it"
        )
    bss_end = addresses.bss_end or end
    if bss_end < end:
        raise ImageError(f"the Multiboot header ends the bss at {bss_end:#x}, before the data, which end at {end:#x}")
    if not addresses.load <= addresses.entry < bss_end:
        raise ImageError(
            f"the Multiboot header enters at {addresses.entry:#x}, outside of what it loads: "
            f"{addresses.load:#x} to {bss_end:#x}"
        )
    data = raw[start : start + end - addresses.load]
    return Image((Part(addresses.load, data, bss_end - addresses.load),), addresses.entry, 32)
