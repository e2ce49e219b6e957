"""Task-state segments: where the processor finds the stack of a handler (SDM 3A 7.2.1, 7.7)."""

from typing import Final

from .fields import Bits, Flag, Structure


def _dword(offset: int, name: str, meaning: str) -> Bits:
    return Bits((8 * offset + 31, 8 * offset), name=name, meaning=meaning)


def _word(offset: int, name: str, meaning: str) -> Bits:
    return Bits((8 * offset + 15, 8 * offset), name=name, meaning=meaning)


def _rsp(level: int) -> Bits:
    low = 8 * (4 + 8 * level)
    return Bits((low + 63, low), name=f"RSP{level}", meaning=f"stack pointer for entries to ring {level}")


def _ist(index: int) -> Bits:
    low = 8 * (0x24 + 8 * (index - 1))
    return Bits((low + 63, low), name=f"IST{index}", meaning=f"stack pointer for gates with IST={index}")


_IO_MAP: Final = "offset of the I/O permission bitmap from the base of the TSS"


class Tss64(Structure):
    """The 64-bit task-state segment without its I/O bitmap, 104 bytes (SDM 3A 7.7, figure 7-11)."""

    __slots__ = ()
    SIZE = 104

    rsp0, rsp1, rsp2 = _rsp(0), _rsp(1), _rsp(2)
    ist1, ist2, ist3, ist4, ist5, ist6, ist7 = _ist(1), _ist(2), _ist(3), _ist(4), _ist(5), _ist(6), _ist(7)
    io_map_base = _word(102, "I/O map base", _IO_MAP)

    @property
    def rsp(self) -> tuple[int, int, int]:
        """RSP0, RSP1 and RSP2: the stack pointers for an entry to rings 0, 1 and 2."""
        return self.rsp0, self.rsp1, self.rsp2

    @property
    def ist(self) -> tuple[int, int, int, int, int, int, int]:
        """The interrupt stack table. IST numbers start at 1: `ist[0]` is IST1."""
        return self.ist1, self.ist2, self.ist3, self.ist4, self.ist5, self.ist6, self.ist7


class Tss32(Structure):
    """The 32-bit task-state segment without its bitmaps, 104 bytes (SDM 3A 7.2.1, figure 7-2)."""

    __slots__ = ()
    SIZE = 104

    link = _word(0, "previous task link", "selector of the task that an IRET with NT=1 returns to")
    esp0 = _dword(4, "ESP0", "stack pointer for entries to ring 0")
    ss0 = _word(8, "SS0", "stack segment for entries to ring 0")
    esp1 = _dword(12, "ESP1", "stack pointer for entries to ring 1")
    ss1 = _word(16, "SS1", "stack segment for entries to ring 1")
    esp2 = _dword(20, "ESP2", "stack pointer for entries to ring 2")
    ss2 = _word(24, "SS2", "stack segment for entries to ring 2")
    cr3 = _dword(28, "CR3", "page-directory base of the task")
    eip = _dword(32, "EIP", "where the task goes on")
    eflags = _dword(36, "EFLAGS", "flags of the task")
    eax = _dword(40, "EAX", "register of the task")
    ecx = _dword(44, "ECX", "register of the task")
    edx = _dword(48, "EDX", "register of the task")
    ebx = _dword(52, "EBX", "register of the task")
    esp = _dword(56, "ESP", "stack pointer of the task")
    ebp = _dword(60, "EBP", "register of the task")
    esi = _dword(64, "ESI", "register of the task")
    edi = _dword(68, "EDI", "register of the task")
    es = _word(72, "ES", "segment of the task")
    cs = _word(76, "CS", "code segment of the task")
    ss = _word(80, "SS", "stack segment of the task")
    ds = _word(84, "DS", "segment of the task")
    fs = _word(88, "FS", "segment of the task")
    gs = _word(92, "GS", "segment of the task")
    ldt = _word(96, "LDT segment selector", "local descriptor table of the task")
    trap = Flag(800, "T", "a switch to the task is silent", "a switch to the task raises #DB")
    io_map_base = _word(102, "I/O map base", _IO_MAP)


class Tss16(Structure):
    """The 16-bit task-state segment of the 80286, 44 bytes (SDM 3A 7.6, figure 7-10)."""

    __slots__ = ()
    SIZE = 44

    link = _word(0, "previous task link", "selector of the task that an IRET with NT=1 returns to")
    sp0 = _word(2, "SP0", "stack pointer for entries to ring 0")
    ss0 = _word(4, "SS0", "stack segment for entries to ring 0")
    sp1 = _word(6, "SP1", "stack pointer for entries to ring 1")
    ss1 = _word(8, "SS1", "stack segment for entries to ring 1")
    sp2 = _word(10, "SP2", "stack pointer for entries to ring 2")
    ss2 = _word(12, "SS2", "stack segment for entries to ring 2")
    ip = _word(14, "IP", "where the task goes on")
    flags = _word(16, "FLAGS", "flags of the task")
    ax = _word(18, "AX", "register of the task")
    cx = _word(20, "CX", "register of the task")
    dx = _word(22, "DX", "register of the task")
    bx = _word(24, "BX", "register of the task")
    sp = _word(26, "SP", "stack pointer of the task")
    bp = _word(28, "BP", "register of the task")
    si = _word(30, "SI", "register of the task")
    di = _word(32, "DI", "register of the task")
    es = _word(34, "ES", "segment of the task")
    cs = _word(36, "CS", "code segment of the task")
    ss = _word(38, "SS", "stack segment of the task")
    ds = _word(40, "DS", "segment of the task")
    ldt = _word(42, "LDT segment selector", "local descriptor table of the task")


RSP_OFFSETS: Final = (Tss64.rsp0.byte_offset, Tss64.rsp1.byte_offset, Tss64.rsp2.byte_offset)
"""Offsets of RSP0, RSP1 and RSP2 in the 64-bit TSS, in bytes."""

IST_OFFSETS: Final = (
    Tss64.ist1.byte_offset,
    Tss64.ist2.byte_offset,
    Tss64.ist3.byte_offset,
    Tss64.ist4.byte_offset,
    Tss64.ist5.byte_offset,
    Tss64.ist6.byte_offset,
    Tss64.ist7.byte_offset,
)
"""Offsets of IST1 to IST7 in the 64-bit TSS, in bytes."""


def rsp_offset(level: int) -> int:
    """Offset in the 64-bit TSS of the stack pointer for an entry to ring `level`; ValueError unless 0, 1 or 2."""
    if not 0 <= level < len(RSP_OFFSETS):
        raise ValueError(f"the TSS has RSP0, RSP1 and RSP2: there is no RSP{level}")
    return RSP_OFFSETS[level]


def ist_offset(index: int) -> int:
    """Offset in the 64-bit TSS of IST`index`; ValueError unless 1..7 (a gate with IST=0 does not use the table)."""
    if not 1 <= index <= len(IST_OFFSETS):
        raise ValueError(f"the interrupt stack table has IST1 to IST7: there is no IST{index}")
    return IST_OFFSETS[index - 1]
