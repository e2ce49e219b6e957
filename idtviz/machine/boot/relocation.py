"""Position-independent executables that no dynamic linker is needed for: only R_386_RELATIVE or R_X86_64_RELATIVE.

Source: System V ABI, chapter 5 (the dynamic section), and its i386 and AMD64 supplements (relocation types).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from idtviz.machine.boot.image import Part
from idtviz.machine.boot.problem import ImageError

_DT_NEEDED, _DT_PLTRELSZ, _DT_RELA, _DT_RELASZ, _DT_REL, _DT_RELSZ, _DT_RELR = 1, 2, 7, 8, 17, 18, 36
_R_NONE, _R_RELATIVE = 0, 8
"""The same numbers for both processors."""


class _Layout(NamedTuple):
    word: int
    entry: struct.Struct
    rel: struct.Struct
    rela: struct.Struct
    type_mask: int
    name: str


_LAYOUTS = {
    32: _Layout(4, struct.Struct("<iI"), struct.Struct("<II"), struct.Struct("<IIi"), 0xFF, "R_386"),
    64: _Layout(8, struct.Struct("<qQ"), struct.Struct("<QQ"), struct.Struct("<QQq"), 0xFFFFFFFF, "R_X86_64"),
}


def relocated(dynamic: bytes, bits: int, parts: tuple[Part, ...], base: int) -> tuple[Part, ...]:
    """`parts`, which have been moved up by `base`, with every relocation of the dynamic section applied."""
    layout = _LAYOUTS[bits]
    found: dict[int, int] = {}
    for tag, value in layout.entry.iter_unpack(dynamic[: len(dynamic) // layout.entry.size * layout.entry.size]):
        if not tag:
            break
        if tag == _DT_NEEDED:
            raise ImageError("the ELF file needs a shared library (DT_NEEDED); expected a static executable")
        found[tag] = value
    if found.get(_DT_PLTRELSZ):
        raise ImageError("the ELF file needs relocations of calls (DT_JMPREL); only R_*_RELATIVE can be applied")
    if _DT_RELR in found:
        raise ImageError("the ELF file needs packed relocations (DT_RELR); link with -z nopack-relative-relocs")
    memory = _Parts(parts)
    for at, size, record in (
        (found.get(_DT_REL, 0), found.get(_DT_RELSZ, 0), layout.rel),
        (found.get(_DT_RELA, 0), found.get(_DT_RELASZ, 0), layout.rela),
    ):
        table = memory.read(at + base, size)
        for offset, addend in _relative(table, record, layout):
            former = int.from_bytes(memory.read(offset + base, layout.word), "little") if addend is None else addend
            memory.write(offset + base, (former + base & (1 << bits) - 1).to_bytes(layout.word, "little"))
    return memory.parts()


def _relative(table: bytes, record: struct.Struct, layout: _Layout) -> Iterator[tuple[int, int | None]]:
    """The place and the addend of each relocation; None: the addend stands at the place."""
    for offset, info, *addend in record.iter_unpack(table[: len(table) // record.size * record.size]):
        kind = info & layout.type_mask
        if kind == _R_NONE:
            continue
        if kind != _R_RELATIVE:
            raise ImageError(
                f"the ELF file needs a relocation of type {kind} at {offset:#x}; "
                f"only {layout.name}_RELATIVE ({_R_RELATIVE}) can be applied"
            )
        yield offset, addend[0] if addend else None


class _Parts:
    """The parts as memory that can be written, by the addresses that they are linked at."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self._parts = parts
        self._data = [bytearray(part.data) for part in parts]

    def _place(self, linked: int, size: int) -> tuple[int, int]:
        for index, part in enumerate(self._parts):
            assert part.linked is not None
            offset = linked - part.linked
            if offset >= 0 and offset + size <= part.size:
                missing = offset + size - len(self._data[index])
                if 0 < missing <= 16:
                    self._data[index].extend(bytes(missing))
                if offset + size <= len(self._data[index]):
                    return index, offset
        raise ImageError(f"the ELF file has relocations at {linked:#x}, where it loads no bytes")

    def read(self, linked: int, size: int) -> bytes:
        if not size:
            return b""
        index, offset = self._place(linked, size)
        return bytes(self._data[index][offset : offset + size])

    def write(self, linked: int, data: bytes) -> None:
        index, offset = self._place(linked, len(data))
        self._data[index][offset : offset + len(data)] = data

    def parts(self) -> tuple[Part, ...]:
        """The parts with their new contents."""
        return tuple(replace(part, data=bytes(data)) for part, data in zip(self._parts, self._data, strict=True))
