"""Interrupt delivery in long mode (SDM 3A 6.14). Reads from top to bottom as the processor goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from idtviz.machine.delivery import rules
from idtviz.machine.delivery.event import (
    GENERAL_PROTECTION,
    INVALID_TSS,
    NOT_PRESENT,
    STACK_FAULT,
    Event,
)
from idtviz.machine.delivery.procedure import Procedure, Step
from idtviz.machine.memory import LinearMemory
from idtviz.machine.registers import RSP, Registers, Segment
from idtviz.x86 import flags
from idtviz.x86.addresses import MASK64, is_canonical
from idtviz.x86.descriptors import SegmentDescriptor
from idtviz.x86.error_codes import idt_error, selector_error
from idtviz.x86.frames import InterruptFrame64
from idtviz.x86.gates import Gate64
from idtviz.x86.selectors import Selector
from idtviz.x86.tss import ist_offset, rsp_offset


@dataclass(frozen=True, slots=True)
class Located:
    """A stack pointer and where it came from: `same`, `tss.rsp0`, `tss.ist1`; `address` is that of the TSS field."""

    source: str
    pointer: int
    address: int | None


class LongDelivery(Procedure):
    """The delivery of `event`. What it has found so far stands in `gate`, `descriptor`, `stack`, `frame`."""

    def __init__(self, event: Event, before: Registers, memory: LinearMemory) -> None:
        self.event = event
        self.gate: Gate64 | None = None
        self.gate_address = 0
        self.descriptor: SegmentDescriptor | None = None
        self.descriptor_address = 0
        self.stack: Located | None = None
        self.frame: InterruptFrame64 | None = None
        super().__init__(before, memory, event.external)

    @property
    def saved_rflags(self) -> int:
        """RFLAGS as the frame holds them."""
        return self.before.rflags | (flags.RF if self.event.sets_rf else 0)

    def perform(self) -> Iterator[Step]:
        yield from self._find_gate()
        yield from self._find_code_segment()
        yield from self._find_stack()
        yield from self._push_frame()
        yield from self._enter()

    def _find_gate(self) -> Iterator[Step]:
        at, event, ext = self.before, self.event, self.ext
        entry = idt_error(event.vector, ext)
        last = event.vector * 16 + 15
        yield self.check(
            *(rules.IDT_LIMIT, last <= at.idtr.limit),
            *(f"vector {event.vector} lies within the IDT limit", _compare(last, "≤", at.idtr.limit)),
            *(GENERAL_PROTECTION, entry),
        )
        self.gate_address = (at.idtr.base + event.vector * 16) & MASK64
        self.gate = gate = Gate64(self.read(rules.IDT_READ, "gate read", self.gate_address, 16))
        yield self.did(rules.IDT_READ, "gate read", f"16 B @{self.gate_address:x}")
        yield self.check(
            *(rules.GATE_RESERVED, gate.must_be_zero == 0),
            *("type field of the upper half is zero", f"{gate.must_be_zero:#x}"),
            *(GENERAL_PROTECTION, entry),
        )
        yield self.check(
            *(rules.GATE_TYPE, gate.kind in ("interrupt", "trap")),
            *("64-bit interrupt or trap gate, S=0", f"S={int(gate.s)} type {gate.type:#x} {gate.kind}"),
            *(GENERAL_PROTECTION, entry),
        )
        if not event.external:
            yield self.check(
                *(rules.GATE_DPL, gate.dpl >= at.cpl),
                *(f"software may use it: gate DPL {gate.dpl} ≥ CPL {at.cpl}", _compare(gate.dpl, "≥", at.cpl)),
                *(GENERAL_PROTECTION, entry),
            )
        yield self.check(
            *(rules.GATE_PRESENT, gate.present),
            *("gate present", f"P={int(gate.present)}"),
            *(NOT_PRESENT, entry),
        )

    def _find_code_segment(self) -> Iterator[Step]:
        at, ext = self.before, self.ext
        assert self.gate is not None
        selector = Selector(self.gate.selector)
        error = selector_error(selector.value, ext)
        yield self.check(
            *(rules.SELECTOR_NULL, not selector.null),
            *("selector not null", f"{selector.value:#x}"),
            *(GENERAL_PROTECTION, int(ext)),
        )
        base, limit, name = descriptor_table(at, selector)
        yield self.check(
            *(rules.SELECTOR_LIMIT, limit is not None and selector.offset + 7 <= limit),
            f"selector within the {name}",
            "the LDTR is null" if limit is None else _compare(selector.offset + 7, "≤", limit),
            *(GENERAL_PROTECTION, error),
        )
        self.descriptor_address = (base + selector.offset) & MASK64
        what = f"{name}[{selector.index}] read"
        self.descriptor = found = SegmentDescriptor(self.read(rules.DESCRIPTOR_READ, what, self.descriptor_address, 8))
        yield self.did(rules.DESCRIPTOR_READ, what, f"8 B @{self.descriptor_address:x}")
        yield self.check(
            *(rules.DESCRIPTOR_CODE, found.is_code),
            *("code segment", found.kind),
            *(GENERAL_PROTECTION, error),
        )
        yield self.check(
            *(rules.DESCRIPTOR_DPL, found.dpl <= at.cpl),
            f"DPL {found.dpl} ≤ CPL {at.cpl}" + (f" → enter ring {self.new_cpl}" if found.dpl <= at.cpl else ""),
            *(_compare(found.dpl, "≤", at.cpl), GENERAL_PROTECTION, error),
        )
        yield self.check(
            *(rules.DESCRIPTOR_LONG, found.l and not found.db),
            *("64-bit code: L=1 D=0", f"L={int(found.l)} D={int(found.db)}"),
            *(GENERAL_PROTECTION, error),
        )
        yield self.check(
            *(rules.DESCRIPTOR_PRESENT, found.present),
            *("code segment present", f"P={int(found.present)}"),
            *(NOT_PRESENT, error),
        )

    @property
    def new_cpl(self) -> int:
        """The handler's ring: that of its segment, or the present one for a conforming segment."""
        assert self.descriptor is not None
        return self.before.cpl if self.descriptor.conforming else self.descriptor.dpl

    def _find_stack(self) -> Iterator[Step]:
        at = self.before
        assert self.gate is not None
        source, offset, why = "same", 0, "same ring: the stack goes on"
        if self.gate.ist:
            source, offset = f"tss.ist{self.gate.ist}", ist_offset(self.gate.ist)
            why = f"the gate says IST{self.gate.ist}"
        elif self.new_cpl < at.cpl:
            source, offset = f"tss.rsp{self.new_cpl}", rsp_offset(self.new_cpl)
            why = f"ring {at.cpl} → {self.new_cpl}: TSS.RSP{self.new_cpl}"
        if source == "same":
            pointer, address = at.rsp, None
            yield self.did(rules.STACK_SELECT, why, f"{pointer:#x}")
        else:
            if offset + 7 > at.tr.limit:
                limit = f"{_compare(offset + 7, '≤', at.tr.limit)} (TSS limit)"
                error = selector_error(at.tr.selector, self.ext)
                yield self.check(rules.STACK_SELECT, False, why, limit, INVALID_TSS, error)
            address = (at.tr.base + offset) & MASK64
            pointer = self.read(rules.STACK_SELECT, why, address, 8)
            self.stack = Located(source, pointer, address)
            yield self.did(rules.STACK_SELECT, why, f"{pointer:#x} ← 8 B @{address:x}")
            # Bochs pushes the old SS selector as error code here; the SDM says #SS(EXT).
            yield self.check(
                *(rules.STACK_CANONICAL, is_canonical(pointer)),
                *("new stack pointer canonical", f"{pointer:#x}"),
                *(STACK_FAULT, int(self.ext)),
            )
        self.stack = Located(source, pointer, address)

    def _push_frame(self) -> Iterator[Step]:
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
        frame = InterruptFrame64(
            (pointer - size) & MASK64, event.error_code, event.rip, at.cs.selector, self.saved_rflags, at.rsp, at.ss.selector
        )
        for rule, text, value in words:
            pointer = (pointer - 8) & MASK64
            self.write(rule, text, pointer, value, 8, user=self.new_cpl == 3)
            self.frame = frame
            yield self.did(rule, text, f"{value:#x} → {pointer:x}")

    def _enter(self) -> Iterator[Step]:
        at, cpl = self.before, self.new_cpl
        gate, descriptor = self.gate, self.descriptor
        assert gate is not None and descriptor is not None and self.frame is not None
        yield self.check(
            *(rules.HANDLER_CANONICAL, is_canonical(gate.offset)),
            *("handler address canonical", f"{gate.offset:#x}"),
            *(GENERAL_PROTECTION, int(self.ext)),
        )
        selector = gate.selector & ~3 | cpl
        mark_accessed(self, rules.CS_LOAD, "load CS", descriptor, self.descriptor_address)
        yield self.did(rules.CS_LOAD, "load CS", f"{selector:#x}, ring {cpl}")
        ss = at.ss
        if cpl != at.cpl:
            ss = Segment(cpl, 0, 0, cpl << 13)
            yield self.did(rules.SS_LOAD, "load SS with a null selector", f"{cpl:#x}")
        cleared = flags.TF | flags.NT | flags.RF | flags.VM | (flags.IF if gate.clears_if else 0)
        general = list(at.general)
        general[RSP] = self.frame.address
        self.after = replace(
            at,
            general=tuple(general),
            rip=gate.offset,
            rflags=at.rflags & ~cleared,
            cpl=cpl,
            cs=segment(selector, descriptor),
            ss=ss,
            interrupt_shadow=False,
        )
        interrupts = "IF ← 0 · TF NT RF ← 0" if gate.clears_if else "IF kept · TF NT RF ← 0"
        yield self.did(rules.ENTER, f"CS:RIP ← {selector:#x}:{gate.offset:#x}", interrupts)


def descriptor_table(at: Registers, selector: Selector) -> tuple[int, int | None, str]:
    """Base, limit (None: no LDT is loaded) and name of the table that `selector` names."""
    if not selector.ti:
        return at.gdtr.base, at.gdtr.limit, "GDT"
    usable = at.ldtr.selector & ~3 and at.ldtr.present
    return at.ldtr.base, at.ldtr.limit if usable else None, "LDT"


def segment(selector: int, descriptor: SegmentDescriptor) -> Segment:
    """The segment register that loading `descriptor` leaves, accessed bit set."""
    high = (descriptor.value | _ACCESSED) >> 32 & 0x00F0FF00
    return Segment(selector, descriptor.base, descriptor.byte_limit, high)


def mark_accessed(
    procedure: Procedure, rule: rules.Rule, text: str, descriptor: SegmentDescriptor, address: int
) -> None:
    """Set the accessed bit of the descriptor in its table, if it is clear (SDM 3A 3.4.5.1)."""
    if not descriptor.accessed:
        procedure.write(rule, text, (address + 5) & MASK64, (descriptor.value | _ACCESSED) >> 40 & 0xFF, 1)


def _compare(left: int, relation: str, right: int) -> str:
    holds = left <= right if relation == "≤" else left >= right
    opposite = {"≤": ">", "≥": "<"}[relation]
    return f"{left:#x} {relation if holds else opposite} {right:#x}"


_ACCESSED = 1 << 40
