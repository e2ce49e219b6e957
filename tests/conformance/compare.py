"""Whether two answers agree: the events, every byte of memory that changed, every register at the end."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.oracle.case import PLAIN_REGISTERS, SEGMENT_REGISTERS, Answer, Case, Change, Segment, State
from tests.oracle.catalogue import outcome

from .ours import Walk, walk
from .reasons import REASONS, Reason
from .seen import Seen

DOUBLE_FAULT = 8
LOST_FAULT = "a fault of the new task, which the worker takes for one of its first instruction"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one case went.

    `row` is the rule that our delivery ended at. `reasons` are the names of the entries of the table of reasons that
    Bochs' answer was amended by. `difference` is what is left, in one line; None: nothing is. `unjudged` tells why
    Bochs has no answer.
    """

    name: str
    row: str
    reasons: tuple[str, ...] = ()
    difference: str | None = None
    unjudged: str | None = None


def judged(case: Case, bochs: Answer) -> Verdict:
    """Our machine's answer to a case, held against that of Bochs."""
    if bochs.error is not None:
        return Verdict(case.name, "not judged", unjudged=bochs.error)
    found = walk(case)
    if found.answer.error is not None:
        return Verdict(case.name, found.row, difference=f"bochs {outcome(bochs)}, idtviz raises {found.answer.error}")
    if lost_fault(bochs, found):
        return Verdict(case.name, found.row, unjudged=LOST_FAULT)
    expected = with_shutdown(bochs)
    if difference(found.answer, expected) is None:
        return Verdict(case.name, found.row)
    return _explained(Seen(case, expected, found))


def _explained(seen: Seen) -> Verdict:
    """The verdict after every reason that applies has amended what Bochs answered."""
    case, found = seen.case, seen.found
    names: list[str] = []
    expected, parted = seen.bochs, False
    for reason in REASONS:
        now = replace(seen, bochs=expected)
        if not reason.applies(now):
            continue
        amended = expected if reason.amend is None else reason.amend(now)
        if reason.amend is not None and amended == expected:
            continue
        names.append(reason.name)
        expected = amended
        if difference(found.answer, expected) is None:
            return Verdict(case.name, found.row, tuple(names))
        if reason.amend is None and parts(now, reason):
            parted = True
    if parted:
        return Verdict(case.name, found.row, tuple(names))
    return Verdict(case.name, found.row, tuple(names), difference(found.answer, expected))


def parts(seen: Seen, reason: Reason) -> bool:
    """Whether the two chains of events are the same up to the place where the reason lets them part."""
    at = reason.until(seen)
    return raised(seen.bochs)[:at] == raised(seen.found.answer)[:at]


def with_shutdown(bochs: Answer) -> Answer:
    """Bochs' answer with the shutdown that the worker cannot see.

    It tells a shutdown by an abort that Bochs comes to while it prints the instruction at RIP. Where that lies on no
    page Bochs prints nothing; but nothing other than a shutdown follows a fault of the delivery of #DF (SDM 3A 6.15).
    """
    failed = any(event.kind == "exception" and event.vector == DOUBLE_FAULT for event in bochs.events[:-1])
    return replace(bochs, shutdown=True, final=None, halted=False) if failed else bochs


def lost_fault(bochs: Answer, found: Walk) -> bool:
    """Whether an external interrupt or NMI went through a task gate, and the worker has lost the fault of the new task.

    It knows the end of such a delivery by the change of RIP, which a switch of tasks brings before its last checks.
    """
    external = len(bochs.events) == 1 and bochs.events[0].kind in ("external", "nmi")
    first = found.deliveries[0] if found.deliveries else None
    return external and first is not None and first.committed is not None and first.fault is not None


def raised(answer: Answer) -> list[tuple[str, int, int | None, int]]:
    """Kind, vector, error code and CR2 of each event."""
    return [(event.kind, event.vector, event.error_code, event.cr2) for event in answer.events]


def difference(found: Answer, expected: Answer) -> str | None:
    """The first thing that two answers differ in: events, then memory, then registers."""
    if outcome(found) != outcome(expected):
        return f"bochs {outcome(expected)}, idtviz {outcome(found)}"
    if raised(found) != raised(expected):
        return f"{outcome(found)}: events: bochs {_words(raised(expected))}, idtviz {_words(raised(found))}"
    if (found.shutdown, found.halted) != (expected.shutdown, expected.halted):
        return f"{outcome(found)}: halted: bochs {expected.halted}, idtviz {found.halted}"
    if found.changes != expected.changes:
        return f"{outcome(found)}: memory: {_changes(found.changes, expected.changes)}"
    if found.final is None or expected.final is None:
        return None
    names = [*PLAIN_REGISTERS, *SEGMENT_REGISTERS, "gdtr", "idtr"]
    theirs, ours = comparable(expected.final), comparable(found.final)
    pairs = [(name, getattr(theirs, name), getattr(ours, name)) for name in names]
    wrong = [f"{name}: bochs {_word(one)}, idtviz {_word(other)}" for name, one, other in pairs if one != other]
    return f"{outcome(found)}: {'; '.join(wrong)}" if wrong else None


def comparable(state: State) -> State:
    """Without what a null segment register hides: the processor ignores it."""
    segments = {name: getattr(state, name) for name in SEGMENT_REGISTERS}
    usable = {name: found if found.usable else Segment(found.selector) for name, found in segments.items()}
    return replace(state, **usable)


def _changes(found: tuple[Change, ...], expected: tuple[Change, ...]) -> str:
    """The bytes that only one of the two changed, or that each changed to another value, as runs."""
    ours, theirs = _bytes(found), _bytes(expected)
    wrong = sorted(at for at in ours.keys() | theirs.keys() if ours.get(at) != theirs.get(at))
    runs: list[list[int]] = []
    for at in wrong:
        if runs and runs[-1][-1] == at - 1:
            runs[-1].append(at)
        else:
            runs.append([at])
    return ", ".join(f"{run[0]:#x}: bochs {_hex(theirs, run)}, idtviz {_hex(ours, run)}" for run in runs)


def _bytes(changes: tuple[Change, ...]) -> dict[int, int]:
    return {at: value for change in changes for at, value in enumerate(change.new, change.address)}


def _hex(values: dict[int, int], run: list[int]) -> str:
    """The bytes of a run in the order of their addresses; `--` for one that did not change."""
    return "".join(f"{values[at]:02x}" if at in values else "--" for at in run)


def _word(value: object) -> str:
    if isinstance(value, Segment):
        hidden = f"({value.base:#x}+{value.limit:#x} {value.attributes:#x})" if value.usable else ""
        return f"{value.selector:#x}{hidden}"
    return f"{value:#x}" if isinstance(value, int) else str(value)


def _words(events: list[tuple[str, int, int | None, int]]) -> str:
    return " ".join(f"{kind} {vector:#x} {code} cr2 {cr2:#x}" for kind, vector, code, cr2 in events)
