"""The timeline: the run, or a part of it, on one axis as long as the screen is wide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from idtviz.checks.finding import Finding, Severity
from idtviz.debugger.moment import Moment
from idtviz.debugger.view import View
from idtviz.view.axis import SIGNS, Axis, Column
from idtviz.view.events import SIGN_ROLES, SOURCE_SIGNS, under_way
from idtviz.view.findings import ROLES as FINDING_ROLES
from idtviz.view.findings import SIGNS as FINDING_SIGNS
from idtviz.view.findings import when
from idtviz.view.row import Panel, Role, Row, Span, row
from idtviz.view.window import Window

_MEANINGS = {
    "✗": "shutdown",
    "o": "reset or off",
    "x": "exception",
    "n": "NMI",
    "s": "INT n",
    "!": "note in the log",
    "i": "interrupt",
    "↑": "IRQ line rises",
    "r": "return",
    "h": "HLT",
}
_RINGS = {0: "█", 1: "▓", 2: "▒", 3: "░"}
_PAST, _AHEAD, _HERE = "━", "─", "▲"
_LABELS = ("events", "depth", "ring")
_LABEL = 1 + max(map(len, _LABELS))
_ROOM_FOR_LABELS = 40
_ROOM_FOR_EDGES = 3  # on a row of its own the axis is at least so many times as long as its scale


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that a person put on the axis, or a program that looked at the run. It hides the signs of events.

    `meaning`: what the legend says of its sign.
    """

    moment: Moment
    sign: str
    role: Role
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """Where on a row the axis lies: `columns` of it stand for `window`, behind `left` others."""

    window: Window
    left: int
    columns: int

    @classmethod
    def of_panel(cls, window: Window, width: int) -> Scale:
        """The axis of the panel, `width` columns wide: behind the names of its rows, where there is room for them."""
        left = _LABEL if width >= _ROOM_FOR_LABELS else 0
        return cls(window, left, width - left)

    @classmethod
    def of_row(cls, window: Window, width: int) -> Scale:
        """The axis of the one row that a small screen has: between the counts of its ends."""
        left, right = len(f"{window.first:,} "), len(f" {window.last:,}")
        if (left + right) * _ROOM_FOR_EDGES > width:
            return cls(window, 0, width)
        return cls(window, left, width - left - right)

    def column(self, instruction: int) -> int:
        """The column of the axis for an instruction count; it may lie outside."""
        return self.window.column(instruction, self.columns)

    def column_at(self, x: int) -> int:
        """The column of the axis that is column `x` of the row, or the nearest one."""
        return max(0, min(x - self.left, self.columns - 1))

    def stretch(self, x: int) -> tuple[int, int]:
        """The instruction counts, from and up to, that column `x` of the row stands for."""
        column = self.column_at(x)
        start = self.window.start(column, self.columns)
        return start, max(start + 1, self.window.start(column + 1, self.columns))


def finding_marks(findings: Sequence[Finding]) -> tuple[Mark, ...]:
    """Where something was found; the worst hides what is less bad."""
    severities = (Severity.NOTE, Severity.WARNING, Severity.ERROR)
    return tuple(
        Mark(when(each), FINDING_SIGNS[severity], FINDING_ROLES[severity], f"{severity.value} found")
        for severity in severities
        for each in findings
        if each.severity is severity
    )


def placed(marks: Iterable[Mark], columns: Sequence[Column], scale: Scale) -> dict[int, Mark]:
    """The mark of each column that shows one, the later in front of the earlier; none hides the end of the run.

    Where an instruction has several columns, its marks stand beside its events.
    """
    found: dict[int, Mark] = {}
    for mark in marks:
        number = mark.moment.instruction
        if scale.window.holds(number):
            first = scale.column(number)
            last = min(max(first + 1, scale.column(number + 1)), scale.columns)
            free = [place for place in range(first, last) if not columns[place].sign]
            place = next((place for place in free if place not in found or found[place].sign == mark.sign), first)
            if columns[place].sign != SIGNS[-1]:
                found[place] = mark
    return found


def whole(view: View, frontier: Moment) -> Window:
    """All that is known of the run."""
    return Window(0, max(frontier.instruction, view.moment.instruction, 1))


def panel(
    view: View, scale: Scale, axis: Axis, frontier: Moment, *, ahead: int = 0, marks: Sequence[Mark] = ()
) -> Panel:
    """What happened, the nesting of handlers, the rings, and the present; every row fills the whole width.

    `ahead`: how many events are recorded behind the present. The note in the border says what the signs mean.
    """
    columns = axis.columns(scale.window, scale.columns)
    here = axis.column(view.moment, scale.window, scale.columns)
    cells = _events(columns, scale, view, here, marks)
    rows = [_labelled("events", scale, cells)]
    rows.append(_labelled("depth", scale, [_digit(each.depth) for each in columns]))
    in_rings = axis.outermost > 0 or view.mode != "real"
    if in_rings:
        rows.append(_labelled("ring", scale, [Span("".join(_RINGS[each.ring] for each in columns), Role.LABEL)]))
    rows.append(_labelled("", scale, _ruler(scale, view.moment, here)))
    title = f"Timeline  {_count(view.moment)} of {_count(frontier)} instructions"
    everything = whole(view, frontier)
    if scale.window != everything:
        title += f" · zoom ×{round(everything.span / scale.window.span)}"
    if ahead:
        title += f" · {ahead:,} event{'s' * (ahead != 1)} ahead"
    rings = {each.ring for each in columns} if in_rings else set()
    note = _legend(cells, rings, marks, scale.left + scale.columns - 4)
    return Panel(title, tuple(rows), note, len(rows) - 1)


def strip(view: View, scale: Scale, axis: Axis, marks: Sequence[Mark] = ()) -> Panel:
    """The same in one row: what happened, the present among it, and the ends of the axis."""
    here = axis.column(view.moment, scale.window, scale.columns)
    cells = _events(axis.columns(scale.window, scale.columns), scale, view, here, marks)
    if 0 <= here < scale.columns:
        cells[here] = _sign(_HERE)
    spans = _joined(cells)
    if scale.left:
        window = scale.window
        spans = [Span(f"{window.first:,} ", Role.DIM), *spans, Span(f" {window.last:,}", Role.DIM)]
    return Panel("", (row(*spans),))


def _count(moment: Moment) -> str:
    return f"{moment.instruction:,}" + (f"+{moment.step}" if moment.step else "")


def _events(columns: Sequence[Column], scale: Scale, view: View, here: int, marks: Sequence[Mark]) -> list[Span]:
    """The row of signs, a span for each column; the present is at column `here`."""
    going = under_way(view)
    signs = [each.sign for each in columns]
    if going is not None and 0 <= here < len(signs):
        signs[here] = max(signs[here], SOURCE_SIGNS[going.source], key=_rank)
    cells = [_sign(sign or (_PAST if place <= here else _AHEAD)) for place, sign in enumerate(signs)]
    for place, mark in placed(marks, columns, scale).items():
        cells[place] = Span(mark.sign, mark.role)
    return cells


def _rank(sign: str) -> int:
    return SIGNS.index(sign) if sign else -1


def _sign(text: str) -> Span:
    return Span(text, Role.CURRENT if text == _HERE else SIGN_ROLES.get(text, Role.DIM))


def _digit(depth: int) -> Span:
    return Span(str(depth) if depth < 10 else "+", Role.FRAME) if depth else Span("·", Role.DIM)


def _labelled(label: str, scale: Scale, spans: Iterable[Span]) -> Row:
    return row(Span(f"{label:<{scale.left}}"[: scale.left], Role.LABEL), *_joined(spans))


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Neighbours of the same role as one."""
    found: list[Span] = []
    for span in spans:
        if found and found[-1].role is span.role:
            found[-1] = Span(found[-1].text + span.text, span.role)
        else:
            found.append(span)
    return found


def _ruler(scale: Scale, moment: Moment, here: int) -> list[Span]:
    """The present, with its moment, and the ends of the axis where they do not touch it."""
    width, window = scale.columns, scale.window
    text = _count(moment)
    if here < 0:
        here, sign, text = 0, "◀", f"now at {text}"
    elif here >= width:
        here, sign, text = width - 1, "▶", f"now at {text}"
    else:
        sign = _HERE
    first, last = here, here + 1
    if last + 1 + len(text) <= width:
        text, last = f"{sign} {text}", last + 1 + len(text)
    elif first - 1 - len(text) >= 0:
        text, first = f"{text} {sign}", first - 1 - len(text)
    else:
        text = sign
    start, end = f"{window.first:,}", f"{window.last:,}"
    before = f"{start if len(start) < first else '':<{first}}"
    behind = f"{end if len(end) < width - last else '':>{width - last}}"
    return [Span(before, Role.DIM), Span(text, Role.CURRENT), Span(behind, Role.DIM)]


def _legend(cells: Sequence[Span], rings: set[int], marks: Sequence[Mark], width: int) -> str:
    """What the signs on the axis mean, those of the most notable events first, as many as there is room for."""
    shown = {cell.text for cell in cells}
    meanings = {mark.sign: mark.meaning for mark in marks if mark.sign in shown and mark.meaning}
    meanings |= {sign: _MEANINGS[sign] for sign in reversed(SIGNS) if sign in shown}
    meanings |= {_RINGS[ring]: f"ring {ring}" for ring in sorted(rings)}
    if _AHEAD in shown:
        meanings |= {_PAST: "past", _AHEAD: "ahead"}
    text = ""
    for sign, meaning in meanings.items():
        longer = f"{text}  {sign} {meaning}".strip()
        if len(longer) > width:
            break
        text = longer
    return text
