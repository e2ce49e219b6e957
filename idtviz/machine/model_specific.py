"""RDMSR, WRMSR and MOV CR8: the registers that the engine keeps, those of the chips, and none besides.

Source: SDM 4 chapter 2 (the registers); SDM 2B RDMSR, WRMSR; SDM 3A 10.8.6 (CR8 is the task priority).
"""

from __future__ import annotations

from collections.abc import Callable

from idtviz.machine import instructions
from idtviz.machine.board import Board
from idtviz.machine.clock import Clock
from idtviz.machine.cpu import Cpu
from idtviz.machine.delivery.event import GENERAL_PROTECTION, UNDEFINED_OPCODE, Fault
from idtviz.machine.registers import RAX, RCX, RDX, Registers
from idtviz.x86 import control, msrs
from idtviz.x86.addresses import MASK32, is_canonical

_PROTECTION = Fault(GENERAL_PROTECTION, 0)

_TIME_STAMP_COUNTER = 0x10
_EFER_WRITABLE = control.EFER_SCE | control.EFER_LME | control.EFER_NXE
_ADDRESSES = frozenset((
    *(msrs.LSTAR_MSR, msrs.CSTAR_MSR, msrs.SYSENTER_ESP_MSR, msrs.SYSENTER_EIP_MSR),
    *(0xC000_0100, 0xC000_0101, 0xC000_0102),
))  # fmt: skip
"""Registers that hold a linear address, which must be canonical: IA32_FS_BASE and its kin among them."""
_KEPT = frozenset((
    *_ADDRESSES,
    *(msrs.STAR_MSR, msrs.FMASK_MSR, msrs.SYSENTER_CS_MSR, 0xC000_0103),
    *(0x1A0, 0x277, 0x2FF),  # IA32_MISC_ENABLE, IA32_PAT, IA32_MTRR_DEF_TYPE
    *range(0x200, 0x210),  # IA32_MTRR_PHYSBASE0 to PHYSMASK7
    *(0x250, 0x258, 0x259, *range(0x268, 0x270)),  # IA32_MTRR_FIX...
))  # fmt: skip
"""Registers that the engine keeps, and that may be written."""
_CONSTANT = {
    0x17: 0,  # IA32_PLATFORM_ID
    0x3A: 1,  # IA32_FEATURE_CONTROL: locked
    0x8B: 0,  # IA32_BIOS_SIGN_ID: no microcode update
    0xFE: 0x508,  # IA32_MTRRCAP: 8 variable ranges, fixed ranges, write combining
    0x179: 0,  # IA32_MCG_CAP: no banks
    0x17A: 0,  # IA32_MCG_STATUS
}
_MAY_BE_WRITTEN = frozenset((0x79, 0x8B, 0x17A))
"""Registers that take a write without keeping it; 0x79 is IA32_BIOS_UPDT_TRIG."""


Note = Callable[[str, int, str], None]
"""Says something once for each (kind, place): kind, place, text."""


class ModelSpecific:
    """The model-specific registers of the one processor on `board`."""

    def __init__(self, cpu: Cpu, board: Board, clock: Clock, note: Note) -> None:
        self._cpu = cpu
        self._board = board
        self._clock = clock
        self._note = note
        self.time_stamp_offset = 0
        """What WRMSR has added to the time-stamp counter, which else counts ticks of the clock."""

    @property
    def time_stamp(self) -> int:
        """IA32_TIME_STAMP_COUNTER."""
        return (self._clock.now + self.time_stamp_offset) & (1 << 64) - 1

    def perform(self, mnemonic: str, at: Registers) -> Fault | None:
        """RDMSR or WRMSR, all but the step to the next instruction; or the fault that it raises."""
        if at.cpl:
            return _PROTECTION
        number = at.general[RCX] & MASK32
        if mnemonic == "rdmsr":
            value = self._read(number)
            if value is None:
                return self._refused(number, "RDMSR")
            self._cpu.set_general(RAX, value & MASK32)
            self._cpu.set_general(RDX, value >> 32)
            return None
        value = at.general[RDX] << 32 & 0xFFFFFFFF_00000000 | at.general[RAX] & MASK32
        return None if self._write(number, value, at) else self._refused(number, f"WRMSR of {value:#x} to")

    def move_task_priority(self, raw: bytes, at: Registers) -> Fault | None:
        """MOV to or from CR8, whose bytes are `raw`: as for `perform`."""
        if at.cpl:
            return _PROTECTION
        lapic = self._board.lapic
        start, _, rex = instructions.prefixes(raw, at)
        if instructions.LOCK in raw[:start]:
            return Fault(UNDEFINED_OPCODE, 0)
        general = (raw[start + 2] & 7) | (rex & 1) << 3
        if raw[start + 1] == _FROM_CONTROL_REGISTER:
            self._cpu.set_general(general, lapic.task_priority if lapic is not None else 0)
            return None
        value = at.general[general]
        if value >> 4:
            return _PROTECTION
        if lapic is not None:
            lapic.task_priority = value
        return None

    def _refused(self, number: int, what: str) -> Fault:
        self._note("msr", number, f"{what} {number:#x}: this processor has no such register or value; #GP(0)")
        return _PROTECTION

    def _read(self, number: int) -> int | None:
        if number == _TIME_STAMP_COUNTER:
            return self.time_stamp
        lapic = self._board.lapic
        found = lapic.read_msr(number) if lapic is not None else None
        if found is not None:
            return found
        if number in _KEPT or number == control.EFER_MSR:
            return self._cpu.read_msr(number)
        return _CONSTANT.get(number)

    def _write(self, number: int, value: int, at: Registers) -> bool:
        if number == _TIME_STAMP_COUNTER:
            self.time_stamp_offset = value - self._clock.now
            return True
        if number == control.EFER_MSR:
            return self._write_efer(value, at)
        lapic = self._board.lapic
        if lapic is not None and lapic.write_msr(number, value):
            return True
        if number in _KEPT:
            if number in _ADDRESSES and not is_canonical(value):
                return False
            self._cpu.write_msr(number, value)
            return True
        return number in _MAY_BE_WRITTEN

    def _write_efer(self, value: int, at: Registers) -> bool:
        """EFER.LMA is read-only: it stays as it is."""
        if refuses_efer(value, at) is not None:
            return False
        self._cpu.write_msr(control.EFER_MSR, value & _EFER_WRITABLE | at.efer & control.EFER_LMA)
        self._cpu.changed = True
        return True


def refuses_efer(value: int, at: Registers) -> str | None:
    """Why EFER may not become `value`; None where it may, but for LMA, which is read-only (SDM 3A 4.1.2, 9.8.5)."""
    if value & ~(_EFER_WRITABLE | control.EFER_LMA):
        return "EFER has SCE, LME, LMA and NXE here; its other bits are reserved"
    if at.cr0 & control.CR0_PG and (value ^ at.efer) & control.EFER_LME:
        return "EFER.LME cannot change while paging is on (CR0.PG=1)"
    return None


def keeps(number: int) -> bool:
    """Whether WRMSR may write the register, and it keeps what is written."""
    return number in _KEPT


def holds_address(number: int) -> bool:
    """Whether the register holds a linear address, which must be canonical."""
    return number in _ADDRESSES


_FROM_CONTROL_REGISTER = 0x20
