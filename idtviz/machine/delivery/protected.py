"""Interrupt delivery in protected and virtual-8086 mode (SDM 2A INT n; 3A 6.12; 3B 20.3). Reads from top to bottom."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from idtviz.machine.delivery import rules
from idtviz.machine.delivery.delivery import Located
from idtviz.machine.delivery.event import GENERAL_PROTECTION, INVALID_TSS, NOT_PRESENT, STACK_FAULT, Event, Fault
from idtviz.machine.delivery.gated import GatedDelivery
from idtviz.machine.delivery.procedure import Step, Steps
from idtviz.machine.delivery.pushing import PushedWords
from idtviz.machine.delivery.rules import Rule
from idtviz.machine.delivery.segments import DATA_SEGMENTS, compare, descriptor_table, mark_accessed, segment
from idtviz.machine.delivery.stack import Stack
from idtviz.machine.delivery.task import SwitchKind, TaskSwitch, find_task
from idtviz.machine.memory import LinearMemory
from idtviz.machine.registers import RSP, Registers, Segment
from idtviz.x86 import flags
from idtviz.x86.addresses import MASK32
from idtviz.x86.descriptors import TSS16_AVAILABLE, TSS16_BUSY, SegmentDescriptor
from idtviz.x86.error_codes import idt_error, selector_error
from idtviz.x86.frames import InterruptFrame
from idtviz.x86.gates import INTERRUPT_GATE, INTERRUPT_GATE_16, TASK_GATE, TRAP_GATE, TRAP_GATE_16, Gate32
from idtviz.x86.selectors import Selector


class ProtectedDelivery(GatedDelivery):
    """Through an 8-byte gate to a handler of protected mode, or to another task."""

    def __init__(self, event: Event, before: Registers, memory: LinearMemory) -> None:
        self._stack_segment = before.ss
        """SS of the handler."""
        self._stack_descriptor: tuple[SegmentDescriptor, int] | None = None
        """Its descriptor, with the linear address of that, where it is a new one."""
        self._rsp = before.rsp
        super().__init__(event, before, memory)

    def perform(self) -> Steps:
        gate = yield from self._find_gate()
        if gate.type == TASK_GATE:
            yield from self._switch_tasks(gate)
            return
        yield from self._find_code_segment(gate)
        yield from self._find_stack()
        yield from self._push_frame(gate)
        yield from self._enter(gate)

    def _find_gate(self) -> Generator[Step, None, Gate32]:
        at, event = self.before, self.event
        entry = idt_error(event.vector, self.ext)
        wrong = Fault(GENERAL_PROTECTION, entry)
        last, limit = event.vector * 8 + 7, at.idtr.limit
        what = f"vector {event.vector} lies within the IDT limit"
        yield self.check(rules.IDT_LIMIT, last <= limit, what, compare(last, "≤", limit), wrong)
        self.gate_address = at.idtr.base + event.vector * 8 & MASK32
        self.gate = gate = Gate32(self.read(rules.IDT_READ, "gate read", self.gate_address, 8))
        yield self.did(rules.IDT_READ, "gate read", f"8 B @{self.gate_address:x}")
        right = not gate.s and gate.type in _GATES
        found = f"S={int(gate.s)} type {gate.type:#x} {gate.kind}"
        yield self.check(rules.GATE_TYPE, right, "interrupt, trap or task gate, S=0", found, wrong)
        yield from self.check_use(gate)
        return gate

    def _switch_tasks(self, gate: Gate32) -> Steps:
        """A task gate: the handler is another task."""
        task = yield from find_task(self, SwitchKind.INTERRUPT, Selector(gate.selector))
        self.descriptor, self.descriptor_address = task.descriptor, task.address
        event = self.event
        switch = TaskSwitch(
            self, SwitchKind.INTERRUPT, task, rip=event.rip, eflags=self.saved_rflags, error_code=event.error_code
        )
        yield from switch.leave()
        self.stack = Located("task", *switch.stack_pointer)
        yield from switch.enter()

    def _find_code_segment(self, gate: Gate32) -> Steps:
        selector = Selector(gate.selector)
        found = yield from self.find_code(selector)
        error = selector_error(selector.value, self.ext)
        wrong = Fault(GENERAL_PROTECTION, error)
        dpl = found.dpl
        absent = Fault(NOT_PRESENT, error)
        present = f"P={int(found.present)}"
        yield self.check(rules.DESCRIPTOR_PRESENT, found.present, "code segment present", present, absent)
        if self.is_virtual:
            # Bochs reads the stack from the TSS first, so that a TSS that is too small takes precedence there.
            allowed = dpl == 0 and not found.conforming
            value = f"DPL {dpl}{', conforming' if found.conforming else ''}"
            yield self.check(rules.DESCRIPTOR_VM86, allowed, "virtual-8086 mode: to ring 0 only", value, wrong)

    @property
    def is_virtual(self) -> bool:
        """Whether virtual-8086 mode is left."""
        return self.before.mode == "vm86"

    def _find_stack(self) -> Steps:
        at, cpl = self.before, self.new_cpl
        if cpl == at.cpl:
            self.stack = Located("same", at.rsp, None)
            yield self.did(rules.STACK_SELECT, "same ring: the stack goes on", f"{at.ss.selector:#x}:{at.rsp:#x}")
            return
        narrow = at.tr.flags >> 8 & 0xF in (TSS16_AVAILABLE, TSS16_BUSY)
        # SS of a 32-bit TSS has two bytes: Bochs demands that the whole doubleword lies within the limit.
        size, offset, last = (2, 2 + 4 * cpl, 5 + 4 * cpl) if narrow else (4, 4 + 8 * cpl, 9 + 8 * cpl)
        why = f"ring {at.cpl} → {cpl}: TSS.SS{cpl}:{'SP' if narrow else 'ESP'}{cpl}"
        limit = at.tr.limit
        if last > limit:
            outside = Fault(INVALID_TSS, selector_error(at.tr.selector, self.ext))
            value = f"{compare(last, '≤', limit)} (TSS limit)"
            yield self.check(rules.STACK_SELECT, last <= limit, why, value, outside)
        address = at.tr.base + offset & MASK32
        selector = Selector(self.read(rules.STACK_SELECT, why, address + size & MASK32, 2))
        pointer = self.read(rules.STACK_SELECT, why, address, size)
        self.stack = Located(f"tss.rsp{cpl}", pointer, address)
        yield self.did(rules.STACK_SELECT, why, f"{selector.value:#x}:{pointer:#x} ← {size + 2} B @{address:x}")
        yield from self._check_stack_segment(selector, cpl)

    def _check_stack_segment(self, selector: Selector, cpl: int) -> Steps:
        null = Fault(INVALID_TSS, int(self.ext))
        yield self.check(rules.STACK_NULL, not selector.null, "new SS not null", f"{selector.value:#x}", null)
        error = selector_error(selector.value, self.ext)
        wrong = Fault(INVALID_TSS, error)
        base, limit, name = descriptor_table(self.before, selector)
        last = selector.offset + 7
        value = "the LDTR is null" if limit is None else compare(last, "≤", limit)
        inside = limit is not None and last <= limit
        yield self.check(rules.STACK_LIMIT, inside, f"new SS within the {name}", value, wrong)
        rpl = selector.rpl
        yield self.check(rules.STACK_RPL, rpl == cpl, "RPL of the new SS is the new ring", f"{rpl}, {cpl}", wrong)
        address = base + selector.offset & MASK32
        what = f"SS: {name}[{selector.index}] read"
        found = SegmentDescriptor(self.read(rules.STACK_READ, what, address, 8))
        yield self.did(rules.STACK_READ, what, f"8 B @{address:x}")
        dpl = found.dpl
        yield self.check(rules.STACK_DPL, dpl == cpl, "DPL of the new SS is the new ring", f"{dpl}, {cpl}", wrong)
        yield self.check(rules.STACK_DATA, found.writable, "writable data segment", found.kind, wrong)
        absent = Fault(STACK_FAULT, error)
        present = f"P={int(found.present)}"
        yield self.check(rules.STACK_PRESENT, found.present, "stack segment present", present, absent)
        self._stack_segment = segment(selector.value, found)
        self._stack_descriptor = found, address

    def _push_frame(self, gate: Gate32) -> Steps:
        at, event, cpl = self.before, self.event, self.new_cpl
        assert self.stack is not None and self.descriptor is not None
        inward = cpl != at.cpl
        size = 2 if gate.is_16_bit else 4
        ip, sp, name = ("IP", "SP", "FLAGS") if size == 2 else ("EIP", "ESP", "EFLAGS")
        words: list[tuple[Rule, str, int]] = []
        if self.is_virtual:
            words += [(rules.PUSH_DATA, name.upper(), getattr(at, name).selector) for name in ("gs", "fs", "ds", "es")]
        if inward:
            words += [(rules.PUSH_SS, "SS", at.ss.selector), (rules.PUSH_RSP, sp, at.rsp)]
        words += [
            (rules.PUSH_RFLAGS, name, self.saved_rflags),
            (rules.PUSH_CS, "CS", at.cs.selector),
            (rules.PUSH_RIP, ip, event.rip),
        ]
        if event.error_code is not None:
            words.append((rules.PUSH_ERROR, "error code", event.error_code))
        stack = Stack(self._stack_segment, flat=False)
        pushed = PushedWords(self, stack, self.stack.pointer, size, user=cpl == 3)
        # Bochs looks at the limit with each word, behind the handler's address: the words that fit are written there.
        full = selector_error(self._stack_segment.selector, self.ext) if inward else int(self.ext)
        yield from pushed.room(len(words), Fault(STACK_FAULT, full))
        limit, lost = self.descriptor.byte_limit, Fault(GENERAL_PROTECTION, int(self.ext))
        what, value = "handler address within the code segment", compare(gate.offset, "≤", limit)
        yield self.check(rules.HANDLER_LIMIT, gate.offset <= limit, what, value, lost)
        mask = (1 << 8 * size) - 1
        self.frame = InterruptFrame(
            address=stack.address(pushed.pointer - size * len(words)),
            error_code=None if event.error_code is None else event.error_code & mask,
            rip=event.rip & mask,
            cs=at.cs.selector,
            rflags=self.saved_rflags & mask,
            rsp=at.rsp & mask if inward else None,
            ss=at.ss.selector if inward else None,
            word_size=size,
        )
        if self.is_virtual:
            selectors = {name: getattr(at, name).selector for name in ("es", "ds", "fs", "gs")}
            self.frame = replace(self.frame, **selectors)
        for rule, name, word in words:
            yield from pushed.push(rule, name, word)
        # With a 16-bit stack the upper half of ESP stays what it was, as in Bochs; the manual says nothing of it.
        self._rsp = pushed.rsp(at.rsp)

    def _enter(self, gate: Gate32) -> Steps:
        at, cpl, descriptor = self.before, self.new_cpl, self.descriptor
        assert descriptor is not None
        selector = gate.selector & ~3 | cpl
        mark_accessed(self, rules.CS_LOAD, "load CS", descriptor, self.descriptor_address)
        yield self.did(rules.CS_LOAD, "load CS", f"{selector:#x}, ring {cpl}")
        if self._stack_descriptor is not None:
            mark_accessed(self, rules.SS_LOAD, "load SS", *self._stack_descriptor)
            yield self.did(rules.SS_LOAD, "load SS", f"{self._stack_segment.selector:#x}")
        data = {name: getattr(at, name) for name in DATA_SEGMENTS}
        if self.is_virtual:
            data = dict.fromkeys(DATA_SEGMENTS, Segment(0, 0, 0, 0))
            yield self.did(rules.DATA_NULL, "DS ES FS GS made null", "0")
        cleared = flags.TF | flags.NT | flags.RF | flags.VM | (flags.IF if gate.clears_if else 0)
        general = list(at.general)
        general[RSP] = self._rsp
        self.after = replace(
            at,
            general=tuple(general),
            rip=gate.offset,
            rflags=at.rflags & ~cleared,
            cpl=cpl,
            cs=segment(selector, descriptor),
            ss=self._stack_segment,
            interrupt_shadow=False,
            **data,
        )
        names = "TF NT RF VM" if self.is_virtual else "TF NT RF"
        interrupts = f"IF ← 0 · {names} ← 0" if gate.clears_if else f"IF kept · {names} ← 0"
        yield self.did(rules.ENTER, f"CS:EIP ← {selector:#x}:{gate.offset:#x}", interrupts)


_GATES = (TASK_GATE, INTERRUPT_GATE_16, TRAP_GATE_16, INTERRUPT_GATE, TRAP_GATE)
