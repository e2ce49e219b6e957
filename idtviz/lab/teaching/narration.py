"""Lessons in a session: which have been reached, what is to be said now, and whether an answer is right."""

from __future__ import annotations

from idtviz.debugger.editing import EditError, slot
from idtviz.debugger.moment import Moment
from idtviz.debugger.places import PlaceKind
from idtviz.lab.prepared_session import PreparedSession
from idtviz.lab.registers import REGISTER_NAMES, register_value
from idtviz.lab.teaching.lessons import Lesson

_SAME = {"eip": "rip", "ip": "rip", "eflags": "rflags", "flags": "rflags", "esp": "rsp", "sp": "rsp"}
"""Words of a frame by their names outside 64-bit mode."""


def accepts(lesson: Lesson, given: str, session: PreparedSession) -> bool:
    """Whether `given` answers the question, numbers compared as numbers (`0x402` is `1026`).

    The number of a choice stands for the choice, where it is none itself; the name of a symbol for its address.
    """
    wanted = answer_of(lesson, session)
    if wanted is None:
        return False
    text = chosen(lesson, given)
    number, other = _number(text), _number(wanted)
    if number is None:
        number = session.symbols.address_of(text)
    if number is not None and other is not None:
        return number == other
    return text.casefold() == wanted.strip().casefold()


def chosen(lesson: Lesson, given: str) -> str:
    """What `given` says: the choice, where it is the number of one and is none itself."""
    text, number = given.strip(), _number(given)
    if number is not None and text not in lesson.choices and 1 <= number <= len(lesson.choices):
        return lesson.choices[number - 1]
    return text


def answer_of(lesson: Lesson, session: PreparedSession) -> str | None:
    """The answer to a question, if need be computed from the machine; None where it has no such value now."""
    return lesson.answer if lesson.answer is not None else _value(lesson.value or "", session)


def reached(lesson: Lesson, session: PreparedSession) -> Moment | None:
    """When the lesson's place was reached in this run; None while it has not been, up to the frontier."""
    place = lesson.place
    if place.kind is PlaceKind.END:
        # A machine that waits for a key has said all it had to say, but time may go on: only the present counts.
        return session.moment if session.machine.stuck or session.idle else None
    start = Moment(place.value) if place.kind is PlaceKind.COUNT else session.passed(place)
    return None if start is None else Moment(start.instruction, start.step + place.steps)


def passed_lessons(session: PreparedSession) -> list[tuple[Moment, Lesson]]:
    """The lessons whose places lie at or before the present moment, in the order in which they were reached."""
    now = session.moment
    found = [(at, lesson) for lesson in session.lessons if (at := reached(lesson, session)) is not None and at <= now]
    return sorted(found, key=lambda pair: pair[0])


def narration(session: PreparedSession) -> Lesson | None:
    """What the scenario has to say at the present moment: the latest lesson whose place has been reached."""
    found = passed_lessons(session)
    return found[-1][1] if found else None


def _value(name: str, session: PreparedSession) -> str | None:
    what, _, field = name.partition(".")
    if what == "register" or name in REGISTER_NAMES:
        return hex(register_value(session.machine.cpu.registers(), field or name))
    if what == "frame":
        frame = session.view.frame
        value = getattr(frame, _SAME.get(field, field)) if frame is not None else None
        return None if value is None else hex(value)
    try:
        return hex(slot(session, name).value)
    except EditError:
        return None


def _number(text: str) -> int | None:
    try:
        return int(text.strip().replace("_", ""), 0)
    except ValueError:
        return None
