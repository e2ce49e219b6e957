"""What a segment register lets through: its limit, and the kinds of access that its type allows (SDM 3A 5.3, 5.5)."""

from __future__ import annotations

from idtviz.machine.registers import Segment

_CODE, _EXPAND_DOWN, _READ_WRITE = 1 << 11, 1 << 10, 1 << 9
_BIG = 1 << 22


def is_expand_down(segment: Segment) -> bool:
    """Whether the valid offsets lie above the limit: a data segment with E=1 (SDM 3A 3.4.5.1)."""
    return not segment.flags & _CODE and bool(segment.flags & _EXPAND_DOWN)


def offset_mask(segment: Segment) -> int:
    """The bits of a stack pointer in this segment: 32 where B=1, else 16 (SDM 3A 3.4.5, D/B flag)."""
    return 0xFFFFFFFF if segment.flags & _BIG else 0xFFFF


def contains(segment: Segment, offset: int, size: int) -> bool:
    """Whether `size` bytes from `offset` all lie within the limit (SDM 3A 5.3)."""
    last = offset + size - 1
    if is_expand_down(segment):
        return offset > segment.limit and last <= offset_mask(segment)
    return last <= segment.limit


def is_writable(segment: Segment) -> bool:
    """Whether the type lets data be written: a data segment with W=1 (SDM 3A 5.5, 5.7)."""
    return not segment.flags & _CODE and bool(segment.flags & _READ_WRITE)


def is_readable(segment: Segment) -> bool:
    """Whether the type lets data be read: any data segment, and a code segment with R=1 (SDM 3A 5.5)."""
    return not segment.flags & _CODE or bool(segment.flags & _READ_WRITE)
