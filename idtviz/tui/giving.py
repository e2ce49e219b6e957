"""What a person gives to the machine: keys, an interrupt line, an edit; and what is said of it."""

from __future__ import annotations

from idtviz.debugger.inputs import Edit, Input, Poke
from idtviz.debugger.procedures import Stage
from idtviz.debugger.session import Session
from idtviz.view.layout import printable


def give(session: Session, given: Input) -> str:
    """Make the edit, or apply the input; says what was done, and whether another run has begun."""
    late = _has_been_read(session, given)
    before = session.branch
    session.give(given)
    said = f"edit: {printable(given.name)}" if isinstance(given, Edit) else f"given: {printable(str(given))}"
    if late:
        said += " · what is under way has read it already: M goes back to before"
    branch = session.branch
    if branch is not before and branch.parent is not None:
        said += f" · branch {branch.number} begins here: o shows branch {branch.parent.number} without it, = compares"
    return said


def _has_been_read(session: Session, given: Input) -> bool:
    """Whether the delivery or return under way has read the bytes in one of its steps."""
    found = session.view.procedure
    if not isinstance(given, Poke) or found is None or found.stage is not Stage.UNDER_WAY:
        return False
    spans = (span for step in found.steps[: found.performed] for span in step.reads)
    end = given.address + len(given.data)
    return any(span.address < end and given.address < span.address + span.size for span in spans)
