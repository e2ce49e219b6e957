"""The processor's registers at one boundary, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from idtviz.x86 import control, flags

GENERAL_NAMES = (
    *("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"),
    *(f"r{index}" for index in range(8, 16)),
)
"""General registers in encoding order (SDM 2A 2.1.5)."""
RAX, RCX, RDX, RBX, RSP = range(5)


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment register: the visible selector and the hidden descriptor cache (SDM 3A 3.4.3).

    `limit` is in bytes, inclusive; `flags` is the descriptor's high doubleword.
    """

    selector: int
    base: int
    limit: int
    flags: int

    CODE_LONG: ClassVar[int] = 1 << 21
    CODE_32: ClassVar[int] = 1 << 22

    @property
    def dpl(self) -> int:
        return self.flags >> 13 & 3

    @property
    def present(self) -> bool:
        return bool(self.flags & 1 << 15)

    @property
    def long(self) -> bool:
        """The L bit: a code segment of 64-bit mode."""
        return bool(self.flags & self.CODE_LONG)


@dataclass(frozen=True, slots=True)
class Table:
    """GDTR or IDTR: linear base address and inclusive limit in bytes (SDM 3A 2.4)."""

    base: int
    limit: int


@dataclass(frozen=True, slots=True)
class VectorRegisters:
    """XMM0 to XMM15, the eight x87 registers, and FPSW, FPCW, FPTAG, MXCSR (SDM 1 8.1, 10.2)."""

    xmm: tuple[int, ...]
    x87: tuple[tuple[int, int], ...]
    control: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PagingRegisters:
    """The registers that decide how a linear address is translated (SDM 3A 4.1.1)."""

    cr0: int
    cr3: int
    cr4: int
    efer: int


@dataclass(frozen=True, slots=True)
class Registers:
    """Every register that decides an interrupt delivery or that a person wants to see.

    `general` is in encoding order.
    """

    general: tuple[int, ...]
    rip: int
    rflags: int
    cpl: int
    es: Segment
    cs: Segment
    ss: Segment
    ds: Segment
    fs: Segment
    gs: Segment
    ldtr: Segment
    tr: Segment
    gdtr: Table
    idtr: Table
    cr0: int
    cr2: int
    cr3: int
    cr4: int
    efer: int
    interrupt_shadow: bool

    @property
    def rsp(self) -> int:
        return self.general[RSP]

    @property
    def linear_rip(self) -> int:
        """Linear address of the next instruction: 64-bit mode takes the base of CS as 0 (SDM 3A 3.2.4)."""
        return self.rip if self.mode == "long" else (self.cs.base + self.rip) & 0xFFFFFFFF

    @property
    def linear_rsp(self) -> int:
        """Linear address of the top of the stack: 64-bit mode takes the base of SS as 0; else the B flag of SS tells
        how wide the stack pointer is (SDM 3A 3.2.4, 3.4.5).
        """
        if self.mode == "long":
            return self.rsp
        mask = 0xFFFFFFFF if self.ss.flags & Segment.CODE_32 else 0xFFFF
        return (self.ss.base + (self.rsp & mask)) & 0xFFFFFFFF

    @property
    def mode(self) -> str:
        """`long`, `compatibility`, `protected`, `vm86` or `real` (SDM 3A 2.2)."""
        if not self.cr0 & control.CR0_PE:
            return "real"
        if self.efer & control.EFER_LMA:
            return "long" if self.cs.long else "compatibility"
        return "vm86" if self.rflags & flags.VM else "protected"
