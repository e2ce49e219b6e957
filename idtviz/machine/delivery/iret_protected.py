"""IRET in protected mode (SDM 2A IRET; 3A 6.12.1, 7.3; 3B 20.2.5). Reads from top to bottom as the processor goes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from idtviz.machine import instructions
from idtviz.machine.delivery import rules
from idtviz.machine.delivery.event import GENERAL_PROTECTION, Fault
from idtviz.machine.delivery.paragraphs import VIRTUAL_LIMIT, virtual_segment
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
from idtviz.machine.delivery.returns import RESTORED, Return
from idtviz.machine.delivery.segments import mark_accessed, segment
from idtviz.machine.delivery.stack import Stack
from idtviz.machine.delivery.task import SwitchKind, TaskSwitch, find_task
from idtviz.machine.registers import RSP
from idtviz.x86 import flags
from idtviz.x86.addresses import MASK32
from idtviz.x86.selectors import Selector

_VIRTUAL_WORDS = ("ES", "DS", "FS", "GS")
"""What is popped behind SS on a return to virtual-8086 mode, in this order."""


class ProtectedReturn(Return):
    """IRET or IRETD: within the ring, to an outer ring, to virtual-8086 mode, or to another task."""

    def perform(self) -> Steps:
        at = self.before
        nested = bool(at.rflags & flags.NT)
        target = "the task of the back link" if nested else "the frame on the stack"
        yield self.did(rules.IRET_TASK, f"return to {target}", f"NT={int(nested)}")
        if nested:
            yield from self._return_to_task()
            return
        ip, _, eflags = POINTER_NAMES[self.size]
        words = PoppedWords(self, self.size)
        yield from words.room(3)
        eip = yield from words.pop(rules.POP_RIP, ip, 0)
        cs = words.read(rules.POP_CS, "CS", 1)
        self.to = (cs & 0xFFFF, eip)
        yield words.popped(rules.POP_CS, "CS", cs, 1)
        popped = yield from words.pop(rules.POP_RFLAGS, eflags, 2)
        if popped & flags.VM and self.size == 4 and at.cpl == 0:
            yield from self._return_to_virtual_8086(words, eip, cs & 0xFFFF, popped)
        else:
            yield from self._return_to_segment(words, eip, Selector(cs & 0xFFFF), popped)

    def _return_to_segment(self, words: PoppedWords, eip: int, selector: Selector, popped: int) -> Steps:
        """To a code segment of the same ring or an outer one."""
        at = self.before
        _, sp, eflags = POINTER_NAMES[self.size]
        code, code_address = yield from check_return_code(self, selector)
        outward = selector.rpl > at.cpl
        rsp, ss = words.rsp_behind(3), at.ss
        stack: Found | None = None
        if outward:
            yield from words.room(2, first=3)
            esp = yield from words.pop(rules.POP_RSP, sp, 3)
            ss_word = yield from words.pop(rules.POP_SS, "SS", 4)
            stack_selector = Selector(ss_word & 0xFFFF)
            stack = yield from check_return_stack(self, stack_selector, selector.rpl, code)
            assert stack is not None
            ss = segment(stack_selector.value, stack[0])
            rsp = Stack(ss, flat=False).moved(at.rsp, esp)
        yield check_return_address(self, eip, code)

        loads = f"load CS, SS, {eflags}" if outward else f"load CS, {eflags}"
        mark_accessed(self, rules.RETURN_LOAD, loads, code, code_address)
        if stack is not None:
            mark_accessed(self, rules.RETURN_LOAD, loads, *stack)
        rflags = self.restored_flags(popped)
        yield self.did(rules.RETURN_LOAD, loads, f"{selector.value:#x}, {ss.selector:#x}, {rflags:#x}")
        data = data_segments(at)
        if outward:
            data = yield from drop_inner_segments(self, selector.rpl, data)
        general = list(at.general)
        general[RSP] = rsp
        self.after = replace(
            at,
            general=tuple(general),
            rip=eip,
            rflags=rflags,
            cpl=selector.rpl,
            cs=segment(selector.value, code),
            ss=ss,
            interrupt_shadow=False,
            **data,
        )
        ring = f"ring {at.cpl} → {selector.rpl}" if outward else f"ring {at.cpl}"
        yield self.did(rules.RESUME, f"EIP ← {eip:#x} · ESP ← {rsp:#x}", ring)

    def _return_to_virtual_8086(self, words: PoppedWords, eip: int, cs: int, popped: int) -> Steps:
        """To a virtual-8086 task, whose segment registers are all on the stack."""
        at = self.before
        yield self.did(rules.RETURN_VM86, "VM is set in the image, and CPL is 0", "to virtual-8086 mode")
        # Processors have been seen to drop the upper half of EIP, and Bochs does so; the SDM says #GP(0).
        lost = Fault(GENERAL_PROTECTION, 0)
        what = f"return address within the limit {VIRTUAL_LIMIT:#x}"
        yield self.check(rules.RETURN_RIP, eip <= VIRTUAL_LIMIT, what, f"{eip:#x}", lost)
        yield from words.room(6, first=3)
        esp = yield from words.pop(rules.POP_RSP, "ESP", 3)
        ss = yield from words.pop(rules.POP_SS, "SS", 4)
        data: dict[str, Any] = {}
        for place, name in enumerate(_VIRTUAL_WORDS, 5):
            word = yield from words.pop(rules.POP_DATA, name, place)
            data[name.lower()] = virtual_segment(word & 0xFFFF)
        mask = RESTORED | flags.IF | flags.IOPL | flags.VIF | flags.VIP | flags.VM
        rflags = popped & mask | flags.ALWAYS_SET
        loaded = f"{cs:#x}, {ss & 0xFFFF:#x}, {rflags:#x}"
        yield self.did(rules.RETURN_REAL, "load CS, SS, EFLAGS and the data segments", loaded)
        general = list(at.general)
        general[RSP] = esp
        self.after = replace(
            at,
            general=tuple(general),
            rip=eip,
            rflags=rflags,
            cpl=3,
            cs=virtual_segment(cs),
            ss=virtual_segment(ss & 0xFFFF),
            interrupt_shadow=False,
            **data,
        )
        yield self.did(rules.RESUME, f"EIP ← {eip:#x} · ESP ← {esp:#x}", "virtual-8086 mode, ring 3")

    def _return_to_task(self) -> Steps:
        """To the task that the back link of the current TSS names."""
        at = self.before
        what = "back link of the TSS"
        link = self.read(rules.IRET_LINK, what, at.tr.base, 2)
        yield self.did(rules.IRET_LINK, what, f"{link:#x} ← {at.tr.base:x}")
        task = yield from find_task(self, SwitchKind.IRET, Selector(link))
        length = instructions.decode(instructions.fetch(at, self.memory), at).length
        behind = at.rip + length & MASK32
        switch = TaskSwitch(self, SwitchKind.IRET, task, rip=behind, eflags=at.rflags & ~flags.RF)
        yield from switch.leave()
        assert self.committed is not None
        self.to = (self.committed.cs.selector, self.committed.rip)
        yield from switch.enter()
