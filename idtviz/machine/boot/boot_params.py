"""The setup header of a Linux kernel, and the structure that the kernel finds at ESI: the "zero page".

Source: Linux Documentation/arch/x86/boot.rst and zero-page.rst.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from idtviz.machine.boot.problem import ImageError
from idtviz.machine.firmware import memory_map
from idtviz.machine.memory import PAGE

_HEADER_AT, _JUMP_LENGTH_AT, _JUMP_END = 0x1F1, 0x201, 0x202
_HEADER_END: Final = 0x268
"""Behind init_size: the header of protocol 2.10. Older ones are shorter, and end where their jump leads."""

_HEADER_SPACE: Final = 0x290
"""The zero page has other things from here on."""

_E820_ENTRIES, _E820_TABLE = 0x1E8, 0x2D0
_ALTERNATIVE_MEMORY, _RSDP = 0x1E0, 0x070
_LOADER_TYPE, _RAM_DISK, _COMMAND_LINE = 0x210, 0x218, 0x228
_UNKNOWN_LOADER: Final = 0xFF

# screen_info: cursor, page, mode 3, columns, lines, isVGA, points of a character.
_SCREEN = struct.Struct("<BBHHBBBBHHBBH")


@dataclass(frozen=True, slots=True)
class SetupHeader:
    """The fields of the setup header, by what they mean; those that a protocol does not have yet are zero."""

    raw: bytes
    setup_sectors: int
    version: int
    loaded_high: bool
    code32_start: int
    initrd_address_max: int
    alignment: int
    relocatable: bool
    command_line_size: int
    preferred_address: int
    init_size: int


@dataclass(frozen=True, slots=True)
class Beside:
    """What the kernel is told of."""

    command_line_at: int
    initrd_at: int
    initrd_size: int
    rsdp_at: int


def setup_header(raw: bytes) -> SetupHeader:
    """The setup header of a kernel's file. Raises ImageError."""
    end = _JUMP_END + raw[_JUMP_LENGTH_AT]
    if len(raw) < end:
        raise ImageError(f"the setup header is cut short: it ends at {end:#x}, the file at {len(raw):#x}")
    known = raw[: min(end, _HEADER_END)].ljust(_HEADER_END, b"\0")

    def number(at: int, size: int) -> int:
        return int.from_bytes(known[at : at + size], "little")

    return SetupHeader(
        raw=raw[_HEADER_AT : min(end, _HEADER_SPACE)],
        setup_sectors=number(0x1F1, 1),
        version=number(0x206, 2),
        loaded_high=bool(number(0x211, 1) & 1),
        code32_start=number(0x214, 4),
        initrd_address_max=number(0x22C, 4),
        alignment=number(0x230, 4),
        relocatable=bool(number(0x234, 1)),
        command_line_size=number(0x238, 4),
        preferred_address=number(0x258, 8),
        init_size=number(0x260, 4),
    )


def build(header: SetupHeader, beside: Beside, memory: int) -> bytes:
    """The zero page; `memory`: bytes of RAM."""
    page = bytearray(PAGE)
    _, upper = memory_map.kibibytes(memory)
    _SCREEN.pack_into(page, 0, 0, 0, min(upper, 0xFFFF), 0, 3, 80, 0, 0, 3, 0, 25, 1, 16)
    page[_HEADER_AT : _HEADER_AT + len(header.raw)] = header.raw
    page[_LOADER_TYPE] = _UNKNOWN_LOADER
    struct.pack_into("<II", page, _RAM_DISK, beside.initrd_at, beside.initrd_size)
    struct.pack_into("<I", page, _COMMAND_LINE, beside.command_line_at)
    struct.pack_into("<I", page, _ALTERNATIVE_MEMORY, upper)
    struct.pack_into("<Q", page, _RSDP, beside.rsdp_at)
    regions = memory_map.regions(memory)
    page[_E820_ENTRIES] = len(regions)
    for index, region in enumerate(regions):
        packed = region.packed()
        at = _E820_TABLE + index * len(packed)
        page[at : at + len(packed)] = packed
    return bytes(page)
