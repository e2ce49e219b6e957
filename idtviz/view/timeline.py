"""The timeline: all that has been recorded, on one line as long as the screen is wide."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from idtviz.debugger.moment import Moment
from idtviz.debugger.view import View
from idtviz.machine.events import Delivered, Halted, Happened, Returned, ShutDown, SwitchedOff
from idtviz.view.events import glyph
from idtviz.view.row import Panel, Role, Row, Span, row

_RANK = {"✗": 6, "x": 5, "n": 4, "s": 3, "i": 2, "r": 1, "h": 0}
_ROLES = {"✗": Role.BAD, "x": Role.BAD, "i": Role.GOOD, "n": Role.GOOD, "s": Role.WARNING, "r": Role.DIM, "h": Role.DIM}
_RINGS = {0: "█", 1: "▓", 2: "▒", 3: "░"}
_LEGEND = "█ ring 0  ░ ring 3"
_Column = Callable[[int], int]


def panel(
    view: View,
    width: int,
    frontier: Moment,
    events: Sequence[Happened],
    seen: int,
    rings: Sequence[tuple[Moment, int]],
) -> Panel:
    """Marks of what happened, the rings, and the present; every row has exactly `width` columns.

    `rings`: each change of ring, where it was first seen, and the new CPL.
    """
    end = max(frontier.instruction, view.moment.instruction, 1)

    def column(instruction: int) -> int:
        return min(width - 1, instruction * (width - 1) // end)

    here = column(view.moment.instruction)
    rows = [_marks(events, width, column(frontier.instruction), column), _rings(rings, width, column)]
    depth = _depths(events, width, column)
    if depth is not None:
        rows.append(depth)
    rows.append(_cursor(view, here, width))
    title = f"Timeline  {view.moment} of {frontier} instructions"
    note = "x exception  i interrupt  s INT n  r return  h halt"
    if seen < len(events):
        title += f" · {len(events) - seen} events ahead"
    return Panel(title, tuple(rows), note if len(note) + len(title) + 4 <= width else "", len(rows) - 1)


def instruction_at(column: int, width: int, frontier: Moment) -> int:
    """The instruction count that a column of the axis stands for: where a click leads."""
    return min(frontier.instruction, max(0, column) * max(frontier.instruction, 1) // max(1, width - 1))


def _marks(events: Sequence[Happened], width: int, last: int, column: _Column) -> Row:
    cells = ["─"] * (last + 1) + [" "] * (width - last - 1)
    rank = [-1] * width
    for event in events:
        if not isinstance(event, Delivered | Returned | Halted | ShutDown | SwitchedOff):
            continue
        sign = glyph(event)
        place = column(event.instruction)
        if _RANK[sign] > rank[place]:
            cells[place], rank[place] = sign, _RANK[sign]
    return row(*_grouped(cells))


def _grouped(cells: Sequence[str]) -> list[Span]:
    spans: list[Span] = []
    for cell in cells:
        role = _ROLES.get(cell, Role.DIM)
        if spans and spans[-1].role is role:
            spans[-1] = Span(spans[-1].text + cell, role)
        else:
            spans.append(Span(cell, role))
    return spans


def _rings(rings: Sequence[tuple[Moment, int]], width: int, column: _Column) -> Row:
    """The ring at each column, the outermost where there were several: the marks above tell of visits to ring 0."""
    outermost = [0] * width
    for place, (start, ring) in enumerate(rings):
        following = rings[place + 1][0] if place + 1 < len(rings) else None
        end = width - 1 if following is None else column(following.instruction)
        for cell in range(column(start.instruction), min(end, width - 1) + 1):
            outermost[cell] = max(outermost[cell], ring)
    return row(Span("".join(_RINGS[ring] for ring in outermost), Role.VALUE))


def _depths(events: Sequence[Happened], width: int, column: _Column) -> Row | None:
    """How many handlers were running, where ever more than one was."""
    depth, deepest = 0, 0
    highest = [0] * width
    last = 0
    for event in events:
        entered = isinstance(event, Delivered) and event.to is not None
        if not entered and not isinstance(event, Returned):
            continue
        place = column(event.instruction)
        for between in range(last, place + 1):
            highest[between] = max(highest[between], depth)
        depth = depth + 1 if entered else max(0, depth - 1)
        highest[place] = max(highest[place], depth)
        deepest = max(deepest, depth)
        last = place
    for between in range(last, width):
        highest[between] = max(highest[between], depth)
    if deepest < 2:
        return None
    return row(Span("".join(" " if not value else str(value) if value < 10 else "+" for value in highest), Role.DIM))


def _cursor(view: View, here: int, width: int) -> Row:
    """The ▲ of the present, with its moment, and what the signs of the ring row mean where there is room."""
    text = str(view.moment)
    left, right = " " * here, " " * (width - here - 1)
    if len(text) + 1 <= len(right):
        right = f" {text}".ljust(len(right))
    elif len(text) + 1 <= len(left):
        left = f"{text} ".rjust(len(left))
    if len(right) - len(right.rstrip()) > len(_LEGEND) + 1:
        right = right[: -len(_LEGEND)] + _LEGEND
    elif len(left) - len(left.lstrip()) > len(_LEGEND) + 1:
        left = _LEGEND + left[len(_LEGEND) :]
    return row(Span(left, Role.DIM), Span("▲", Role.CURRENT), Span(right, Role.DIM))
