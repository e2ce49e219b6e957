"""IRET in long mode (SDM 2A IRET; 3A 6.14.3). Reads from top to bottom as the processor goes."""

from __future__ import annotations

from dataclasses import replace

from idtviz.machine.delivery import rules
from idtviz.machine.delivery.event import GENERAL_PROTECTION, Fault
from idtviz.machine.delivery.procedure import Steps
from idtviz.machine.delivery.returning import (
    POINTER_NAMES,
    Found,
    PoppedWords,
    check_return_address,
    check_return_code,
    check_return_stack,
    data_segments,
    drop_inner_segments,
)
from idtviz.machine.delivery.returns import Return
from idtviz.machine.delivery.segments import mark_accessed, segment
from idtviz.machine.delivery.stack import Stack, rsp_kept
from idtviz.machine.registers import RSP, Segment
from idtviz.x86 import flags
from idtviz.x86.addresses import MASK32
from idtviz.x86.selectors import Selector


class LongReturn(Return):
    """IRET of 64-bit or compatibility mode: RSP and SS are popped always from 64-bit mode."""

    @property
    def takes_stack(self) -> bool:
        """Whether RSP and SS are popped without a change of ring too: in 64-bit mode, always (SDM 3A 6.14.3)."""
        return self.before.cs.long

    def perform(self) -> Steps:
        at = self.before
        nested = bool(at.rflags & flags.NT)
        task = Fault(GENERAL_PROTECTION, 0)
        yield self.check(rules.IRET_NT, not nested, "NT is clear: no return to another task", f"NT={int(nested)}", task)
        ip, sp, eflags = POINTER_NAMES[self.size]
        words = PoppedWords(self, self.size)
        yield from words.room(3)
        rip = yield from words.pop(rules.POP_RIP, ip, 0)
        cs = words.read(rules.POP_CS, "CS", 1)
        self.to = (cs & 0xFFFF, rip)
        yield words.popped(rules.POP_CS, "CS", cs, 1)
        rflags = yield from words.pop(rules.POP_RFLAGS, eflags, 2)

        selector = Selector(cs & 0xFFFF)
        code, code_address = yield from check_return_code(self, selector)
        outward = selector.rpl > at.cpl
        rsp, ss = words.rsp_behind(3), at.ss
        stack: Found | None = None
        if outward or self.takes_stack:
            yield from words.room(2, first=3)
            popped = yield from words.pop(rules.POP_RSP, sp, 3)
            ss_word = yield from words.pop(rules.POP_SS, "SS", 4)
            stack_selector = Selector(ss_word & 0xFFFF)
            stack = yield from check_return_stack(self, stack_selector, selector.rpl, code)
            if stack is None:
                ss = Segment(stack_selector.value, 0, 0, selector.rpl << 13)
            else:
                ss = segment(stack_selector.value, stack[0])
            rsp = Stack(ss, flat=code.l).moved(at.rsp, popped)
        yield check_return_address(self, rip, code)

        mark_accessed(self, rules.RETURN_LOAD, f"load CS, SS, {eflags}", code, code_address)
        if stack is not None:
            mark_accessed(self, rules.RETURN_LOAD, f"load CS, SS, {eflags}", *stack)
        new_rflags = self.restored_flags(rflags)
        loaded = f"{selector.value:#x}, {ss.selector:#x}, {new_rflags:#x}"
        yield self.did(rules.RETURN_LOAD, f"load CS, SS, {eflags}", loaded)
        data = data_segments(at)
        if outward:
            data = yield from drop_inner_segments(self, selector.rpl, data)
        general = list(at.general)
        general[RSP] = rsp_kept(at, rsp, long=code.l)
        self.after = replace(
            at,
            general=tuple(general),
            rip=rip if code.l else rip & MASK32,
            rflags=new_rflags,
            cpl=selector.rpl,
            cs=segment(selector.value, code),
            ss=ss,
            interrupt_shadow=False,
            **data,
        )
        ring = f"ring {at.cpl} → {selector.rpl}" if outward else f"ring {at.cpl}"
        yield self.did(rules.RESUME, f"RIP ← {self.after.rip:#x} · RSP ← {self.after.rsp:#x}", ring)
