"""What a task switch loads behind its commitment: CR3, LDTR and the segment registers (SDM 3A 7.3, table 7-1).

The order of these checks differs among processors, as the manual says with that table; it is that of Bochs here.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from idtviz.machine.delivery import rules
from idtviz.machine.delivery.event import GENERAL_PROTECTION, INVALID_TSS, NOT_PRESENT, STACK_FAULT, Fault
from idtviz.machine.delivery.paragraphs import virtual_segment
from idtviz.machine.delivery.procedure import Procedure, Step, Steps
from idtviz.machine.delivery.pushing import PushedWords
from idtviz.machine.delivery.segments import compare, descriptor_table, mark_accessed, segment
from idtviz.machine.delivery.stack import Stack
from idtviz.machine.registers import RSP, Registers, Segment
from idtviz.x86 import control, flags
from idtviz.x86.addresses import MASK32
from idtviz.x86.descriptors import LDT, SegmentDescriptor
from idtviz.x86.error_codes import selector_error
from idtviz.x86.selectors import Selector
from idtviz.x86.tss import Tss16, Tss32

Found = tuple[SegmentDescriptor, int]
"""A descriptor and the linear address that it was read from."""


class TaskRegisters:
    """The second half of a task switch that `procedure` has committed to; `state` is what the new TSS holds."""

    def __init__(self, procedure: Procedure, state: Tss16 | Tss32) -> None:
        self._procedure = procedure
        self._state = state

    @property
    def _now(self) -> Registers:
        """The registers of the new task, as far as they are loaded."""
        assert self._procedure.committed is not None
        return self._procedure.committed

    def _set(self, **registers: int | tuple[int, ...] | Segment) -> None:
        self._procedure.committed = replace(self._now, **registers)  # type: ignore[arg-type]

    def load(self, error_code: int | None) -> Steps:
        """Everything from the commitment to the first instruction of the new task."""
        yield from self._load_cr3()
        yield from self._load_ldtr()
        if self._now.rflags & flags.VM:
            yield self._load_paragraphs()
        else:
            yield from self._load_ss()
            self._set(cpl=Selector(self._now.cs.selector).rpl)
            for name in ("ds", "es", "fs", "gs"):
                yield from self._load_data(name)
            yield from self._load_cs()
        if error_code is not None:
            yield from self._push_error(error_code)
        eip, limit = self._now.rip, self._now.cs.limit
        lost = Fault(GENERAL_PROTECTION, int(self._procedure.ext))
        what = "EIP within the code segment"
        yield self._procedure.check(rules.HANDLER_LIMIT, eip <= limit, what, compare(eip, "≤", limit), lost)
        if isinstance(self._state, Tss32) and self._state.trap:
            self._procedure.debug_trap = True
            yield self._procedure.did(rules.TASK_TRAP, "T bit of the new TSS", "T=1: #DB")
        self._procedure.after = now = self._now
        where = f"CS:EIP ← {now.cs.selector:#x}:{eip:#x}"
        yield self._procedure.did(rules.TASK_ENTER, where, f"ring {now.cpl}")

    def _load_cr3(self) -> Steps:
        if isinstance(self._state, Tss32) and self._now.cr0 & control.CR0_PG:
            self._set(cr3=self._state.cr3)
            yield self._procedure.did(rules.TASK_CR3, "CR3 loaded", f"{self._state.cr3:#x}")
        self._procedure.memory.reload(self._now)

    def _load_ldtr(self) -> Steps:
        selector = Selector(self._now.ldtr.selector)
        if selector.null:
            yield self._procedure.did(rules.TASK_LDT, "no LDT", f"{selector.value:#x}")
            return
        wrong = self._fault(INVALID_TSS, selector)
        in_gdt = not selector.ti
        yield self._procedure.check(rules.TASK_LDT, in_gdt, "LDT selector names the GDT", f"{selector.value:#x}", wrong)
        found, _ = yield from self._find("LDTR", selector)
        right = found.is_system and found.type == LDT
        yield self._procedure.check(rules.TASK_SEGMENT_TYPE, right, "LDTR: an LDT", found.kind, wrong)
        yield self._check_present("LDTR", found, wrong)
        self._set(ldtr=Segment(selector.value, found.base, found.byte_limit, found.value >> 32 & _CACHED))
        yield self._procedure.did(rules.TASK_SEGMENT_LOAD, "load LDTR", f"{selector.value:#x}")

    def _load_paragraphs(self) -> Step:
        names = ("ss", "ds", "es", "fs", "gs", "cs")
        loaded = {name: virtual_segment(getattr(self._now, name).selector) for name in names}
        self._set(cpl=3, **loaded)
        return self._procedure.did(rules.TASK_VM86, "VM=1: the segment registers take paragraphs", "ring 3")

    def _load_ss(self) -> Steps:
        selector, cpl = Selector(self._now.ss.selector), Selector(self._now.cs.selector).rpl
        wrong = self._fault(INVALID_TSS, selector)
        yield self._check_null("SS", selector, wrong)
        found = yield from self._find("SS", selector)
        descriptor = found[0]
        what = "SS: writable data"
        yield self._procedure.check(rules.TASK_SEGMENT_TYPE, descriptor.writable, what, descriptor.kind, wrong)
        yield self._check_present("SS", descriptor, self._fault(STACK_FAULT, selector))
        dpl, rpl = descriptor.dpl, selector.rpl
        what, value = "SS: DPL and RPL are those of the new ring", f"DPL {dpl}, RPL {rpl}, ring {cpl}"
        yield self._procedure.check(rules.TASK_SEGMENT_DPL, dpl == cpl == rpl, what, value, wrong)
        yield self._load("ss", selector, found)

    def _load_data(self, name: str) -> Steps:
        selector, cpl = Selector(getattr(self._now, name).selector), self._now.cpl
        label = name.upper()
        if selector.null:
            yield self._procedure.did(rules.TASK_SEGMENT_NULL, f"{label} null: not usable", f"{selector.value:#x}")
            return
        wrong = self._fault(INVALID_TSS, selector)
        found = yield from self._find(label, selector)
        descriptor = found[0]
        what = f"{label}: data or readable code"
        yield self._procedure.check(rules.TASK_SEGMENT_TYPE, descriptor.readable, what, descriptor.kind, wrong)
        if not descriptor.conforming:
            dpl, most = descriptor.dpl, max(selector.rpl, cpl)
            what = f"{label}: DPL {dpl} ≥ RPL {selector.rpl} and ring {cpl}"
            value = compare(dpl, "≥", most)
            yield self._procedure.check(rules.TASK_SEGMENT_DPL, dpl >= most, what, value, wrong)
        yield self._check_present(label, descriptor, self._fault(NOT_PRESENT, selector))
        yield self._load(name, selector, found)

    def _load_cs(self) -> Steps:
        selector = Selector(self._now.cs.selector)
        wrong = self._fault(INVALID_TSS, selector)
        yield self._check_null("CS", selector, wrong)
        found = yield from self._find("CS", selector)
        descriptor = found[0]
        what = "CS: a code segment"
        yield self._procedure.check(rules.TASK_SEGMENT_TYPE, descriptor.is_code, what, descriptor.kind, wrong)
        dpl, rpl = descriptor.dpl, selector.rpl
        fits = dpl <= rpl if descriptor.conforming else dpl == rpl
        what = "CS: DPL fits the RPL"
        yield self._procedure.check(rules.TASK_SEGMENT_DPL, fits, what, f"DPL {dpl}, RPL {rpl}", wrong)
        yield self._check_present("CS", descriptor, self._fault(NOT_PRESENT, selector))
        yield self._load("cs", selector, found)

    def _push_error(self, error_code: int) -> Steps:
        """The width of the word follows the TSS, that of the stack pointer the stack segment."""
        now = self._now
        size = 2 if isinstance(self._state, Tss16) else 4
        words = PushedWords(self._procedure, Stack(now.ss, flat=False), now.rsp, size, user=now.cpl == 3)
        yield from words.room(1, Fault(STACK_FAULT, int(self._procedure.ext)))
        yield from words.push(rules.PUSH_ERROR, "error code", error_code)
        general = list(now.general)
        general[RSP] = words.rsp(now.rsp)
        self._set(general=tuple(general))

    # Parts of them

    def _fault(self, vector: int, selector: Selector) -> Fault:
        return Fault(vector, selector_error(selector.value, self._procedure.ext))

    def _check_null(self, label: str, selector: Selector, wrong: Fault) -> Step:
        holds, value = not selector.null, f"{selector.value:#x}"
        return self._procedure.check(rules.TASK_SEGMENT_NULL, holds, f"{label} not null", value, wrong)

    def _find(self, label: str, selector: Selector) -> Generator[Step, None, Found]:
        base, limit, table = descriptor_table(self._now, selector)
        last = selector.offset + 7
        inside = limit is not None and last <= limit
        value = "the LDTR is null" if limit is None else compare(last, "≤", limit)
        outside = self._fault(INVALID_TSS, selector)
        yield self._procedure.check(rules.TASK_SEGMENT_LIMIT, inside, f"{label} within the {table}", value, outside)
        address = base + selector.offset & MASK32
        what = f"{label}: {table}[{selector.index}] read"
        found = SegmentDescriptor(self._procedure.read(rules.TASK_SEGMENT_READ, what, address, 8))
        yield self._procedure.did(rules.TASK_SEGMENT_READ, what, f"8 B @{address:x}")
        return found, address

    def _check_present(self, label: str, found: SegmentDescriptor, absent: Fault) -> Step:
        value = f"P={int(found.present)}"
        return self._procedure.check(rules.TASK_SEGMENT_PRESENT, found.present, f"{label} present", value, absent)

    def _load(self, name: str, selector: Selector, found: Found) -> Step:
        text = f"load {name.upper()}"
        mark_accessed(self._procedure, rules.TASK_SEGMENT_LOAD, text, *found)
        self._set(**{name: segment(selector.value, found[0])})
        return self._procedure.did(rules.TASK_SEGMENT_LOAD, text, f"{selector.value:#x}")


_CACHED = 0x00F0FF00
