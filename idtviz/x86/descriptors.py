"""Segment and system descriptors of the GDT and LDT (SDM 3A 3.4.5, 3.5, 7.2.3)."""

from dataclasses import dataclass
from typing import Any, Final

from .fields import Bits, Flag, Reserved, Structure

TSS_AVAILABLE: Final = 0x9
TSS_BUSY: Final = 0xB
TSS16_AVAILABLE: Final = 0x1
TSS16_BUSY: Final = 0x3
LDT: Final = 0x2

_ACCESSED: Final = 1
_READABLE_OR_WRITABLE: Final = 2
_CONFORMING_OR_EXPAND_DOWN: Final = 4
_CODE: Final = 8

_SYSTEM_32: Final = {
    0x1: "TSS16 available",
    0x2: "LDT",
    0x3: "TSS16 busy",
    0x4: "call gate16",
    0x5: "task gate",
    0x6: "interrupt gate16",
    0x7: "trap gate16",
    0x9: "TSS32 available",
    0xB: "TSS32 busy",
    0xC: "call gate32",
    0xE: "interrupt gate32",
    0xF: "trap gate32",
}
"""Types of 8-byte descriptors with S=0 (SDM 3A table 3-2); the others are reserved."""

_SYSTEM_64: Final = {
    0x2: "LDT",
    0x9: "TSS64 available",
    0xB: "TSS64 busy",
    0xC: "call gate64",
    0xE: "interrupt gate64",
    0xF: "trap gate64",
}
"""Types of 16-byte descriptors with S=0 (SDM 3A table 3-2); the others are reserved."""

SIXTEEN_BYTE_TYPES: Final = frozenset({0x2, 0x9, 0xB, 0xC})
"""Types of system descriptors that take two slots of a GDT or LDT in IA-32e mode."""


class _Descriptor(Structure):
    """The bits that lie alike in 8-byte and 16-byte descriptors (SDM 3A figure 3-8)."""

    __slots__ = ()

    limit = Bits((15, 0), (51, 48), name="limit", meaning=lambda it: f"last byte at offset {it.byte_limit:#x}")
    type = Bits((43, 40), name="type", meaning=lambda it: it._type_meaning())
    s = Flag(44, "S", "system descriptor", "code or data descriptor")
    dpl = Bits((46, 45), name="DPL", meaning=lambda it: f"descriptor privilege level {it.dpl}")
    present = Flag(47, "P", "not present: using the descriptor raises #NP, or #SS for a stack", "present")
    avl = Flag(52, "AVL", "for the operating system's own use", "for the operating system's own use")
    l = Flag(53, "L", "not 64-bit code", "64-bit code")  # noqa: E741 - the SDM's name
    db = Flag(54, "D/B", "16-bit operands and stack pointer", "32-bit operands and stack pointer")
    g = Flag(55, "G", "the limit counts bytes", "the limit counts 4 KiB units")

    @property
    def is_system(self) -> bool:
        """Whether S=0: an LDT, a TSS or a gate."""
        return not self.s

    @property
    def is_code(self) -> bool:
        """Whether this describes a code segment."""
        return self.s and self.type & _CODE != 0

    @property
    def is_data(self) -> bool:
        """Whether this describes a data (or stack) segment."""
        return self.s and self.type & _CODE == 0

    @property
    def conforming(self) -> bool:
        """Whether code of this segment runs with the privilege of its caller."""
        return self.is_code and self.type & _CONFORMING_OR_EXPAND_DOWN != 0

    @property
    def expand_down(self) -> bool:
        """Whether the valid offsets lie above the limit instead of up to it."""
        return self.is_data and self.type & _CONFORMING_OR_EXPAND_DOWN != 0

    @property
    def readable(self) -> bool:
        """Whether data may be read from the segment: any data segment, and code segments with R=1."""
        return self.is_data or (self.is_code and self.type & _READABLE_OR_WRITABLE != 0)

    @property
    def writable(self) -> bool:
        """Whether data may be written to the segment: data segments with W=1."""
        return self.is_data and self.type & _READABLE_OR_WRITABLE != 0

    @property
    def accessed(self) -> bool:
        """Whether the processor has loaded the segment since the bit was last cleared."""
        return self.s and self.type & _ACCESSED != 0

    @property
    def byte_limit(self) -> int:
        """The limit in bytes: the last valid offset, or for an expand-down segment the last invalid one."""
        return (self.limit << 12 | 0xFFF) if self.g else self.limit

    @property
    def kind(self) -> str:
        """What is described: `code64`, `code32`, `code16`, `data`, `TSS64 busy`, `LDT`, `null`, `reserved`, ..."""
        if self.value == 0:
            return "null"
        if self.is_system:
            return self._system_kinds().get(self.type, "reserved")
        if self.is_data:
            return "data"
        if self.l:
            return "code reserved (L=1 and D=1)" if self.db else "code64"
        return "code32" if self.db else "code16"

    @property
    def summary(self) -> str:
        """The kind, with the ring of a segment and whether it is missing: `code64 ring 0`."""
        if self.value == 0:
            return self.kind
        ring = "" if self.is_system else f" ring {self.dpl}"
        return f"{self.kind}{ring}{'' if self.present else ' not present'}"

    def _system_kinds(self) -> dict[int, str]:
        return _SYSTEM_32

    def _type_meaning(self) -> str:
        if self.is_system:
            return self.kind
        words: list[tuple[bool, str]]
        if self.is_code:
            words = [(True, "execute"), (self.readable, "read"), (self.conforming, "conforming")]
        else:
            words = [(True, "read"), (self.writable, "write"), (self.expand_down, "expand down")]
        words.append((self.accessed, "accessed"))
        return ", ".join(word for holds, word in words if holds)


def _base(descriptor: Any) -> str:
    return f"the segment begins at linear address {descriptor.base:#x}"


class SegmentDescriptor(_Descriptor):
    """An 8-byte descriptor: a code or data segment, or a system descriptor of 32-bit mode (SDM 3A figure 3-8)."""

    __slots__ = ()
    SIZE = 8

    base = Bits((39, 16), (63, 56), name="base", meaning=_base)


class SystemDescriptor64(_Descriptor):
    """A 16-byte descriptor of IA-32e mode: a TSS, an LDT or a call gate (SDM 3A 7.2.3, figure 7-4).

    `base` and `limit` mean something for a TSS or an LDT; a call gate lies under the same bits (decode it as a gate).
    """

    __slots__ = ()
    SIZE = 16

    base = Bits((39, 16), (63, 56), (95, 64), name="base", meaning=_base)
    reserved_high = Reserved(127, 96, "reserved dword")

    def _system_kinds(self) -> dict[int, str]:
        return _SYSTEM_64


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A descriptor where it lies in its table: `offset` and `size` in bytes. The offset is the selector, with RPL 0."""

    offset: int
    descriptor: SegmentDescriptor | SystemDescriptor64
    size: int


def decode_table(raw: bytes, long: bool) -> tuple[TableEntry, ...]:
    """The descriptors of a GDT or LDT whose bytes are `raw`, in order.

    With `long` (IA-32e mode) a TSS, LDT or call gate descriptor takes 16 bytes. An entry that `raw` cuts short is left
    out.
    """
    entries: list[TableEntry] = []
    offset = 0
    while offset + SegmentDescriptor.SIZE <= len(raw):
        descriptor: SegmentDescriptor | SystemDescriptor64
        descriptor = SegmentDescriptor.decode(raw[offset : offset + SegmentDescriptor.SIZE])
        if long and descriptor.is_system and descriptor.type in SIXTEEN_BYTE_TYPES:
            if offset + SystemDescriptor64.SIZE > len(raw):
                break
            descriptor = SystemDescriptor64.decode(raw[offset : offset + SystemDescriptor64.SIZE])
        entries.append(TableEntry(offset, descriptor, descriptor.SIZE))
        offset += descriptor.SIZE
    return tuple(entries)
