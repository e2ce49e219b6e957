"""A stack as the processor addresses it: through SS with its limit, or flat in 64-bit mode (SDM 1 6.2, 3A 5.3.1)."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.machine.registers import Registers, Segment
from idtviz.machine.segmentation import contains, offset_mask
from idtviz.x86.addresses import MASK32, MASK64


@dataclass(frozen=True, slots=True)
class Stack:
    """The stack in `segment`; `flat`: a stack of 64-bit mode, whose segment has neither base nor limit."""

    segment: Segment
    flat: bool

    @property
    def mask(self) -> int:
        """The bits of the stack pointer: 64, or by the B flag of the segment 32 or 16."""
        return MASK64 if self.flat else offset_mask(self.segment)

    def address(self, pointer: int) -> int:
        """Linear address of what lies at stack pointer `pointer`, which wraps around in its width."""
        offset = pointer & self.mask
        return offset if self.flat else self.segment.base + offset & MASK32

    def holds(self, pointer: int, size: int) -> bool:
        """Whether the word of `size` bytes at `pointer` lies within the limit; in 64-bit mode there is none."""
        if self.flat:
            return True
        return self.segment.present and contains(self.segment, pointer & self.mask, size)

    def moved(self, rsp: int, pointer: int) -> int:
        """RSP when its bits that are this stack's pointer become `pointer`: the upper half of ESP is kept or zero."""
        if self.mask == 0xFFFF:
            return rsp & ~0xFFFF | pointer & 0xFFFF
        return pointer & self.mask


def rsp_kept(before: Registers, rsp: int, *, long: bool) -> int:
    """`rsp` as code of 64-bit mode (`long`) or of another mode finds it behind a far transfer.

    The upper half is undefined once 64-bit mode is left (SDM 1 3.4.1.1): it is zero here, as in Bochs.
    """
    return rsp & MASK32 if before.mode == "long" and not long else rsp


def stack_of(at: Registers) -> Stack:
    """The stack that SS:RSP names."""
    return Stack(at.ss, at.mode == "long")
