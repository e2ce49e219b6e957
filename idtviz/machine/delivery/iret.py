"""IRET in long mode (SDM 2A IRET; 3A 6.14.3). Reads from top to bottom as the processor goes."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from idtviz.machine.delivery import rules
from idtviz.machine.delivery.event import GENERAL_PROTECTION, NOT_PRESENT, STACK_FAULT, Fault
from idtviz.machine.delivery.long import descriptor_table, mark_accessed, segment
from idtviz.machine.delivery.procedure import Procedure, Step, Steps
from idtviz.machine.delivery.rules import Rule
from idtviz.machine.memory import LinearMemory
from idtviz.machine.registers import RSP, Registers, Segment
from idtviz.x86 import flags
from idtviz.x86.addresses import MASK64, is_canonical
from idtviz.x86.descriptors import SegmentDescriptor
from idtviz.x86.error_codes import selector_error
from idtviz.x86.selectors import Selector

# Bits that IRET takes from the popped image, beside IF and IOPL (SDM 2A IRET; VM, VIF and VIP stay in long mode).
_STATUS = flags.CF | flags.PF | flags.AF | flags.ZF | flags.SF | flags.OF
_ALWAYS = _STATUS | flags.TF | flags.DF | flags.NT | flags.RF | flags.AC | flags.ID

Found = tuple[SegmentDescriptor, int]
"""A descriptor and the linear address that it was read from."""


class LongReturn(Procedure):
    """An IRET with operands of `size` bytes (2, 4 or 8)."""

    def __init__(self, before: Registers, memory: LinearMemory, size: int) -> None:
        self.size = size
        self.base = before.rsp
        self.to: tuple[int, int] | None = None
        """CS and RIP as popped."""
        super().__init__(before, memory, ext=False)

    @property
    def takes_stack(self) -> bool:
        """Whether RSP and SS are popped without a change of ring too: in 64-bit mode, always (SDM 3A 6.14.3)."""
        return self.before.cs.long

    def _pop(self, rule: Rule, what: str, place: int) -> int:
        address = (self.base + place * self.size) & MASK64
        return self.read(rule, f"pop {what}", address, self.size, user=self.before.cpl == 3)

    def _popped(self, rule: Rule, what: str, value: int, place: int) -> Step:
        return self.did(rule, f"pop {what}", f"{value:#x} ← {(self.base + place * self.size) & MASK64:x}")

    def perform(self) -> Steps:
        at = self.before
        nested = bool(at.rflags & flags.NT)
        task = Fault(GENERAL_PROTECTION, 0)
        yield self.check(rules.IRET_NT, not nested, "NT is clear: no return to another task", f"NT={int(nested)}", task)
        rip = self._pop(rules.POP_RIP, "RIP", 0)
        yield self._popped(rules.POP_RIP, "RIP", rip, 0)
        cs = self._pop(rules.POP_CS, "CS", 1)
        self.to = (cs & 0xFFFF, rip)
        yield self._popped(rules.POP_CS, "CS", cs, 1)
        rflags = self._pop(rules.POP_RFLAGS, "RFLAGS", 2)
        yield self._popped(rules.POP_RFLAGS, "RFLAGS", rflags, 2)

        selector = Selector(cs & 0xFFFF)
        code, code_address = yield from self._check_code(selector)
        outward = selector.rpl > at.cpl
        rsp, ss, words = at.rsp, at.ss, 3
        stack: Found | None = None
        if outward or self.takes_stack:
            words = 5
            rsp = self._pop(rules.POP_RSP, "RSP", 3)
            yield self._popped(rules.POP_RSP, "RSP", rsp, 3)
            ss_word = self._pop(rules.POP_SS, "SS", 4)
            yield self._popped(rules.POP_SS, "SS", ss_word, 4)
            stack_selector = Selector(ss_word & 0xFFFF)
            stack = yield from self._check_stack(stack_selector, selector.rpl, code)
            if stack is None:
                ss = Segment(stack_selector.value, 0, 0, selector.rpl << 13)
            else:
                ss = segment(stack_selector.value, stack[0])
        valid = is_canonical(rip) if code.l else rip <= code.byte_limit
        bound = "canonical" if code.l else f"within the limit {code.byte_limit:#x}"
        lost = Fault(GENERAL_PROTECTION, 0)
        yield self.check(rules.RETURN_RIP, valid, f"return address {bound}", f"{rip:#x}", lost)

        mark_accessed(self, rules.RETURN_LOAD, "load CS, SS, RFLAGS", code, code_address)
        if stack is not None:
            mark_accessed(self, rules.RETURN_LOAD, "load CS, SS, RFLAGS", *stack)
        new_rflags = self._merge(rflags)
        loaded = f"{selector.value:#x}, {ss.selector:#x}, {new_rflags:#x}"
        yield self.did(rules.RETURN_LOAD, "load CS, SS, RFLAGS", loaded)
        data = {name: getattr(at, name) for name in _DATA_SEGMENTS}
        if outward:
            dropped = {name: found for name, found in data.items() if _is_inner(found, selector.rpl)}
            data |= {name: replace(found, selector=0, flags=found.flags & ~_PRESENT) for name, found in dropped.items()}
            names = " ".join(name.upper() for name in dropped if dropped[name].selector) or "none"
            yield self.did(rules.RETURN_SEGMENTS, "data segments of the inner ring made null", names)
        general = list(at.general)
        general[RSP] = self._new_rsp(rsp, words, code, ss)
        self.after = replace(
            at,
            general=tuple(general),
            rip=rip if code.l else rip & 0xFFFFFFFF,
            rflags=new_rflags,
            cpl=selector.rpl,
            cs=segment(selector.value, code),
            ss=ss,
            interrupt_shadow=False,
            **data,
        )
        ring = f"ring {at.cpl} → {selector.rpl}" if outward else f"ring {at.cpl}"
        yield self.did(rules.RESUME, f"RIP ← {self.after.rip:#x} · RSP ← {self.after.rsp:#x}", ring)

    def _check_code(self, selector: Selector) -> Generator[Step, None, Found]:
        """The checks of the return CS."""
        at = self.before
        error = selector_error(selector.value, _EXT)
        wrong = Fault(GENERAL_PROTECTION, error)
        null = Fault(GENERAL_PROTECTION, 0)
        not_null = not selector.null
        yield self.check(rules.RETURN_CS_NULL, not_null, "return CS not null", f"{selector.value:#x}", null)
        yield self._check_limit(rules.RETURN_CS_LIMIT, "CS", selector)
        what = f"CS: {selector.table}[{selector.index}] read"
        address = (descriptor_table(at, selector)[0] + selector.offset) & MASK64
        found = SegmentDescriptor(self.read(rules.RETURN_CS_READ, what, address, 8))
        yield self.did(rules.RETURN_CS_READ, what, f"8 B @{address:x}")
        rpl = selector.rpl
        what = f"not inward: RPL {rpl}, CPL {at.cpl}"
        value = f"{rpl} {'≥' if rpl >= at.cpl else '<'} {at.cpl}"
        yield self.check(rules.RETURN_CS_RPL, rpl >= at.cpl, what, value, wrong)
        is_code = found.is_code and not (found.l and found.db)
        yield self.check(rules.RETURN_CS_CODE, is_code, "code segment", found.kind, wrong)
        fits = found.dpl <= rpl if found.conforming else found.dpl == rpl
        yield self.check(rules.RETURN_CS_DPL, fits, "DPL fits the RPL", f"DPL {found.dpl}, RPL {rpl}", wrong)
        absent = Fault(NOT_PRESENT, error)
        present = f"P={int(found.present)}"
        yield self.check(rules.RETURN_CS_PRESENT, found.present, "code segment present", present, absent)
        return found, address

    def _check_stack(
        self, selector: Selector, rpl: int, code: SegmentDescriptor
    ) -> Generator[Step, None, Found | None]:
        """The checks of the return SS; None for a null selector."""
        if selector.null:
            what, value = "null SS: allowed to 64-bit code in rings 0-2", f"ring {rpl}, {code.kind}"
            null = Fault(GENERAL_PROTECTION, 0)
            yield self.check(rules.RETURN_SS_NULL, code.l and rpl != 3, what, value, null)
            return None
        error = selector_error(selector.value, _EXT)
        wrong = Fault(GENERAL_PROTECTION, error)
        yield self._check_limit(rules.RETURN_SS_LIMIT, "SS", selector)
        what = f"SS: {selector.table}[{selector.index}] read"
        address = (descriptor_table(self.before, selector)[0] + selector.offset) & MASK64
        found = SegmentDescriptor(self.read(rules.RETURN_SS_READ, what, address, 8))
        yield self.did(rules.RETURN_SS_READ, what, f"8 B @{address:x}")
        same = selector.rpl == rpl
        yield self.check(rules.RETURN_SS_RPL, same, "RPL of SS is that of CS", f"{selector.rpl}, {rpl}", wrong)
        writable = found.is_data and found.writable
        yield self.check(rules.RETURN_SS_DATA, writable, "writable data segment", found.kind, wrong)
        fits = found.dpl == rpl
        yield self.check(rules.RETURN_SS_DPL, fits, "DPL of SS is the RPL of CS", f"{found.dpl}, {rpl}", wrong)
        # #SS by the SDM's pseudo-code and newer Bochs; Bochs 0.3.1 of the oracle raises #NP.
        absent = Fault(STACK_FAULT, error)
        present = f"P={int(found.present)}"
        yield self.check(rules.RETURN_SS_PRESENT, found.present, "stack segment present", present, absent)
        return found, address

    def _check_limit(self, rule: Rule, what: str, selector: Selector) -> Step:
        _, limit, name = descriptor_table(self.before, selector)
        last = selector.offset + 7
        holds = limit is not None and last <= limit
        value = "the LDTR is null" if limit is None else f"{last:#x} {'≤' if holds else '>'} {limit:#x}"
        outside = Fault(GENERAL_PROTECTION, selector_error(selector.value, _EXT))
        return self.check(rule, holds, f"return {what} within the {name}", value, outside)

    def _merge(self, popped: int) -> int:
        """RFLAGS from the popped image, as far as CPL and IOPL allow."""
        at = self.before
        mask = _ALWAYS
        if at.cpl <= (at.rflags & flags.IOPL) >> 12:
            mask |= flags.IF
        if at.cpl == 0:
            mask |= flags.IOPL | (flags.VIF | flags.VIP if self.size > 2 else 0)
        if self.size == 2:
            mask &= 0xFFFF
        return at.rflags & ~mask | popped & mask | flags.ALWAYS_SET

    def _new_rsp(self, popped: int, words: int, code: SegmentDescriptor, ss: Segment) -> int:
        """RSP after the return: the popped one, or behind the words taken; as wide as the stack segment returned to."""
        value = popped if words == 5 else self.base + words * self.size
        if code.l:
            return value & MASK64
        if ss.flags & Segment.CODE_32:
            return value & 0xFFFFFFFF
        return self.before.rsp & ~0xFFFF | value & 0xFFFF


def _is_inner(found: Segment, cpl: int) -> bool:
    """Whether a data-segment register may not be kept at `cpl`: its DPL is lower, and it is not conforming code."""
    conforming = found.flags & 0x0C00 == 0x0C00
    return found.dpl < cpl and not conforming


_PRESENT = 1 << 15
_DATA_SEGMENTS = ("ds", "es", "fs", "gs")
_EXT = False  # no fault of an IRET comes from outside the program
