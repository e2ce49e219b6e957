"""IRET in long mode (SDM 2A IRET; 3A 6.14.3). Reads from top to bottom as the processor goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from idtviz.machine.delivery import rules
from idtviz.machine.delivery.event import GENERAL_PROTECTION, NOT_PRESENT, STACK_FAULT
from idtviz.machine.delivery.long import descriptor_table, mark_accessed, segment
from idtviz.machine.delivery.procedure import Procedure, Step
from idtviz.machine.delivery.rules import Rule
from idtviz.machine.memory import LinearMemory
from idtviz.machine.registers import RSP, Registers, Segment
from idtviz.x86 import flags
from idtviz.x86.addresses import MASK64, is_canonical
from idtviz.x86.descriptors import SegmentDescriptor
from idtviz.x86.error_codes import selector_error
from idtviz.x86.selectors import Selector

# Bits that IRET takes from the popped image, beside IF and IOPL (SDM 2A IRET; VM, VIF and VIP stay in long mode).
_ALWAYS = (
    flags.CF | flags.PF | flags.AF | flags.ZF | flags.SF | flags.TF | flags.DF | flags.OF | flags.NT | flags.RF | flags.AC | flags.ID
)


class LongReturn(Procedure):
    """An IRET with operands of `size` bytes (2, 4 or 8), `length` bytes long."""

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

    def perform(self) -> Iterator[Step]:
        at = self.before
        yield self.check(
            *(rules.IRET_NT, not at.rflags & flags.NT),
            *("NT is clear: no return to another task", f"NT={int(bool(at.rflags & flags.NT))}"),
            *(GENERAL_PROTECTION, 0),
        )
        rip = self._pop(rules.POP_RIP, "RIP", 0)
        yield self._popped(rules.POP_RIP, "RIP", rip, 0)
        cs = self._pop(rules.POP_CS, "CS", 1)
        self.to = (cs & 0xFFFF, rip)
        yield self._popped(rules.POP_CS, "CS", cs, 1)
        rflags = self._pop(rules.POP_RFLAGS, "RFLAGS", 2)
        yield self._popped(rules.POP_RFLAGS, "RFLAGS", rflags, 2)

        code_selector = Selector(cs & 0xFFFF)
        code, code_address = yield from self._check_code(code_selector)
        outward = code_selector.rpl > at.cpl
        rsp, ss, words = at.rsp, at.ss, 3
        stack: SegmentDescriptor | None = None
        stack_address = 0
        if outward or self.takes_stack:
            words = 5
            rsp = self._pop(rules.POP_RSP, "RSP", 3)
            yield self._popped(rules.POP_RSP, "RSP", rsp, 3)
            ss_word = self._pop(rules.POP_SS, "SS", 4)
            yield self._popped(rules.POP_SS, "SS", ss_word, 4)
            stack_selector = Selector(ss_word & 0xFFFF)
            stack, stack_address = yield from self._check_stack(stack_selector, code_selector.rpl, code)
            if stack is None:
                ss = Segment(stack_selector.value, 0, 0, code_selector.rpl << 13)
            else:
                ss = segment(stack_selector.value, stack)
        valid = is_canonical(rip) if code.l else rip <= code.byte_limit
        bound = "canonical" if code.l else f"within the limit {code.byte_limit:#x}"
        yield self.check(rules.RETURN_RIP, valid, f"return address {bound}", f"{rip:#x}", GENERAL_PROTECTION, 0)

        mark_accessed(self, rules.RETURN_LOAD, "load CS, SS, RFLAGS", code, code_address)
        if stack is not None:
            mark_accessed(self, rules.RETURN_LOAD, "load CS, SS, RFLAGS", stack, stack_address)
        new_rflags = self._merge(rflags)
        yield self.did(
            rules.RETURN_LOAD, "load CS, SS, RFLAGS", f"{code_selector.value:#x}, {ss.selector:#x}, {new_rflags:#x}"
        )
        data = {name: getattr(at, name) for name in ("ds", "es", "fs", "gs")}
        if outward:
            dropped = {name: found for name, found in data.items() if _is_inner(found, code_selector.rpl)}
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
            cpl=code_selector.rpl,
            cs=segment(code_selector.value, code),
            ss=ss,
            interrupt_shadow=False,
            **data,
        )
        ring = f"ring {at.cpl} → {code_selector.rpl}" if outward else f"ring {at.cpl}"
        yield self.did(rules.RESUME, f"RIP ← {self.after.rip:#x} · RSP ← {self.after.rsp:#x}", ring)

    def _check_code(self, selector: Selector) -> Iterator[Step]:  # type: ignore[misc]
        """Yields the checks of the return CS; the generator's value is its descriptor and that descriptor's address."""
        at = self.before
        error = selector_error(selector.value, False)
        yield self.check(
            *(rules.RETURN_CS_NULL, not selector.null),
            *("return CS not null", f"{selector.value:#x}"),
            *(GENERAL_PROTECTION, 0),
        )
        yield self._check_limit(rules.RETURN_CS_LIMIT, "CS", selector)
        what = f"CS: {selector.table}[{selector.index}] read"
        address = (descriptor_table(at, selector)[0] + selector.offset) & MASK64
        found = SegmentDescriptor(self.read(rules.RETURN_CS_READ, what, address, 8))
        yield self.did(rules.RETURN_CS_READ, what, f"8 B @{address:x}")
        yield self.check(
            *(rules.RETURN_CS_RPL, selector.rpl >= at.cpl),
            *(f"not inward: RPL {selector.rpl}, CPL {at.cpl}", f"{selector.rpl} {'≥' if selector.rpl >= at.cpl else '<'} {at.cpl}"),
            *(GENERAL_PROTECTION, error),
        )
        yield self.check(
            *(rules.RETURN_CS_CODE, found.is_code and not (found.l and found.db)),
            *("code segment", found.kind),
            *(GENERAL_PROTECTION, error),
        )
        fits = found.dpl <= selector.rpl if found.conforming else found.dpl == selector.rpl
        yield self.check(
            *(rules.RETURN_CS_DPL, fits),
            *("DPL fits the RPL", f"DPL {found.dpl}, RPL {selector.rpl}"),
            *(GENERAL_PROTECTION, error),
        )
        yield self.check(
            *(rules.RETURN_CS_PRESENT, found.present),
            *("code segment present", f"P={int(found.present)}"),
            *(NOT_PRESENT, error),
        )
        return found, address

    def _check_stack(self, selector: Selector, rpl: int, code: SegmentDescriptor) -> Iterator[Step]:  # type: ignore[misc]
        """Yields the checks of the return SS; the generator's value is its descriptor (None: null) and its address."""
        if selector.null:
            yield self.check(
                *(rules.RETURN_SS_NULL, code.l and rpl != 3),
                *("null SS: allowed to 64-bit code in rings 0-2", f"ring {rpl}, {code.kind}"),
                *(GENERAL_PROTECTION, 0),
            )
            return None, 0
        error = selector_error(selector.value, False)
        yield self._check_limit(rules.RETURN_SS_LIMIT, "SS", selector)
        what = f"SS: {selector.table}[{selector.index}] read"
        address = (descriptor_table(self.before, selector)[0] + selector.offset) & MASK64
        found = SegmentDescriptor(self.read(rules.RETURN_SS_READ, what, address, 8))
        yield self.did(rules.RETURN_SS_READ, what, f"8 B @{address:x}")
        yield self.check(
            *(rules.RETURN_SS_RPL, selector.rpl == rpl),
            *("RPL of SS is that of CS", f"{selector.rpl}, {rpl}"),
            *(GENERAL_PROTECTION, error),
        )
        yield self.check(
            *(rules.RETURN_SS_DATA, found.is_data and found.writable),
            *("writable data segment", found.kind),
            *(GENERAL_PROTECTION, error),
        )
        yield self.check(
            *(rules.RETURN_SS_DPL, found.dpl == rpl),
            *("DPL of SS is the RPL of CS", f"{found.dpl}, {rpl}"),
            *(GENERAL_PROTECTION, error),
        )
        # #SS by the SDM's pseudo-code and newer Bochs; Bochs 0.3.1 of the oracle raises #NP.
        yield self.check(
            *(rules.RETURN_SS_PRESENT, found.present),
            *("stack segment present", f"P={int(found.present)}"),
            *(STACK_FAULT, error),
        )
        return found, address

    def _check_limit(self, rule: Rule, what: str, selector: Selector) -> Step:
        _, limit, name = descriptor_table(self.before, selector)
        last = selector.offset + 7
        holds = limit is not None and last <= limit
        value = "the LDTR is null" if limit is None else f"{last:#x} {'≤' if holds else '>'} {limit:#x}"
        error = selector_error(selector.value, False)
        return self.check(rule, holds, f"return {what} within the {name}", value, GENERAL_PROTECTION, error)

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
