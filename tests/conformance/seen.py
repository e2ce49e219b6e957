"""A case as the table of reasons sees it, and what amending an answer takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.delivery.event import Source
from idtviz.machine.delivery.procedure import Procedure
from tests.oracle.case import PAGE, Answer, Case, Change, changes_in_page
from tests.oracle.long_mode import DATA, PML4, PT, STACK, UNMAPPED, WRAP

from .ours import Walk

RF = 1 << 16


DOUBLE_FAULT, INVALID_TSS, NOT_PRESENT, STACK_FAULT, GENERAL_PROTECTION, PAGE_FAULT = 8, 10, 11, 12, 13, 14


USER_ACCESS = 1 << 2


@dataclass(frozen=True, slots=True)
class Seen:
    """A case with what Bochs answers (amended by the reasons before) and what our machine went through."""

    case: Case
    bochs: Answer
    found: Walk

    @property
    def first(self) -> Procedure | None:
        """The procedure that began it: the return or transfer that failed, or the first delivery."""
        return self.found.procedures[0] if self.found.procedures else None

    @property
    def index_of_fault(self) -> dict[int, int]:
        """For each procedure (by its place) the place among the events of the fault that it ended in."""
        places: dict[int, int] = {}
        count = 0
        for at, procedure in enumerate(self.found.procedures):
            if isinstance(procedure, Delivery) and (count == 0 or is_double_fault(procedure)):
                count += 1
            if procedure.fault is not None:
                places[at] = count
                if isinstance(procedure, Delivery):
                    count += 1
        return places


def is_double_fault(procedure: Procedure) -> bool:
    return (
        isinstance(procedure, Delivery)
        and procedure.event.vector == DOUBLE_FAULT
        and procedure.event.source is Source.EXCEPTION
    )


def failed_at(procedure: Procedure | None, *rules: str) -> bool:
    """Whether the procedure ended in a fault at one of these rules."""
    return procedure is not None and procedure.fault is not None and procedure.steps[-1].rule.id in rules


def begins_with(seen: Seen, vector: int) -> bool:
    """Whether the first event of Bochs is this one."""
    return bool(seen.bochs.events) and seen.bochs.events[0].vector == vector


def with_bytes(case: Case, answer: Answer, address: int, data: bytes) -> Answer:
    """The answer with bytes of physical memory changed."""
    before, after = case.pages(), answer.pages(case)
    for at, value in enumerate(data, address):
        after[at & -PAGE][at % PAGE] = value
    return replace(answer, changes=changed(before, after))


def with_event(answer: Answer, at: int, **changes: object) -> Answer:
    events = list(answer.events)
    events[at] = replace(events[at], **changes)  # type: ignore[arg-type]
    return replace(answer, events=tuple(events))


def writes(procedure: Procedure, rule: str) -> Iterator[tuple[int, int]]:
    """Physical address and size of what the steps of this rule wrote."""
    for step in procedure.steps:
        if step.rule.id == rule and step.ok:
            for span in step.writes:
                yield span.address & WRAP, span.size


def take_marks(theirs: dict[int, bytearray], ours: dict[int, bytearray], concerns: Callable[[int], bool]) -> None:
    """Let the accessed and dirty bits of some pages' table entries be those that our machine left."""
    for page in filter(_holds_tables, theirs):
        for at in range(0, PAGE, 4):
            entry, kept = (int.from_bytes(memory[page][at : at + 4], "little") for memory in (theirs, ours))
            concerned = bool(entry & _LARGE) or concerns(entry & -PAGE)
            if entry != kept and entry & ~_MARKS == kept & ~_MARKS and concerned:
                theirs[page][at : at + 4] = ours[page][at : at + 4]


_LARGE = 0x80
"""A page of 4 MiB holds everything."""
_MARKS = 0x60
"""The accessed and the dirty bit of a page-table entry."""


def holds_stack(page: int) -> bool:
    return STACK <= page < UNMAPPED or page in (DATA, DATA + PAGE)


def _holds_tables(page: int) -> bool:
    return PML4 <= page <= PT


def changed(before: dict[int, bytearray], after: dict[int, bytearray]) -> tuple[Change, ...]:
    return tuple(
        change for page in sorted(before) for change in changes_in_page(page, bytes(before[page]), bytes(after[page]))
    )
