"""ELF files as loaders see them: header, segments, sections. Nothing in them is believed unchecked.

Source: Tool Interface Standard, Executable and Linking Format 1.2; System V ABI, AMD64 supplement.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from elftools.elf.enums import ENUM_E_MACHINE

from idtviz.machine.boot import relocation
from idtviz.machine.boot.image import Image, Part, check_overlap
from idtviz.machine.boot.problem import ImageError

MAGIC: Final = b"\x7fELF"

_LITTLE_ENDIAN = 1
_BITS = {1: 32, 2: 64}
_MACHINES = {32: 3, 64: 62}
_NAMES = {number: name for name, number in ENUM_E_MACHINE.items() if isinstance(number, int)}
_HEADERS = {32: struct.Struct("<16xHHIIIIIHHHHHH"), 64: struct.Struct("<16xHHIQQQIHHHHHH")}
_SEGMENTS = {32: struct.Struct("<8I"), 64: struct.Struct("<IIQQQQQQ")}
_ET_EXEC, _ET_DYN = 2, 3
_TYPES = {1: "ET_REL", 4: "ET_CORE"}
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_MOST_SEGMENTS = 4096
_SHARED = 4096  # bytes of the file that two neighbouring segments may both hold: a linker does not pad between them
_MIB = 1 << 20
_BASE = 2 * _MIB


@dataclass(frozen=True, slots=True)
class _Segment:
    kind: int
    offset: int
    linear: int
    physical: int
    file_size: int
    size: int
    alignment: int


@dataclass(frozen=True)
class Elf:
    """The header of an ELF file for i386 or x86-64; `type` and the others are its fields without the `e_`."""

    raw: bytes
    bits: int
    type: int
    entry: int
    phoff: int
    phentsize: int
    phnum: int
    shoff: int
    shentsize: int
    shnum: int
    shstrndx: int

    @cached_property
    def segments(self) -> tuple[_Segment, ...]:
        """The program headers. Raises ImageError."""
        layout = _SEGMENTS[self.bits]
        if self.phnum and self.phentsize < layout.size:
            raise ImageError(
                f"the ELF file has program headers of {self.phentsize} bytes; expected at least {layout.size}"
            )
        if self.phnum > _MOST_SEGMENTS or self.phoff + self.phnum * self.phentsize > len(self.raw):
            raise ImageError(
                f"the ELF file is cut short: {self.phnum} program headers at {self.phoff:#x} are incomplete"
            )
        return tuple(self._segment(layout, self.phoff + index * self.phentsize) for index in range(self.phnum))

    def _segment(self, layout: struct.Struct, at: int) -> _Segment:
        fields = layout.unpack_from(self.raw, at)
        if self.bits == 32:
            kind, offset, linear, physical, file_size, size, _, alignment = fields
        else:
            kind, _, offset, linear, physical, file_size, size, alignment = fields
        return _Segment(kind, offset, linear, physical, file_size, size, alignment)

    def contents(self, part: _Segment) -> bytes:
        """What the file holds of a segment. Raises ImageError."""
        if part.offset + part.file_size > len(self.raw) or part.size < part.file_size:
            raise ImageError(f"the ELF file is cut short: the segment at {part.physical:#x} is incomplete")
        return self.raw[part.offset : part.offset + part.file_size]


def read(raw: bytes) -> Elf:
    """The header of an ELF file. Raises ImageError where it is none, or none for an x86 processor."""
    if not raw.startswith(MAGIC) or len(raw) < 16:
        raise ImageError("this is not a usable ELF file: it does not begin with the magic number of one")
    bits = _BITS.get(raw[4])
    if bits is None or raw[5] != _LITTLE_ENDIAN:
        raise ImageError("this is not a usable ELF file: expected 32 or 64 bits, and the lowest byte first")
    layout = _HEADERS[bits]
    if len(raw) < layout.size:
        raise ImageError(f"this is not a usable ELF file: {len(raw)} bytes; its header has {layout.size}")
    kind, machine, _, entry, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum, shstrndx = layout.unpack_from(raw)
    if machine != _MACHINES[bits]:
        name = _NAMES.get(machine, f"machine {machine}")
        raise ImageError(f"an ELF file for i386 or x86-64 is needed; this one is {bits}-bit {name}")
    if kind not in (_ET_EXEC, _ET_DYN):
        raise ImageError(f"a linked executable (ET_EXEC) is needed; this one is {_TYPES.get(kind, f'type {kind}')}")
    return Elf(raw, bits, kind, entry, phoff, phentsize, phnum, shoff, shentsize, shnum, shstrndx)


def parse_elf(raw: bytes, mode: str | None = None) -> Image:
    """The loadable segments of an executable for i386 or x86-64. Raises ImageError.

    `mode` is the one in which it will be entered: 64-bit code is needed for `long`. None: any. A position-independent
    executable that is linked below 1 MiB is moved up by 2 MiB.
    """
    elf = read(raw)
    if mode == "long" and elf.bits != 64:
        raise ImageError("an ELF file for x86-64 is needed to enter in long mode; this one is 32-bit EM_386")
    loads = [part for part in elf.segments if part.kind == _PT_LOAD and part.size]
    if not loads:
        raise ImageError("the ELF file has nothing to load (no PT_LOAD segment)")
    _check_size(elf, loads)
    base = 0
    if elf.type == _ET_DYN and min(part.physical for part in loads) < _MIB:
        base = max(_BASE, *(part.alignment for part in loads))
    parts = tuple(Part(part.physical + base, elf.contents(part), part.size, part.linear + base) for part in loads)
    check_overlap(parts)
    if elf.type == _ET_DYN:
        parts = _relocated(elf, parts, base)
    return Image(parts, elf.entry + base, elf.bits)


def _check_size(elf: Elf, loads: list[_Segment]) -> None:
    """No file can make more of itself than it is: the parts of it that are loaded do not overlap by much."""
    claimed = sum(part.file_size for part in loads)
    if claimed > len(elf.raw) + _SHARED * len(loads):
        raise ImageError(f"the segments of the ELF file hold {claimed} bytes; the file has {len(elf.raw)}")
    limit = 1 << elf.bits
    for part in loads:
        if part.physical + part.size > limit or part.linear + part.size > limit:
            raise ImageError(f"the segment at {part.physical:#x} reaches over the end of the address space")


def _relocated(elf: Elf, parts: tuple[Part, ...], base: int) -> tuple[Part, ...]:
    if any(part.kind == _PT_INTERP for part in elf.segments):
        raise ImageError("the ELF file asks for a dynamic linker (PT_INTERP); expected a static executable")
    for part in elf.segments:
        if part.kind == _PT_DYNAMIC:
            return relocation.relocated(elf.contents(part), elf.bits, parts, base)
    return parts
