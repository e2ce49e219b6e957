"""Far CALL and JMP through a call gate (SDM 3A 5.8.3 to 5.8.5). Reads from top to bottom as the processor goes."""

from __future__ import annotations

from collections.abc import Generator

from idtviz.machine.delivery import rules
from idtviz.machine.delivery.event import GENERAL_PROTECTION, INVALID_TSS, NOT_PRESENT, STACK_FAULT, Fault
from idtviz.machine.delivery.procedure import Step, Steps
from idtviz.machine.delivery.pushing import PushedWords
from idtviz.machine.delivery.returning import POINTER_NAMES
from idtviz.machine.delivery.segments import compare, descriptor_table, mark_accessed, segment
from idtviz.machine.delivery.stack import Stack, stack_of
from idtviz.machine.delivery.transfer import FarTransfer
from idtviz.machine.registers import Segment
from idtviz.x86 import control
from idtviz.x86.addresses import MASK64, is_canonical
from idtviz.x86.descriptors import SegmentDescriptor
from idtviz.x86.error_codes import selector_error
from idtviz.x86.gates import Gate32, Gate64
from idtviz.x86.selectors import Selector
from idtviz.x86.tss import rsp_offset

_TSS_16_TYPES = (0x1, 0x3)
_PARAMETERS = 0x1F
"""Parameters that a gate can ask for at most: the count has five bits."""


class CallGate:
    """The gate that `selector` names, gone through by `transfer`; `found` are its first eight bytes, at `address`."""

    def __init__(self, transfer: FarTransfer, selector: Selector, found: SegmentDescriptor, address: int) -> None:
        self._transfer = transfer
        self._before = transfer.before
        self._selector = selector
        self._found = found
        self._address = address
        self._long = bool(transfer.before.efer & control.EFER_LMA)
        self._gate: Gate32 | Gate64 = Gate32(found.value)

    def perform(self) -> Steps:
        """From the gate to the procedure that it names."""
        transfer = self._transfer
        yield from self._read_gate()
        selector = Selector(self._gate.selector)
        code, address = yield from self._find_code(selector)
        offset = self._gate.offset
        inner = transfer.pushes and not code.conforming and code.dpl < self._before.cpl
        cpl = code.dpl if inner else self._before.cpl
        if inner:
            ss, stack = yield from self._find_stack(cpl)
            words = PushedWords(transfer, *stack, self._size, user=False)
            parameters = 0 if self._long else self._gate.value >> 32 & _PARAMETERS
            yield from words.room(4 + parameters, Fault(STACK_FAULT, selector_error(ss[0].selector, transfer.ext)))
            yield transfer.check_address(code, offset)
            yield from self._push_caller(words, parameters)
        else:
            here = Stack(self._before.ss, flat=True) if self._long else stack_of(self._before)
            words = PushedWords(transfer, here, self._before.rsp, self._size, user=cpl == 3)
            if transfer.pushes:
                yield from words.room(2, Fault(STACK_FAULT, 0))
            yield transfer.check_address(code, offset)
        if transfer.pushes:
            yield from words.push(rules.CALL_PUSH_CS, "CS", self._before.cs.selector)
            yield from words.push(rules.CALL_PUSH_IP, POINTER_NAMES[self._size][0], transfer.end)
        loaded: dict[str, Segment] = {}
        if inner:
            loaded["ss"] = ss[0]
            if ss[1] is not None:
                mark_accessed(transfer, rules.FAR_LOAD, "load CS", *ss[1])
        yield transfer.load_code(selector, code, address, cpl)
        rsp = words.rsp(self._before.rsp) if transfer.pushes else None
        cs = segment(selector.value & ~3 | cpl, code)
        yield transfer.enter(transfer.arrive(cs, cpl, offset, rsp, **loaded))

    @property
    def _size(self) -> int:
        """Bytes of a word on the stack."""
        return 8 if self._long else 4 if self._found.type & 8 else 2

    def _read_gate(self) -> Steps:
        """Whether the gate is present; and the second half of a 64-bit gate."""
        transfer = self._transfer
        error = selector_error(self._selector.value, transfer.ext)
        present = self._found.present
        absent = Fault(NOT_PRESENT, error)
        yield transfer.check(rules.CALL_GATE_PRESENT, present, "gate present", f"P={int(present)}", absent)
        if self._long:
            wrong = Fault(GENERAL_PROTECTION, error)
            _, limit, name = descriptor_table(self._before, self._selector)
            last = self._selector.offset + 15
            value = "the LDTR is null" if limit is None else compare(last, "≤", limit)
            holds = limit is not None and last <= limit
            yield transfer.check(rules.CALL_GATE_WIDE, holds, f"both halves within the {name}", value, wrong)
            address = (self._address + 8) & MASK64
            upper = transfer.read(rules.CALL_GATE_WIDE, "second half read", address, 8)
            yield transfer.did(rules.CALL_GATE_WIDE, "second half read", f"8 B @{address:x}")
            self._gate = gate = Gate64(self._found.value | upper << 64)
            zero = gate.must_be_zero
            what = "type field of the upper half is zero"
            yield transfer.check(rules.GATE_RESERVED, zero == 0, what, f"{zero:#x}", wrong)

    def _find_code(self, selector: Selector) -> Generator[Step, None, tuple[SegmentDescriptor, int]]:
        """The code segment that the gate names."""
        transfer, cpl = self._transfer, self._before.cpl
        error = selector_error(selector.value, transfer.ext)
        wrong = Fault(GENERAL_PROTECTION, error)
        null = Fault(GENERAL_PROTECTION, 0)
        value = f"{selector.value:#x}"
        yield transfer.check(rules.SELECTOR_NULL, not selector.null, "gate's selector not null", value, null)
        address = yield from self._within_table(rules.SELECTOR_LIMIT, "gate's selector", selector, wrong)
        what = f"{selector.table}[{selector.index}] read"
        found = SegmentDescriptor(transfer.read(rules.DESCRIPTOR_READ, what, address, 8))
        yield transfer.did(rules.DESCRIPTOR_READ, what, f"8 B @{address:x}")
        yield transfer.check(rules.DESCRIPTOR_CODE, found.is_code, "code segment", found.kind, wrong)
        dpl = found.dpl
        outward = dpl <= cpl if transfer.pushes or found.conforming else dpl == cpl
        what = f"DPL {dpl} {'≤' if transfer.pushes or found.conforming else '='} CPL {cpl}"
        yield transfer.check(rules.CALL_GATE_CODE_DPL, outward, what, f"DPL {dpl}, CPL {cpl}", wrong)
        if self._long:
            bits = f"L={int(found.l)} D={int(found.db)}"
            right = found.l and not found.db
            yield transfer.check(rules.DESCRIPTOR_LONG, right, "64-bit code: L=1 D=0", bits, wrong)
        absent = Fault(NOT_PRESENT, error)
        present = f"P={int(found.present)}"
        yield transfer.check(rules.DESCRIPTOR_PRESENT, found.present, "code segment present", present, absent)
        return found, address

    def _find_stack(
        self, cpl: int
    ) -> Generator[Step, None, tuple[tuple[Segment, tuple[SegmentDescriptor, int] | None], tuple[Stack, int]]]:
        """The stack of ring `cpl` from the TSS: SS with its descriptor, and the stack with its pointer."""
        transfer, tr = self._transfer, self._before.tr
        narrow = not self._long and tr.flags >> 8 & 0xF in _TSS_16_TYPES
        offset = 2 + 4 * cpl if narrow else rsp_offset(cpl)
        size, selector_size = (8, 0) if self._long else (2, 2) if narrow else (4, 2)
        last = offset + size + selector_size - 1
        outside = Fault(INVALID_TSS, selector_error(tr.selector, transfer.ext))
        what = f"stack of ring {cpl} within the TSS"
        yield transfer.check(rules.CALL_GATE_STACK, last <= tr.limit, what, compare(last, "≤", tr.limit), outside)
        address = (tr.base + offset) & MASK64
        what = f"stack of ring {cpl} read"
        if self._long:
            pointer = transfer.read(rules.CALL_GATE_STACK, what, address, size)
            yield transfer.did(rules.CALL_GATE_STACK, what, f"{pointer:#x} ← 8 B @{address:x}")
            # Bochs gives the old SS here; the SDM says #SS(NewSS), and NewSS is a null selector.
            bad = Fault(STACK_FAULT, int(transfer.ext))
            canonical = is_canonical(pointer)
            yield transfer.check(rules.STACK_CANONICAL, canonical, "new stack pointer canonical", f"{pointer:#x}", bad)
            null = Segment(cpl, 0, 0, cpl << 13)
            return (null, None), (Stack(null, flat=True), pointer)
        selector = Selector(transfer.read(rules.CALL_GATE_STACK, what, address + size, 2))
        pointer = transfer.read(rules.CALL_GATE_STACK, what, address, size)
        yield transfer.did(rules.CALL_GATE_STACK, what, f"{selector.value:#x}:{pointer:#x} ← {size + 2} B @{address:x}")
        found = yield from self._check_stack(selector, cpl)
        ss = segment(selector.value, found[0])
        return (ss, found), (Stack(ss, flat=False), pointer)

    def _check_stack(self, selector: Selector, cpl: int) -> Generator[Step, None, tuple[SegmentDescriptor, int]]:
        """The checks of the SS that the TSS names."""
        transfer = self._transfer
        error = selector_error(selector.value, transfer.ext)
        wrong = Fault(INVALID_TSS, error)
        value, null = f"{selector.value:#x}", Fault(INVALID_TSS, 0)
        yield transfer.check(rules.CALL_GATE_SS_NULL, not selector.null, "new SS not null", value, null)
        address = yield from self._within_table(rules.CALL_GATE_SS_LIMIT, "new SS", selector, wrong)
        what = f"SS: {selector.table}[{selector.index}] read"
        found = SegmentDescriptor(transfer.read(rules.CALL_GATE_SS_READ, what, address, 8))
        yield transfer.did(rules.CALL_GATE_SS_READ, what, f"8 B @{address:x}")
        same = selector.rpl == cpl == found.dpl
        what = f"RPL and DPL of SS are the new CPL {cpl}"
        yield transfer.check(rules.CALL_GATE_SS_RPL, same, what, f"RPL {selector.rpl}, DPL {found.dpl}", wrong)
        writable = found.is_data and found.writable
        yield transfer.check(rules.CALL_GATE_SS_DATA, writable, "writable data segment", found.kind, wrong)
        absent = Fault(STACK_FAULT, error)
        present = f"P={int(found.present)}"
        yield transfer.check(rules.CALL_GATE_SS_PRESENT, found.present, "new SS present", present, absent)
        return found, address

    def _within_table(
        self, rule: rules.Rule, what: str, selector: Selector, wrong: Fault
    ) -> Generator[Step, None, int]:
        """The check that the selector lies within its table; the descriptor's address."""
        base, limit, name = descriptor_table(self._before, selector)
        last = selector.offset + 7
        value = "the LDTR is null" if limit is None else compare(last, "≤", limit)
        inside = limit is not None and last <= limit
        yield self._transfer.check(rule, inside, f"{what} within the {name}", value, wrong)
        return (base + selector.offset) & MASK64

    def _push_caller(self, words: PushedWords, parameters: int) -> Steps:
        """The caller's SS and stack pointer, and the parameters that lie on top of its stack."""
        transfer, at, size = self._transfer, self._before, self._size
        yield from words.push(rules.CALL_PUSH_STACK, "SS", at.ss.selector)
        yield from words.push(rules.CALL_PUSH_STACK, POINTER_NAMES[size][1], at.rsp)
        if not parameters:
            return
        stack = stack_of(at)
        pointers = [at.rsp + size * place & stack.mask for place in range(parameters)]
        holds = all(stack.holds(pointer, size) for pointer in pointers)
        what = f"{parameters} parameters on the caller's stack"
        yield transfer.check(rules.POP_ROOM, holds, what, f"limit {at.ss.limit:#x}", Fault(STACK_FAULT, 0))
        for pointer in reversed(pointers):
            address = stack.address(pointer)
            value = transfer.read(rules.CALL_GATE_PARAMETERS, "parameter read", address, size, user=at.cpl == 3)
            yield from words.push(rules.CALL_PUSH_PARAMETER, "parameter", value)
