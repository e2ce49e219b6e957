"""SYSCALL and SYSENTER as Intel processors do them (SDM 2B SYSCALL, SYSENTER). Each reads from top to bottom."""

from __future__ import annotations

from dataclasses import dataclass, replace

from idtviz.machine.delivery import rules
from idtviz.machine.delivery.event import GENERAL_PROTECTION, UNDEFINED_OPCODE, Fault
from idtviz.machine.delivery.procedure import Steps
from idtviz.machine.delivery.transfer import Transfer
from idtviz.machine.far_instructions import FarInstruction
from idtviz.machine.memory import LinearMemory
from idtviz.machine.registers import RSP, Registers, Segment
from idtviz.x86 import control, flags
from idtviz.x86.addresses import MASK32
from idtviz.x86.msrs import Star

_RCX, _R11 = 1, 11
_LIMIT = 0xFFFFFFFF
_CODE = 0xA09B00
"""High doubleword of a flat, accessed, readable code segment of ring 0 with L=1; D in place of L below."""
_CODE_32 = 0xC09B00
_DATA = 0xC09300
_SELECTOR = 0xFFFC


@dataclass(frozen=True, slots=True)
class SystemCallMsrs:
    """IA32_STAR, LSTAR, CSTAR, FMASK, and IA32_SYSENTER_CS, _ESP, _EIP. Intel processors never use CSTAR."""

    star: int = 0
    lstar: int = 0
    cstar: int = 0
    fmask: int = 0
    sysenter_cs: int = 0
    sysenter_esp: int = 0
    sysenter_eip: int = 0


class _FastCall(Transfer):
    """An entry to ring 0 by what the model-specific registers hold."""

    def __init__(
        self, before: Registers, memory: LinearMemory, instruction: FarInstruction, msrs: SystemCallMsrs
    ) -> None:
        self.msrs = msrs
        super().__init__(before, memory, instruction)

    def over(self, memory: LinearMemory) -> _FastCall:
        """The same entry from its beginning, over other memory."""
        return type(self)(self.before, memory, self.instruction, self.msrs)


class SystemCall(_FastCall):
    """SYSCALL."""

    def perform(self) -> Steps:
        at, msrs = self.before, self.msrs
        sce = bool(at.efer & control.EFER_SCE)
        # AMD's processors take SYSCALL in compatibility mode (CSTAR) and in protected mode (STAR) too.
        undefined = Fault(UNDEFINED_OPCODE, 0)
        what = "64-bit mode and EFER.SCE"
        value = f"{at.mode}, SCE={int(sce)}"
        yield self.check(rules.SYSCALL_ENABLED, sce and at.mode == "long", what, value, undefined)
        saved = at.rflags & ~flags.RF
        yield self.did(rules.SYSCALL_SAVE, "RCX ← RIP · R11 ← RFLAGS", f"{self.end:#x}, {saved:#x}")
        rflags = saved & ~msrs.fmask | flags.ALWAYS_SET
        yield self.did(rules.SYSCALL_FLAGS, f"RFLAGS & ~FMASK {msrs.fmask:#x}", f"{rflags:#x}")
        selector = Star(msrs.star).syscall_cs
        cs = Segment(selector & _SELECTOR, 0, _LIMIT, _CODE)
        ss = Segment((selector & _SELECTOR) + 8 & 0xFFFF, 0, _LIMIT, _DATA)
        yield self.did(rules.SYSCALL_LOAD, "load CS and SS from STAR", f"{cs.selector:#x}, {ss.selector:#x}, ring 0")
        after = self.arrive(cs, 0, msrs.lstar, ss=ss)
        general = list(after.general)
        general[_RCX], general[_R11] = self.end, saved
        self.after = replace(after, general=tuple(general), rflags=rflags)
        yield self.did(rules.SYSCALL_ENTER, f"CS:RIP ← {cs.selector:#x}:{msrs.lstar:#x}", f"ring {at.cpl} → 0")


class FastSystemCall(_FastCall):
    """SYSENTER."""

    def perform(self) -> Steps:
        at, msrs = self.before, self.msrs
        protected = bool(at.cr0 & control.CR0_PE)
        selector = msrs.sysenter_cs & _SELECTOR
        bad = Fault(GENERAL_PROTECTION, 0)
        value = f"PE={int(protected)}, {selector:#x}"
        holds = protected and selector != 0
        yield self.check(rules.SYSENTER_CS, holds, "protected mode, SYSENTER_CS not null", value, bad)
        rflags = at.rflags & ~(flags.VM | flags.IF | flags.RF)
        yield self.did(rules.SYSENTER_FLAGS, "IF ← 0 · VM ← 0", f"{rflags:#x}")
        long = bool(at.efer & control.EFER_LMA)
        cs = Segment(selector, 0, _LIMIT, _CODE if long else _CODE_32)
        ss = Segment(selector + 8 & 0xFFFF, 0, _LIMIT, _DATA)
        loaded = f"{cs.selector:#x}, {ss.selector:#x}, ring 0"
        yield self.did(rules.SYSENTER_LOAD, "load CS and SS from SYSENTER_CS", loaded)
        rip = msrs.sysenter_eip if long else msrs.sysenter_eip & MASK32
        rsp = msrs.sysenter_esp if long else msrs.sysenter_esp & MASK32
        after = self.arrive(cs, 0, rip, rsp, ss=ss)
        self.after = replace(after, rflags=rflags)
        text = f"CS:RIP ← {cs.selector:#x}:{rip:#x} · RSP ← {after.general[RSP]:#x}"
        yield self.did(rules.SYSENTER_ENTER, text, f"ring {at.cpl} → 0")
