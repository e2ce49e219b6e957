"""Lessons on the screen: the question that waits, what covers a panel, and the page of a whole lesson."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from idtviz.debugger.moment import Moment
from idtviz.lab.expectations import Outcome
from idtviz.lab.teaching.lessons import Lesson
from idtviz.view.finding_pages import LONGEST
from idtviz.view.fitting import told
from idtviz.view.layout import printable
from idtviz.view.row import Panel, Role, Row, Rows, Span, row
from idtviz.view.sheet import Goal, Sheet

ASKS = "a answers · h gives a hint"
_ASKED, _SET = "? ", "▷ "
_ROLES = {_ASKED: Role.TITLE, _SET: Role.TITLE, "  ": Role.SOURCE}


@dataclass(frozen=True, slots=True)
class Told:
    """A lesson that was reached: when, and what the student answered, if it was answered."""

    lesson: Lesson
    moment: Moment
    answer: str | None = None


def present(lesson: Lesson, width: int, *, tells: bool) -> Rows:
    """What is said, asked or set at this moment: all of it, and the keys that go with it where `tells`."""
    sign = _sign(lesson)
    rows = told((sign,) if tells else (), Span(printable(lesson.text), _ROLES[sign.text]), width)
    indent = " " * len(sign.text) if tells else ""
    if lesson.choices:
        line = "   ".join(f"{number} {printable(choice)}" for number, choice in enumerate(lesson.choices, 1))
        rows += [row(indent, (part, Role.SOURCE)) for part in textwrap.wrap(line, max(12, width - len(indent)))]
    return (*rows, row(indent, (_keys(lesson), Role.DIM))) if tells else tuple(rows)


def _keys(lesson: Lesson) -> str:
    if lesson.is_question:
        return ASKS
    if lesson.is_task:
        how = f"E writes {printable(lesson.todo)}" if lesson.todo is not None else "e edits"
        return f"{how} · h gives a hint · l shows what is expected"
    return "c goes on"


def covered(title: str) -> Panel:
    """What is seen of a panel before the question is answered."""
    lines = ("", "Covered until the question below", "is answered: predict, then see.")
    return Panel(title, tuple(row((f" {line}", Role.WARNING)) for line in lines))


def page(
    title: str,
    passed: Sequence[Told],
    outcomes: Sequence[Outcome],
    parts: Sequence[Path],
    progress: str,
    *,
    branch: int,
    width: int,
) -> Sheet:
    """All that was said so far, with the answers that were given; how the task stands. Enter goes to a moment."""
    width = min(width, LONGEST)
    rows: list[Row] = []
    goals: list[Goal] = []
    for each in passed:
        key = len(goals)
        goals.append(Goal(branch, each.moment))
        rows += [Row(line.spans, line.lit, key) for line in _lesson(each, width)]
        rows.append(Row())
    if any(each.lesson.todo is not None for each in passed):
        rows += _parts(parts, width)
    if any(each.lesson.is_task for each in passed):
        rows += [row(("expected of the run", Role.TITLE)), *_outcomes(outcomes, width), Row()]
    shown = f"{printable(title)}  {progress}".rstrip()
    note = "enter goes there · :lesson again begins anew"
    told_so_far = tuple(rows[:-1]) or (row(("Nothing was said so far.", Role.DIM)),)
    return Sheet(Panel(shown, told_so_far, note, focus=len(told_so_far) - 1), tuple(goals))


def _lesson(each: Told, width: int) -> list[Row]:
    lesson = each.lesson
    rows = told((_sign(lesson),), Span(printable(lesson.text), Role.SOURCE), width)
    rows[0] = Row((*rows[0].spans, Span(f"  {each.moment}", Role.DIM)), rows[0].lit)
    if lesson.choices and each.answer is None:
        rows += [
            row(("    ", Role.TEXT), (f"{number} {printable(choice)}", Role.TEXT))
            for number, choice in enumerate(lesson.choices, 1)
        ]
    if each.answer is not None:
        said = printable(each.answer) or "(shown)"
        rows += told((Span("  ✓ ", Role.GOOD),), Span(f"{said}. {lesson.explain}".strip(), Role.TEXT), width)
    elif lesson.is_question:
        rows.append(row(("    ", Role.TEXT), (ASKS, Role.DIM)))
    return rows


def _sign(lesson: Lesson) -> Span:
    if lesson.is_question:
        return Span(_ASKED, Role.WARNING)
    return Span(_SET, Role.CURRENT) if lesson.is_task else Span("  ")


def _parts(parts: Sequence[Path], width: int) -> list[Row]:
    rows = [row(("to be written", Role.TITLE), ("  E opens it here; or save it in any editor", Role.DIM))]
    for part in parts:
        rows += told((Span("  ", Role.TEXT),), Span(printable(str(part)), Role.SYMBOL), width)
    return [*rows, Row()]


def _outcomes(outcomes: Sequence[Outcome], width: int) -> list[Row]:
    rows: list[Row] = []
    for outcome in outcomes:
        sign = Span("  ✓ ", Role.GOOD) if outcome.ok else Span("  · ", Role.DIM)
        rows += told((sign,), Span(printable(outcome.detail), Role.TEXT if outcome.ok else Role.DIM), width)
    return rows
