"""Interrupt delivery in real-address mode (SDM 2A INT n; 3B 20.1.4). Reads from top to bottom as the processor goes."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from idtviz.machine.delivery import rules
from idtviz.machine.delivery.delivery import Delivery, Located
from idtviz.machine.delivery.event import GENERAL_PROTECTION, STACK_FAULT, Fault
from idtviz.machine.delivery.paragraphs import paragraph
from idtviz.machine.delivery.procedure import Step, Steps
from idtviz.machine.delivery.pushing import PushedWords
from idtviz.machine.delivery.segments import compare
from idtviz.machine.delivery.stack import Stack
from idtviz.machine.registers import RSP
from idtviz.x86 import flags
from idtviz.x86.addresses import MASK32
from idtviz.x86.frames import InterruptFrame
from idtviz.x86.gates import IvtEntry


class RealDelivery(Delivery):
    """Through an entry of the interrupt vector table. Faults push no error code: the 0 of a `Fault` goes nowhere."""

    def perform(self) -> Steps:
        at, event = self.before, self.event
        last, limit = event.vector * 4 + 3, at.idtr.limit
        what = f"vector {event.vector} lies within the limit of the vector table"
        lost = Fault(GENERAL_PROTECTION, 0)
        yield self.check(rules.IDT_LIMIT, last <= limit, what, compare(last, "≤", limit), lost)
        rsp = yield from self._push_frame()

        self.gate_address = at.idtr.base + event.vector * 4 & MASK32
        what = "entry of the vector table read"
        self.gate = entry = IvtEntry(self.read(rules.IDT_READ, what, self.gate_address, 4))
        yield self.did(rules.IDT_READ, what, f"4 B @{self.gate_address:x}")
        what, value = "handler address within the code segment", compare(entry.offset, "≤", at.cs.limit)
        yield self.check(rules.HANDLER_LIMIT, entry.offset <= at.cs.limit, what, value, lost)
        cs = paragraph(at, at.cs, entry.segment)
        yield self.did(rules.CS_LOAD, "load CS", f"{cs.selector:#x}, base {cs.base:#x}")
        general = list(at.general)
        general[RSP] = rsp
        self.after = replace(
            at,
            general=tuple(general),
            rip=entry.offset,
            rflags=at.rflags & ~(flags.IF | flags.TF | flags.AC | flags.RF),
            cs=cs,
            interrupt_shadow=False,
        )
        yield self.did(rules.ENTER, f"CS:IP ← {cs.selector:#x}:{entry.offset:#x}", "IF TF AC RF ← 0")

    def _push_frame(self) -> Generator[Step, None, int]:
        """Push FLAGS, CS and IP; the new RSP."""
        at = self.before
        stack = Stack(at.ss, flat=False)
        self.stack = Located("same", at.rsp, None)
        yield self.did(
            rules.STACK_SELECT, "real mode: the stack goes on", f"{at.ss.selector:#x}:{at.rsp & stack.mask:#x}"
        )
        words = PushedWords(self, stack, at.rsp, 2, user=False)
        # Bochs looks at the limit with each word: those that fit are written there.
        yield from words.room(3, Fault(STACK_FAULT, 0))
        self.frame = InterruptFrame(
            address=stack.address(words.pointer - 6),
            error_code=None,
            rip=self.event.rip & 0xFFFF,
            cs=at.cs.selector,
            rflags=self.saved_rflags & 0xFFFF,
            word_size=2,
        )
        yield from words.push(rules.PUSH_RFLAGS, "FLAGS", self.frame.rflags)
        yield from words.push(rules.PUSH_CS, "CS", self.frame.cs)
        yield from words.push(rules.PUSH_RIP, "IP", self.frame.rip)
        return words.rsp(at.rsp)
