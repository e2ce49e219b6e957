"""Interrupt delivery in long mode (SDM 3A 6.14). Reads from top to bottom as the processor goes."""

from __future__ import annotations

from dataclasses import replace

from idtviz.machine.delivery import rules
from idtviz.machine.delivery.delivery import Located
from idtviz.machine.delivery.event import GENERAL_PROTECTION, INVALID_TSS, NOT_PRESENT, STACK_FAULT, Fault
from idtviz.machine.delivery.gated import GatedDelivery
from idtviz.machine.delivery.procedure import Steps
from idtviz.machine.delivery.segments import compare, mark_accessed, segment
from idtviz.machine.registers import RSP, Segment
from idtviz.x86 import flags
from idtviz.x86.addresses import MASK64, is_canonical
from idtviz.x86.error_codes import idt_error, selector_error
from idtviz.x86.frames import InterruptFrame
from idtviz.x86.gates import Gate64
from idtviz.x86.selectors import Selector
from idtviz.x86.tss import ist_offset, rsp_offset


class LongDelivery(GatedDelivery):
    """Through a 16-byte gate to a handler in 64-bit mode."""

    def perform(self) -> Steps:
        yield from self._find_gate()
        yield from self._find_code_segment()
        yield from self._find_stack()
        yield from self._push_frame()
        yield from self._enter()

    def _find_gate(self) -> Steps:
        at, event = self.before, self.event
        entry = idt_error(event.vector, self.ext)
        wrong = Fault(GENERAL_PROTECTION, entry)
        last, limit = event.vector * 16 + 15, at.idtr.limit
        what = f"vector {event.vector} lies within the IDT limit"
        yield self.check(rules.IDT_LIMIT, last <= limit, what, compare(last, "≤", limit), wrong)
        self.gate_address = (at.idtr.base + event.vector * 16) & MASK64
        self.gate = gate = Gate64(self.read(rules.IDT_READ, "gate read", self.gate_address, 16))
        yield self.did(rules.IDT_READ, "gate read", f"16 B @{self.gate_address:x}")
        zero = gate.must_be_zero
        yield self.check(rules.GATE_RESERVED, zero == 0, "type field of the upper half is zero", f"{zero:#x}", wrong)
        right = gate.kind in ("interrupt", "trap")
        found = f"S={int(gate.s)} type {gate.type:#x} {gate.kind}"
        yield self.check(rules.GATE_TYPE, right, "64-bit interrupt or trap gate, S=0", found, wrong)
        yield from self.check_use(gate)

    def _find_code_segment(self) -> Steps:
        assert isinstance(self.gate, Gate64)
        selector = Selector(self.gate.selector)
        found = yield from self.find_code(selector)
        error = selector_error(selector.value, self.ext)
        wrong = Fault(GENERAL_PROTECTION, error)
        long, wide = found.l, found.db
        bits = f"L={int(long)} D={int(wide)}"
        yield self.check(rules.DESCRIPTOR_LONG, long and not wide, "64-bit code: L=1 D=0", bits, wrong)
        absent = Fault(NOT_PRESENT, error)
        present = f"P={int(found.present)}"
        yield self.check(rules.DESCRIPTOR_PRESENT, found.present, "code segment present", present, absent)

    def _find_stack(self) -> Steps:
        at = self.before
        assert isinstance(self.gate, Gate64)
        ist, cpl = self.gate.ist, self.new_cpl
        if ist:
            source, offset = f"tss.ist{ist}", ist_offset(ist)
            why = f"the gate says IST{ist}"
        elif cpl < at.cpl:
            source, offset = f"tss.rsp{cpl}", rsp_offset(cpl)
            why = f"ring {at.cpl} → {cpl}: TSS.RSP{cpl}"
        else:
            self.stack = Located("same", at.rsp, None)
            yield self.did(rules.STACK_SELECT, "same ring: the stack goes on", f"{at.rsp:#x}")
            return
        last, limit = offset + 7, at.tr.limit
        if last > limit:
            outside = Fault(INVALID_TSS, selector_error(at.tr.selector, self.ext))
            value = f"{compare(last, '≤', limit)} (TSS limit)"
            yield self.check(rules.STACK_SELECT, last <= limit, why, value, outside)
        address = (at.tr.base + offset) & MASK64
        pointer = self.read(rules.STACK_SELECT, why, address, 8)
        self.stack = Located(source, pointer, address)
        yield self.did(rules.STACK_SELECT, why, f"{pointer:#x} ← 8 B @{address:x}")
        # Bochs pushes the old SS selector as error code here; the SDM says #SS(EXT).
        canonical, bad = is_canonical(pointer), Fault(STACK_FAULT, int(self.ext))
        yield self.check(rules.STACK_CANONICAL, canonical, "new stack pointer canonical", f"{pointer:#x}", bad)

    def _push_frame(self) -> Steps:
        at, event = self.before, self.event
        assert self.stack is not None
        pointer = self.stack.pointer & ~0xF
        yield self.did(rules.STACK_ALIGN, f"RSP {self.stack.pointer:#x} & ~0xF", f"{pointer:#x}")
        words = [
            (rules.PUSH_SS, "push SS", at.ss.selector),
            (rules.PUSH_RSP, "push RSP", at.rsp),
            (rules.PUSH_RFLAGS, "push RFLAGS", self.saved_rflags),
            (rules.PUSH_CS, "push CS", at.cs.selector),
            (rules.PUSH_RIP, "push RIP", event.rip),
        ]
        if event.error_code is not None:
            words.append((rules.PUSH_ERROR, "push error code", event.error_code))
        size = 8 * len(words)
        self.frame = InterruptFrame(
            address=(pointer - size) & MASK64,
            error_code=event.error_code,
            rip=event.rip,
            cs=at.cs.selector,
            rflags=self.saved_rflags,
            rsp=at.rsp,
            ss=at.ss.selector,
        )
        user = self.new_cpl == 3
        for rule, text, value in words:
            pointer = (pointer - 8) & MASK64
            self.write(rule, text, pointer, value, 8, user=user)
            yield self.did(rule, text, f"{value:#x} → {pointer:x}")

    def _enter(self) -> Steps:
        at, cpl = self.before, self.new_cpl
        gate, descriptor = self.gate, self.descriptor
        assert isinstance(gate, Gate64) and descriptor is not None and self.frame is not None
        offset = gate.offset
        canonical, bad = is_canonical(offset), Fault(GENERAL_PROTECTION, int(self.ext))
        yield self.check(rules.HANDLER_CANONICAL, canonical, "handler address canonical", f"{offset:#x}", bad)
        selector = gate.selector & ~3 | cpl
        mark_accessed(self, rules.CS_LOAD, "load CS", descriptor, self.descriptor_address)
        yield self.did(rules.CS_LOAD, "load CS", f"{selector:#x}, ring {cpl}")
        ss = at.ss
        if cpl != at.cpl:
            ss = Segment(cpl, 0, 0, cpl << 13)
            yield self.did(rules.SS_LOAD, "load SS with a null selector", f"{cpl:#x}")
        masks = gate.clears_if
        cleared = flags.TF | flags.NT | flags.RF | flags.VM | (flags.IF if masks else 0)
        general = list(at.general)
        general[RSP] = self.frame.address
        self.after = replace(
            at,
            general=tuple(general),
            rip=offset,
            rflags=at.rflags & ~cleared,
            cpl=cpl,
            cs=segment(selector, descriptor),
            ss=ss,
            interrupt_shadow=False,
        )
        interrupts = "IF ← 0 · TF NT RF ← 0" if masks else "IF kept · TF NT RF ← 0"
        yield self.did(rules.ENTER, f"CS:RIP ← {selector:#x}:{offset:#x}", interrupts)
