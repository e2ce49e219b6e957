"""What IRET and far RET share: the words that they pop, and the checks of the segments that they return to."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from idtviz.machine.delivery import rules
from idtviz.machine.delivery.event import GENERAL_PROTECTION, NOT_PRESENT, STACK_FAULT, Fault
from idtviz.machine.delivery.procedure import Procedure, Step, Steps
from idtviz.machine.delivery.rules import Rule
from idtviz.machine.delivery.segments import DATA_SEGMENTS, compare, descriptor_table, is_inner
from idtviz.machine.delivery.stack import stack_of
from idtviz.machine.registers import Registers
from idtviz.x86 import control
from idtviz.x86.addresses import MASK32, MASK64, is_canonical
from idtviz.x86.descriptors import SegmentDescriptor
from idtviz.x86.error_codes import selector_error
from idtviz.x86.selectors import Selector

Found = tuple[SegmentDescriptor, int]
"""A descriptor and the linear address that it was read from."""

POINTER_NAMES = {2: ("IP", "SP", "FLAGS"), 4: ("EIP", "ESP", "EFLAGS"), 8: ("RIP", "RSP", "RFLAGS")}
"""What instruction pointer, stack pointer and flags are called, by operand size in bytes."""

_PRESENT = 1 << 15
_EXT = False  # no fault of a return comes from outside the program


class PoppedWords:
    """The words of `size` bytes on top of the stack, the first popped at place 0."""

    def __init__(self, procedure: Procedure, size: int) -> None:
        self._procedure = procedure
        self._size = size
        self._stack = stack_of(procedure.before)
        self._user = procedure.before.cpl == 3

    def room(self, words: int, first: int = 0, skip: int = 0) -> Steps:
        """The check that `words` words from place `first` lie within the stack segment; none in 64-bit mode.

        `skip` is how many bytes lie between the words at places 1 and 2: the parameters that RET n releases.
        """
        if self._stack.flat:
            return
        pointers = [self._pointer(place, skip) for place in range(first, first + words)]
        outside = [pointer for pointer in pointers if not self._stack.holds(pointer, self._size)]
        segment = self._stack.segment
        what = f"{words} words at SS:{pointers[0]:#x} within the limit"
        value = f"{outside[0]:#x}, limit {segment.limit:#x}" if outside else f"limit {segment.limit:#x}"
        yield self._procedure.check(rules.POP_ROOM, not outside, what, value, Fault(STACK_FAULT, 0))

    def pop(self, rule: Rule, name: str, place: int, skip: int = 0) -> Generator[Step, None, int]:
        """Pop one word: a step."""
        value = self.read(rule, name, place, skip)
        yield self.popped(rule, name, value, place, skip)
        return value

    def read(self, rule: Rule, name: str, place: int, skip: int = 0) -> int:
        """Read one word, for a caller that makes the step `popped` of it."""
        address = self._stack.address(self._pointer(place, skip))
        return self._procedure.read(rule, f"pop {name}", address, self._size, user=self._user)

    def popped(self, rule: Rule, name: str, value: int, place: int, skip: int = 0) -> Step:
        """The step in which `value` was read."""
        address = self._stack.address(self._pointer(place, skip))
        return self._procedure.did(rule, f"pop {name}", f"{value:#x} ← {address:x}")

    def rsp_behind(self, words: int, skip: int = 0) -> int:
        """RSP when so many words, and `skip` bytes more, are taken."""
        rsp = self._procedure.before.rsp
        return self._stack.moved(rsp, rsp + words * self._size + skip)

    def _pointer(self, place: int, skip: int) -> int:
        offset = place * self._size + (skip if place > 1 else 0)
        return self._procedure.before.rsp + offset & self._stack.mask


def check_return_code(procedure: Procedure, selector: Selector) -> Generator[Step, None, Found]:
    """The checks of the return CS."""
    at = procedure.before
    error = selector_error(selector.value, _EXT)
    wrong = Fault(GENERAL_PROTECTION, error)
    null = Fault(GENERAL_PROTECTION, 0)
    not_null = not selector.null
    yield procedure.check(rules.RETURN_CS_NULL, not_null, "return CS not null", f"{selector.value:#x}", null)
    yield _check_limit(procedure, rules.RETURN_CS_LIMIT, "CS", selector)
    what = f"CS: {selector.table}[{selector.index}] read"
    address = (descriptor_table(at, selector)[0] + selector.offset) & MASK64
    found = SegmentDescriptor(procedure.read(rules.RETURN_CS_READ, what, address, 8))
    yield procedure.did(rules.RETURN_CS_READ, what, f"8 B @{address:x}")
    rpl = selector.rpl
    what = f"not inward: RPL {rpl}, CPL {at.cpl}"
    yield procedure.check(rules.RETURN_CS_RPL, rpl >= at.cpl, what, compare(rpl, "≥", at.cpl), wrong)
    long = bool(at.efer & control.EFER_LMA)
    is_code = found.is_code and not (long and found.l and found.db)
    yield procedure.check(rules.RETURN_CS_CODE, is_code, "code segment", found.kind, wrong)
    fits = found.dpl <= rpl if found.conforming else found.dpl == rpl
    yield procedure.check(rules.RETURN_CS_DPL, fits, "DPL fits the RPL", f"DPL {found.dpl}, RPL {rpl}", wrong)
    absent = Fault(NOT_PRESENT, error)
    present = f"P={int(found.present)}"
    yield procedure.check(rules.RETURN_CS_PRESENT, found.present, "code segment present", present, absent)
    return found, address


def check_return_stack(
    procedure: Procedure, selector: Selector, rpl: int, code: SegmentDescriptor
) -> Generator[Step, None, Found | None]:
    """The checks of the return SS, for a return to ring `rpl`; None for a null selector."""
    if selector.null:
        what, value = "null SS: allowed to 64-bit code in rings 0-2", f"ring {rpl}, {code.kind}"
        null = Fault(GENERAL_PROTECTION, 0)
        allowed = is_64_bit(procedure.before, code) and rpl != 3
        yield procedure.check(rules.RETURN_SS_NULL, allowed, what, value, null)
        return None
    error = selector_error(selector.value, _EXT)
    wrong = Fault(GENERAL_PROTECTION, error)
    yield _check_limit(procedure, rules.RETURN_SS_LIMIT, "SS", selector)
    what = f"SS: {selector.table}[{selector.index}] read"
    address = (descriptor_table(procedure.before, selector)[0] + selector.offset) & MASK64
    found = SegmentDescriptor(procedure.read(rules.RETURN_SS_READ, what, address, 8))
    yield procedure.did(rules.RETURN_SS_READ, what, f"8 B @{address:x}")
    same = selector.rpl == rpl
    yield procedure.check(rules.RETURN_SS_RPL, same, "RPL of SS is that of CS", f"{selector.rpl}, {rpl}", wrong)
    writable = found.is_data and found.writable
    yield procedure.check(rules.RETURN_SS_DATA, writable, "writable data segment", found.kind, wrong)
    fits = found.dpl == rpl
    yield procedure.check(rules.RETURN_SS_DPL, fits, "DPL of SS is the RPL of CS", f"{found.dpl}, {rpl}", wrong)
    # #SS by the SDM's pseudo-code and newer Bochs; IRET of the oracle's Bochs 0.3.1 raises #NP.
    absent = Fault(STACK_FAULT, error)
    present = f"P={int(found.present)}"
    yield procedure.check(rules.RETURN_SS_PRESENT, found.present, "stack segment present", present, absent)
    return found, address


def is_64_bit(at: Registers, code: SegmentDescriptor) -> bool:
    """Whether code of this segment runs in 64-bit mode: L means nothing outside long mode (SDM 3A 5.2.1)."""
    return code.l and bool(at.efer & control.EFER_LMA)


def check_return_address(procedure: Procedure, rip: int, code: SegmentDescriptor) -> Step:
    """The check of the address returned to: for code that is not 64-bit only its low half counts, which is EIP."""
    if is_64_bit(procedure.before, code):
        holds, bound = is_canonical(rip), "canonical"
    else:
        holds, bound = rip & MASK32 <= code.byte_limit, f"within the limit {code.byte_limit:#x}"
    lost = Fault(GENERAL_PROTECTION, 0)
    return procedure.check(rules.RETURN_RIP, holds, f"return address {bound}", f"{rip:#x}", lost)


def drop_inner_segments(procedure: Procedure, cpl: int, data: dict[str, Any]) -> Generator[Step, None, dict[str, Any]]:
    """The data-segment registers `data` after a return outward to `cpl`: those of inner rings are null."""
    dropped = {name: found for name, found in data.items() if is_inner(found, cpl)}
    names = " ".join(name.upper() for name in dropped if dropped[name].selector) or "none"
    yield procedure.did(rules.RETURN_SEGMENTS, "data segments of the inner ring made null", names)
    null = {name: replace(found, selector=0, flags=found.flags & ~_PRESENT) for name, found in dropped.items()}
    return data | null


def data_segments(at: Registers) -> dict[str, Any]:
    """The segment registers DS, ES, FS and GS by name."""
    return {name: getattr(at, name) for name in DATA_SEGMENTS}


def _check_limit(procedure: Procedure, rule: Rule, what: str, selector: Selector) -> Step:
    _, limit, name = descriptor_table(procedure.before, selector)
    last = selector.offset + 7
    holds = limit is not None and last <= limit
    value = "the LDTR is null" if limit is None else compare(last, "≤", limit)
    outside = Fault(GENERAL_PROTECTION, selector_error(selector.value, _EXT))
    return procedure.check(rule, holds, f"return {what} within the {name}", value, outside)
