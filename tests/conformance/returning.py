"""Reasons about IRET and RET: whether they apply to a case, and Bochs' answer amended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from idtviz.machine.delivery.far_return import FarReturn
from idtviz.machine.delivery.procedure import Step
from idtviz.machine.delivery.returns import Return
from tests.oracle.case import PAGE, Answer
from tests.oracle.long_mode import GDT, LDT, WRAP, handler

from .seen import (
    NOT_PRESENT,
    PAGE_FAULT,
    STACK_FAULT,
    Seen,
    begins_with,
    changed,
    failed_at,
    take_marks,
    with_bytes,
    with_event,
)


def stack_segment_absent(seen: Seen) -> bool:
    first = seen.first
    return (
        isinstance(first, Return) and failed_at(first, "return.ss.present")
        and bool(seen.bochs.events) and seen.bochs.events[0].vector == NOT_PRESENT
    )  # fmt: skip


def with_stack_fault(seen: Seen) -> Answer:
    answer = with_event(seen.bochs, 0, vector=STACK_FAULT)
    if answer.final is not None and answer.final.rip == handler(NOT_PRESENT):
        answer = replace(answer, final=replace(answer.final, rip=handler(STACK_FAULT)))
    return answer


def gates_differ(seen: Seen) -> bool:
    """#NP and #SS meet different things on their way: the two answers part with that event."""
    return begins_with(seen, STACK_FAULT) and failed_at(seen.first, "return.ss.present")


def pops_by_page(seen: Seen) -> bool:
    first = seen.first
    fault = first.fault if first is not None else None
    return (
        isinstance(first, Return) and fault is not None and fault.vector == PAGE_FAULT
        and failed_at(first, "pop.rip", "pop.cs", "pop.rflags") and bool(seen.bochs.events)
        and 0 < seen.bochs.events[0].cr2 - (fault.cr2 or 0) <= 16
    )  # fmt: skip


def with_first_word(seen: Seen) -> Answer:
    assert seen.first is not None and seen.first.fault is not None
    theirs, cr2 = seen.bochs.events[0].cr2, seen.first.fault.cr2
    answer = seen.bochs
    for at, event in enumerate(answer.events):
        if event.cr2 == theirs:
            answer = with_event(answer, at, cr2=cr2)
    if answer.final is not None and answer.final.cr2 == theirs:
        answer = replace(answer, final=replace(answer.final, cr2=cr2))
    return answer


def _narrow_in_long_mode(seen: Seen) -> bool:
    """IRETD or IRETW in 64-bit mode, back to the same ring."""
    first = seen.first
    if not isinstance(first, Return) or first.before.mode != "long" or seen.case.state.cs.attributes & 1 << 21 == 0:
        return False
    return seen.case.pages()[seen.case.state.rip & WRAP & -PAGE][seen.case.state.rip % PAGE] in (0xCF, 0x66)


def iretd_went_on(seen: Seen) -> bool:
    return _narrow_in_long_mode(seen) and not seen.bochs.events and seen.bochs.final is not None


def with_stack_popped(seen: Seen) -> Answer:
    """RSP and SS as our machine popped them, and the accessed bit of the descriptor of SS."""
    ours, answer = seen.found.answer.final, seen.bochs
    if ours is None or answer.final is None or seen.found.answer.events:
        return answer
    answer = replace(answer, final=replace(answer.final, rsp=ours.rsp, ss=ours.ss))
    step = seen.found.procedures[0].steps
    for address, size in (place for rule in ("return.load", "ss.load") for place in _writes_of(step, rule)):
        (byte,) = seen.found.answer.words(seen.case, address, 1, size)
        answer = with_bytes(seen.case, answer, address, byte.to_bytes(size, "little"))
    return with_descriptor_read(replace(seen, bochs=answer))


def _writes_of(steps: list[Step], rule: str) -> Iterator[tuple[int, int]]:
    for step in steps:
        if step.rule.id == rule:
            for span in step.writes:
                yield span.address & WRAP, span.size


def iretd_checks_stack(seen: Seen) -> bool:
    """Our machine finds something wrong with the SS that Bochs does not pop."""
    return _narrow_in_long_mode(seen) and failed_at(seen.first, *_STACK_CHECKS)


_STACK_CHECKS = tuple(f"return.ss.{name}" for name in ("null", "limit", "rpl", "data", "dpl", "present"))


def virtual_ip_beyond(seen: Seen) -> bool:
    """IRETD in virtual-8086 mode, or to it."""
    first = seen.first
    if not isinstance(first, Return) or not failed_at(first, "return.rip"):
        return False
    return seen.case.state.is_virtual_8086 or any(step.rule.id == "return.vm86" for step in first.steps)


def frame_cut_off(seen: Seen) -> bool:
    """Our machine finds that the frame is not all within the limit where Bochs goes on, or meets a page before."""
    return isinstance(seen.first, Return | FarReturn) and failed_at(seen.first, "pop.room") and (
        not seen.bochs.events or seen.bochs.events[0].vector != STACK_FAULT
    )  # fmt: skip


def rings_compared_first(seen: Seen) -> bool:
    return isinstance(seen.first, Return | FarReturn) and failed_at(seen.first, "return.ss.rpl")


def with_descriptor_read(seen: Seen) -> Answer:
    """The page that holds the descriptor of SS is marked accessed, as our machine marked it."""
    answer, case = seen.bochs, seen.case
    before, ours, theirs = case.pages(), seen.found.answer.pages(case), answer.pages(case)
    take_marks(theirs, ours, lambda page: page in (GDT, LDT))
    return replace(answer, changes=changed(before, theirs))


def narrow_trap(seen: Seen) -> bool:
    """What comes behind such an IRET comes with another stack pointer."""
    first = seen.first
    return _narrow_in_long_mode(seen) and first is not None and first.fault is None and len(seen.bochs.events) > 0
