"""IRET in real-address mode and in virtual-8086 mode (SDM 2A IRET; 3B 20.1.4, 20.2.7). Reads from top to bottom."""

from __future__ import annotations

from dataclasses import replace

from idtviz.machine.delivery import rules
from idtviz.machine.delivery.event import GENERAL_PROTECTION, Fault
from idtviz.machine.delivery.paragraphs import paragraph
from idtviz.machine.delivery.procedure import Steps
from idtviz.machine.delivery.returning import POINTER_NAMES, PoppedWords
from idtviz.machine.delivery.returns import RESTORED, Return
from idtviz.machine.registers import RSP
from idtviz.x86 import control, flags


class RealReturn(Return):
    """IRET or IRETD where segment registers hold paragraphs: nothing is looked up, only the limits hold."""

    @property
    def is_virtual(self) -> bool:
        """Whether this is virtual-8086 mode."""
        return self.before.mode == "vm86"

    @property
    def uses_vif(self) -> bool:
        """Whether the popped IF goes to VIF, since IOPL keeps the program from IF: CR4.VME (SDM 3B 20.2.7, 20.3.3)."""
        at = self.before
        return self.is_virtual and at.rflags & flags.IOPL != flags.IOPL and bool(at.cr4 & control.CR4_VME)

    def perform(self) -> Steps:
        at = self.before
        lost = Fault(GENERAL_PROTECTION, 0)
        if self.is_virtual:
            iopl = (at.rflags & flags.IOPL) >> 12
            allowed = iopl == 3 or (self.uses_vif and self.size == 2)
            yield self.check(rules.IRET_IOPL, allowed, "IOPL lets virtual-8086 code use IRET", f"IOPL {iopl}", lost)
        ip_name, _, flags_name = POINTER_NAMES[self.size]
        words = PoppedWords(self, self.size)
        yield from words.room(3)
        ip = yield from words.pop(rules.POP_RIP, ip_name, 0)
        cs = words.read(rules.POP_CS, "CS", 1)
        selector = cs & 0xFFFF
        self.to = (selector, ip)
        yield words.popped(rules.POP_CS, "CS", cs, 1)
        popped = yield from words.pop(rules.POP_RFLAGS, flags_name, 2)
        if self.uses_vif:
            pending = bool(popped & flags.TF) or bool(popped & flags.IF and at.rflags & flags.VIP)
            what = "TF clear, and no virtual interrupt pending that IF would let in"
            yield self.check(rules.IRET_VIP, not pending, what, f"{popped:#x}", lost)
        limit = at.cs.limit
        holds = ip <= limit
        yield self.check(rules.RETURN_RIP, holds, f"return address within the limit {limit:#x}", f"{ip:#x}", lost)
        rflags = self._merged(popped)
        yield self.did(
            rules.RETURN_REAL, f"load CS, {flags_name}", f"{selector:#x}, base {selector << 4:#x}, {rflags:#x}"
        )
        general = list(at.general)
        general[RSP] = words.rsp_behind(3)
        self.after = replace(
            at,
            general=tuple(general),
            rip=ip,
            rflags=rflags,
            cs=paragraph(at, at.cs, selector),
            interrupt_shadow=False,
        )
        text = f"{ip_name} ← {ip:#x} · SP ← {self.after.rsp & 0xFFFF:#x}"
        yield self.did(rules.RESUME, text, "virtual-8086 mode" if self.is_virtual else "real mode")

    def _merged(self, popped: int) -> int:
        """The flags after the return: VM, VIF and VIP never change, IOPL does in real mode (SDM 2A IRET)."""
        if self.uses_vif:
            return self.merged(popped, RESTORED) & ~flags.VIF | (flags.VIF if popped & flags.IF else 0)
        return self.merged(popped, RESTORED | flags.IF | (0 if self.is_virtual else flags.IOPL))
