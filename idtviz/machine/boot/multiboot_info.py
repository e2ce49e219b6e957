"""The information structure that a Multiboot kernel finds at EBX.

Source: Multiboot Specification 0.6.96, 3.3.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from idtviz.machine.boot.module import Module, text
from idtviz.machine.firmware import memory_map

LOADER_NAME: Final = "idtviz"

MEMORY, COMMAND_LINE, MODULES, ELF_SECTIONS = 1 << 0, 1 << 2, 1 << 3, 1 << 5
MEMORY_MAP, BOOT_LOADER_NAME, FRAMEBUFFER = 1 << 6, 1 << 9, 1 << 12

_INFO = struct.Struct("<3I I I 2I 4I 2I 2I I I I 2I 4H QIIIBB6x")
_MODULE = struct.Struct("<4I")
_EGA_TEXT = (0xB8000, 160, 80, 25, 16, 2)
"""Address, pitch, width, height, bits of a cell, and the type: 2 is text of EGA (3.3, framebuffer)."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What there is to tell: the modules with where they begin, the ELF section headers with where they lie."""

    command_line: str
    modules: Sequence[tuple[int, Module, str]]
    """Each with its address, and with the string that belongs to it."""
    sections: tuple[int, int, int, int] | None
    """Number, size, address and the index of the names; None: there are none."""
    framebuffer: bool


def build(contents: Contents, at: int, memory: int) -> bytes:
    """The structure as it lies at physical `at`, with all that it points to. `memory`: bytes of RAM."""
    block = bytearray(_INFO.size)

    def place(data: bytes) -> int:
        block.extend(bytes(-len(block) % 4))
        block.extend(data)
        return at + len(block) - len(data)

    flags = MEMORY | COMMAND_LINE | MODULES | MEMORY_MAP | BOOT_LOADER_NAME
    lower, upper = memory_map.kibibytes(memory)
    command_line = place(text(contents.command_line, "the command line"))
    strings = [place(text(said, f"the text of module {module.name!r}")) for _, module, said in contents.modules]
    modules = place(
        b"".join(
            _MODULE.pack(begin, begin + len(module.data), string, 0)
            for (begin, module, _), string in zip(contents.modules, strings, strict=True)
        )
    )
    entries = b"".join(struct.pack("<I", 20) + region.packed() for region in memory_map.regions(memory))
    map_at = place(entries)
    name = place(text(LOADER_NAME, "the loader's name"))
    sections = contents.sections or (0, 0, 0, 0)
    flags |= ELF_SECTIONS if contents.sections else 0
    flags |= FRAMEBUFFER if contents.framebuffer else 0
    _INFO.pack_into(
        block,
        0,
        *(flags, lower, upper, 0, command_line, len(contents.modules), modules, *sections),
        *(len(entries), map_at, 0, 0, 0, name, 0, 0, 0, 0, 0, 0, 0),
        *(_EGA_TEXT if contents.framebuffer else (0,) * len(_EGA_TEXT)),
    )
    return bytes(block)
