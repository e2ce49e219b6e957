"""Reasons about deliveries, far CALL and tasks: whether they apply to a case, and Bochs' answer amended."""

from __future__ import annotations

from dataclasses import replace

from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.delivery.far import FarCall
from idtviz.machine.delivery.procedure import Procedure
from tests.oracle.case import PAGE, Answer
from tests.oracle.long_mode import GDT, LDT, WRAP
from tests.oracle.protected_mode import RESCUE_TSS, TASK_TSS

from .seen import (
    GENERAL_PROTECTION,
    INVALID_TSS,
    PAGE_FAULT,
    RF,
    STACK_FAULT,
    USER_ACCESS,
    Seen,
    begins_with,
    changed,
    failed_at,
    holds_stack,
    is_double_fault,
    take_marks,
    with_bytes,
    with_event,
    writes,
)


def double_fault_saved(seen: Seen) -> bool:
    return any(is_double_fault(procedure) for procedure in seen.found.procedures)


def without_rf(seen: Seen) -> Answer:
    answer = seen.bochs
    for procedure in filter(is_double_fault, seen.found.procedures):
        places = list(writes(procedure, "push.rflags"))
        if any(True for _ in writes(procedure, "task.save")):
            places.append((procedure.before.tr.base + 0x24 & WRAP, 4))
        for address, size in places:
            if size < 4:
                continue
            (word,) = answer.words(seen.case, address, 1, 4)
            word = word & ~RF | procedure.before.rflags & RF
            answer = with_bytes(seen.case, answer, address, word.to_bytes(4, "little"))
    return answer


def pointer_not_canonical(seen: Seen) -> bool:
    return any(_names_old_stack(procedure) for procedure in seen.found.procedures)


def _names_old_stack(procedure: Procedure) -> bool:
    fault = procedure.fault
    canonical = ("stack.canonical", "far.gate.stack")
    return fault is not None and fault.vector == STACK_FAULT and failed_at(procedure, *canonical)


def with_null_selector(seen: Seen) -> Answer:
    answer = seen.bochs
    places = seen.index_of_fault
    procedures = seen.found.procedures
    for at, place in places.items():
        if not _names_old_stack(procedures[at]) or place >= len(answer.events):
            continue
        event = answer.events[place]
        if event.error_code is None or event.error_code & ~7 != procedures[at].before.ss.selector & ~7:
            continue
        answer = with_event(answer, place, error_code=event.error_code & 1)
        following = procedures[at + 1] if at + 1 < len(procedures) else None
        if isinstance(following, Delivery) and following.event.vector == STACK_FAULT:
            for address, size in writes(following, "push.error"):
                answer = with_bytes(seen.case, answer, address, (event.error_code & 1).to_bytes(size, "little"))
    return answer


def conforming_in_ring_3(seen: Seen) -> bool:
    return any(_pushes_as_user(procedure) for procedure in seen.found.procedures)


def _pushes_as_user(procedure: Procedure) -> bool:
    fault = procedure.fault
    return (
        isinstance(procedure, Delivery) and fault is not None and fault.vector == PAGE_FAULT
        and bool(fault.error_code & USER_ACCESS) and procedure.before.cpl == 3 and procedure.before.mode == "long"
        and procedure.descriptor is not None and procedure.descriptor.conforming
    )  # fmt: skip


def first_push_as_user(seen: Seen) -> int:
    places = seen.index_of_fault
    return min(place for at, place in places.items() if _pushes_as_user(seen.found.procedures[at]))


def without_room(seen: Seen) -> bool:
    return any(failed_at(procedure, "push.room", "far.push.room") for procedure in seen.found.procedures)


def call_to_bad_address(seen: Seen) -> bool:
    return isinstance(seen.first, FarCall) and failed_at(seen.first, "far.address")


def without_lost_words(seen: Seen) -> Answer:
    """Bytes of stack pages that Bochs alone wrote to, as they were, and the marks in those pages' table entries."""
    answer, case = seen.bochs, seen.case
    before, ours, theirs = case.pages(), seen.found.answer.pages(case), answer.pages(case)
    for page in filter(holds_stack, before):
        for at in range(PAGE):
            if ours[page][at] == before[page][at]:
                theirs[page][at] = before[page][at]
    take_marks(theirs, ours, holds_stack)
    return replace(answer, changes=changed(before, theirs))


def offset_before_room(seen: Seen) -> bool:
    """Bochs raises #GP for the address where our machine finds no room."""
    return place_of_room(seen) is not None


def place_of_room(seen: Seen, instead: int = GENERAL_PROTECTION) -> int | None:
    for at, place in seen.index_of_fault.items():
        if failed_at(seen.found.procedures[at], "push.room", "far.push.room") and place < len(seen.bochs.events):
            return place if seen.bochs.events[place].vector == instead else None
    return None


def whole_field_outside(seen: Seen) -> bool:
    return place_of_tss(seen) is not None


def place_of_tss(seen: Seen) -> int | None:
    """The place of Bochs' #TS for a TSS whose limit cuts off the upper half of SS."""
    for place, event in enumerate(seen.bochs.events):
        if event.vector == INVALID_TSS and event.error_code is not None:
            for procedure in seen.found.procedures:
                tr = procedure.before.tr
                if tr.limit in (9, 10, 17, 18, 25, 26) and event.error_code & ~7 == tr.selector & ~7:
                    return place
    return None


def fetches_handler(seen: Seen) -> bool:
    return bool(seen.bochs.events) and seen.bochs.events[0].kind in ("external", "nmi") and seen.bochs.final is not None


def without_fetch(seen: Seen) -> Answer:
    answer, case = seen.bochs, seen.case
    assert answer.final is not None
    handler_page = answer.final.cs.base + answer.final.rip & WRAP & -PAGE
    before, ours, theirs = case.pages(), seen.found.answer.pages(case), answer.pages(case)
    take_marks(theirs, ours, lambda page: page == handler_page)
    return replace(answer, changes=changed(before, theirs))


def to_compatibility_mode(seen: Seen) -> bool:
    """CALL from 64-bit mode to a 16-bit or 32-bit segment, with an SS that only the latter looks at."""
    first = seen.first
    return (
        isinstance(first, FarCall) and first.before.mode == "long" and first.after is not None
        and first.after.cs.flags & 1 << 21 == 0 and begins_with(seen, STACK_FAULT)
    )  # fmt: skip


def below_zero(seen: Seen) -> bool:
    first = seen.first
    narrow = isinstance(first, FarCall) and first.before.ss.flags & 1 << 22 == 0
    return (
        narrow
        and first.before.rsp & 0xFFFF == 0
        and bool(seen.bochs.events)
        and seen.bochs.events[0].vector == STACK_FAULT
    )


def left_too_early(seen: Seen) -> bool:
    return any(failed_at(procedure, "task.leave", "task.paged") for procedure in seen.found.procedures)


def with_task_still_there(seen: Seen) -> Answer:
    """The marks of the pages of GDT and TSSs, and the type of the task that was to be left, as with our machine."""
    answer, case = seen.bochs, seen.case
    before, ours, theirs = case.pages(), seen.found.answer.pages(case), answer.pages(case)
    take_marks(theirs, ours, lambda page: page in (GDT, case.state.tr.base & -PAGE, *_TASKS))
    access = case.state.gdtr.base + (case.state.tr.selector & ~7) + 5
    theirs[access & -PAGE][access % PAGE] = ours[access & -PAGE][access % PAGE]
    return replace(answer, changes=changed(before, theirs))


_TASKS = (TASK_TSS, RESCUE_TSS)


def to_outer_ring(seen: Seen) -> bool:
    return any(failed_at(procedure, "descriptor.vm86") for procedure in seen.found.procedures)


def without_stack_read(seen: Seen) -> Answer:
    """The marks of the pages of TSS, tables and stacks as our machine left them."""
    answer, case = seen.bochs, seen.case
    before, ours, theirs = case.pages(), seen.found.answer.pages(case), answer.pages(case)
    take_marks(theirs, ours, lambda page: page in (GDT, LDT, case.state.tr.base & -PAGE) or holds_stack(page))
    return replace(answer, changes=changed(before, theirs))


def place_of_virtual(seen: Seen) -> int | None:
    """The place of the fault for a handler outside ring 0, where Bochs has met another fault in the TSS."""
    for at, place in seen.index_of_fault.items():
        if failed_at(seen.found.procedures[at], "descriptor.vm86") and place < len(seen.bochs.events):
            other = seen.bochs.events[place].vector in (PAGE_FAULT, INVALID_TSS, STACK_FAULT)
            return place if other else None
    return None


def page_before_room(seen: Seen) -> bool:
    place = place_of_room(seen, PAGE_FAULT)
    return place is not None


def rpl_before_descriptor(seen: Seen) -> bool:
    """A delivery of ours that found the RPL of the new SS wrong, and has not read its descriptor."""
    return any(failed_at(procedure, "stack.rpl") for procedure in seen.found.procedures)


def without_descriptor_read(seen: Seen) -> Answer:
    """The page that holds the descriptor of SS is marked as our machine left it."""
    theirs, ours = seen.bochs.pages(seen.case), seen.found.answer.pages(seen.case)
    take_marks(theirs, ours, lambda page: page in (GDT, LDT))
    return replace(seen.bochs, changes=changed(seen.case.pages(), theirs))


def write_refused(seen: Seen) -> bool:
    """An instruction that reads and writes met a page that it may read and not write."""
    first = seen.bochs.events[0] if seen.bochs.events else None
    return first is not None and first.vector == PAGE_FAULT and (first.error_code or 0) & 0b11 == 0b11


def with_refused_page_accessed(seen: Seen) -> Answer:
    """The page of the operand is marked as our machine left it: it has been read."""
    theirs, ours = seen.bochs.pages(seen.case), seen.found.answer.pages(seen.case)
    operand = seen.bochs.events[0].cr2 & WRAP & -PAGE
    take_marks(theirs, ours, lambda page: page & WRAP == operand)
    return replace(seen.bochs, changes=changed(seen.case.pages(), theirs))
