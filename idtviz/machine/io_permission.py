"""Whether an I/O instruction may touch its port: IOPL, and the bitmap in the TSS (SDM 1 18.5)."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.machine.memory import LinearMemory
from idtviz.machine.registers import Registers
from idtviz.x86 import flags
from idtviz.x86.addresses import MASK64
from idtviz.x86.descriptors import TSS_AVAILABLE, TSS_BUSY
from idtviz.x86.tss import Tss32

_IO_MAP_BASE = Tss32.io_map_base.byte_offset
_SMALLEST = Tss32.SIZE - 1
"""The least limit of a TSS that has a place for the base of its bitmap."""


@dataclass(frozen=True, slots=True)
class Permission:
    """The answer, and why, in words."""

    granted: bool
    why: str


def permission(at: Registers, memory: LinearMemory, port: int, size: int) -> Permission:
    """Whether `size` bytes from `port` may be accessed. Raises AccessFault where the bitmap is not mapped."""
    iopl = (at.rflags & flags.IOPL) >> 12
    if at.mode == "real":
        return Permission(granted=True, why="real mode asks nobody")
    if at.mode != "vm86" and at.cpl <= iopl:
        return Permission(granted=True, why=f"CPL {at.cpl} ≤ IOPL {iopl}")
    if not at.tr.selector & ~3 or at.tr.flags >> 8 & 0xF not in (TSS_AVAILABLE, TSS_BUSY) or at.tr.limit < _SMALLEST:
        return Permission(granted=False, why=f"CPL {at.cpl} > IOPL {iopl}, and TR names no TSS with an I/O bitmap")
    base = int.from_bytes(memory.read((at.tr.base + _IO_MAP_BASE) & MASK64, 2), "little")
    place = base + port // 8
    if place + 1 > at.tr.limit:
        return Permission(
            granted=False, why=f"the I/O bitmap at TSS+{base:#x} ends before port {port:#x}: limit {at.tr.limit:#x}"
        )
    bits = int.from_bytes(memory.read((at.tr.base + place) & MASK64, 2), "little") >> port % 8
    denied = bits & (1 << size) - 1
    return Permission(
        granted=not denied, why=f"bit {port % 8} of TSS+{place:#x} in the I/O bitmap is {int(bool(denied))}"
    )
