"""A linked program: its segments as they are. A position-independent one that is linked low is moved up.

Source: System V ABI, chapter 5 (program headers, the dynamic section).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from idtviz.machine.boot import relocation
from idtviz.machine.boot.image import Part, check_overlap
from idtviz.machine.boot.problem import ImageError
from idtviz.machine.objects import limits
from idtviz.machine.objects.file import ObjectFile
from idtviz.machine.objects.loaded import LoadedObject, Piece
from idtviz.machine.objects.names import symbols
from idtviz.machine.objects.problem import ObjectError
from idtviz.machine.objects.room import PAGE, up

_ET_DYN = 3
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_PF_X, _PF_W = 1, 2
_DT_RELASZ, _DT_RELSZ = 8, 18
_LAYOUTS = {32: struct.Struct("<8I"), 64: struct.Struct("<IIQQQQQQ")}
_DYNAMIC = {32: struct.Struct("<II"), 64: struct.Struct("<QQ")}
_SMALLEST = {32: 8, 64: 16}  # bytes of a relocation
_SHARED = 4096  # bytes of the file that two neighbouring segments may both hold
_MOST_RELOCATIONS = 1 << 16
_LOW = 1 << 20
_LARGEST_ALIGNMENT = 2 << 20


class _Segment(NamedTuple):
    kind: int
    flags: int
    offset: int
    linear: int
    file_size: int
    size: int
    alignment: int


def loaded(file: ObjectFile, base: int) -> LoadedObject:
    """The program in memory; `base` is where a position-independent one goes. Raises ObjectError."""
    segments = _segments(file)
    loads = [each for each in segments if each.kind == _PT_LOAD and each.size]
    _check(file, loads)
    lowest = min(each.linear for each in loads)
    moved = 0
    if file.header.type == _ET_DYN and lowest < _LOW:
        moved = (
            up(base, max(PAGE, *(min(each.alignment, _LARGEST_ALIGNMENT) for each in loads))) - lowest // PAGE * PAGE
        )
    parts = tuple(Part(each.linear + moved, _contents(file, each), each.size, each.linear + moved) for each in loads)
    try:
        check_overlap(parts)
        if file.header.type == _ET_DYN:
            parts = _relocated(file, segments, parts, moved)
    except ImageError as error:
        raise ObjectError(str(error)) from error
    if any(part.end > 1 << file.bits for part in parts):
        raise ObjectError("the program reaches over the end of the address space")
    pieces = tuple(
        Piece(
            f"segment {number}", part.address, part.data, part.size, bool(each.flags & _PF_W), bool(each.flags & _PF_X)
        )
        for number, (each, part) in enumerate(zip(loads, parts, strict=True))
    )
    addresses = {each.number: each.address + moved for each in file.sections if each.is_loaded}
    offsets = dict.fromkeys(addresses, moved)  # a symbol of a linked program is an address already
    return LoadedObject(
        file.bits,
        linked=True,
        pieces=tuple(sorted(pieces, key=lambda each: each.address)),
        symbols=tuple(symbols(file, offsets, {})),
        undefined=(),
        sections=addresses,
        moved=moved,
        entry=file.header.entry + moved,
    )


def _segments(file: ObjectFile) -> list[_Segment]:
    head, layout = file.header, _LAYOUTS[file.bits]
    if head.phnum and head.phentsize != layout.size:
        raise ObjectError(f"the ELF file is damaged: program headers of {head.phentsize} bytes, not {layout.size}")
    if head.phnum > limits.MOST_SEGMENTS:
        raise ObjectError(f"the ELF file has {head.phnum} segments; expected at most {limits.MOST_SEGMENTS}")
    end = head.phoff + head.phnum * layout.size
    if head.phnum and end > len(file.raw):
        raise ObjectError(
            f"the ELF file is cut short: its program headers end at {end:#x}, the file at {len(file.raw):#x}"
        )
    found = []
    for fields in layout.iter_unpack(file.raw[head.phoff : end]):
        if file.bits == 32:
            kind, offset, linear, _, file_size, size, flags, alignment = fields
        else:
            kind, flags, offset, linear, _, file_size, size, alignment = fields
        found.append(_Segment(kind, flags, offset, linear, file_size, size, alignment))
    return found


def _contents(file: ObjectFile, segment: _Segment) -> bytes:
    end = segment.offset + segment.file_size
    if end > len(file.raw):
        raise ObjectError(
            f"the ELF file is cut short: the segment at {segment.linear:#x} ends at {end:#x}, "
            f"the file at {len(file.raw):#x}"
        )
    return file.raw[segment.offset : end]


def _check(file: ObjectFile, loads: list[_Segment]) -> None:
    if not loads:
        raise ObjectError("the ELF file has nothing to load (no PT_LOAD segment)")
    held = sum(each.file_size for each in loads)
    if held > len(file.raw) + _SHARED * len(loads):
        raise ObjectError(f"the segments of the ELF file hold {held} bytes; the file has {len(file.raw)}")
    if any(each.size < each.file_size for each in loads):
        raise ObjectError("the ELF file is damaged: a segment has more bytes in the file than in memory")
    span = max(each.linear + each.size for each in loads) - min(each.linear for each in loads)
    if sum(each.size for each in loads) > limits.LARGEST_IN_MEMORY or span >> file.bits:
        raise ObjectError(
            f"the program needs {sum(each.size for each in loads)} bytes of memory; "
            f"expected at most {limits.LARGEST_IN_MEMORY}"
        )


def _relocated(file: ObjectFile, segments: list[_Segment], parts: tuple[Part, ...], moved: int) -> tuple[Part, ...]:
    if any(each.kind == _PT_INTERP for each in segments):
        raise ObjectError(
            "the ELF file asks for a dynamic linker (PT_INTERP); expected an object file or a static program"
        )
    for each in segments:
        if each.kind == _PT_DYNAMIC:
            dynamic = _contents(file, each)
            _check_work(dynamic, file.bits)
            return relocation.relocated(dynamic, file.bits, parts, moved)
    return parts


def _check_work(dynamic: bytes, bits: int) -> None:
    """Raises ObjectError where the dynamic section has more relocations than are worth the time."""
    layout = _DYNAMIC[bits]
    most = _MOST_RELOCATIONS * _SMALLEST[bits]
    for tag, value in layout.iter_unpack(dynamic[: len(dynamic) // layout.size * layout.size]):
        if tag in (_DT_RELASZ, _DT_RELSZ) and value > most:
            raise ObjectError(f"the ELF file has {value} bytes of relocations; expected at most {most}")
