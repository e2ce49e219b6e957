"""The tags of information that a Multiboot2 kernel finds at EBX.

Source: Multiboot2 Specification 2.0, 3.6.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from idtviz.machine.boot.module import Module, text
from idtviz.machine.boot.multiboot_info import LOADER_NAME
from idtviz.machine.firmware import memory_map

_END, _COMMAND_LINE, _LOADER_NAME, _MODULE, _MEMORY, _, _MEMORY_MAP, _, _FRAMEBUFFER, _ELF_SECTIONS = range(10)
_OLD_RSDP, _NEW_RSDP, _LOAD_BASE = 14, 15, 21
_HEADER = struct.Struct("<II")
_REVISION = 15
"""Where the RSDP has its revision: 0 is that of ACPI 1.0."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What there is to tell: the modules with where they begin, the ELF section headers, a copy of ACPI's RSDP."""

    command_line: str
    modules: Sequence[tuple[int, Module, str]]
    sections: tuple[int, int, int, bytes] | None
    """Number, size of each, index of the names, and the headers."""
    load_base: int | None
    rsdp: bytes = b""


def build(contents: Contents, memory: int) -> bytes:
    """The structure; it holds no address of its own. `memory`: bytes of RAM."""
    block = bytearray()
    for kind, body in _tags(contents, memory):
        block += _HEADER.pack(kind, _HEADER.size + len(body)) + body
        block += bytes(-len(block) % 8)
    return struct.pack("<II", len(block) + 8, 0) + bytes(block)


def _tags(contents: Contents, memory: int) -> Iterator[tuple[int, bytes]]:
    yield _COMMAND_LINE, text(contents.command_line, "the command line")
    yield _LOADER_NAME, text(LOADER_NAME, "the loader's name")
    if contents.load_base is not None:
        yield _LOAD_BASE, struct.pack("<I", contents.load_base)
    for begin, module, said in contents.modules:
        string = text(said, f"the text of module {module.name!r}")
        yield _MODULE, struct.pack("<II", begin, begin + len(module.data)) + string
    yield _MEMORY, struct.pack("<II", *memory_map.kibibytes(memory))
    regions = memory_map.regions(memory)
    yield _MEMORY_MAP, struct.pack("<II", 24, 0) + b"".join(region.packed() + bytes(4) for region in regions)
    # EGA text: address, pitch, width, height, bits of a cell, type 2, reserved.
    yield _FRAMEBUFFER, struct.pack("<QIIIBBH", 0xB8000, 160, 80, 25, 16, 2, 0)
    if contents.sections is not None:
        *numbers, headers = contents.sections
        yield _ELF_SECTIONS, struct.pack("<III", *numbers) + headers
    if contents.rsdp:
        yield (_NEW_RSDP if contents.rsdp[_REVISION] else _OLD_RSDP), contents.rsdp
    yield _END, b""
