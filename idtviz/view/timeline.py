"""The timeline: all that has been recorded, on one line as long as the screen is wide."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from idtviz.debugger.moment import Moment
from idtviz.debugger.view import View
from idtviz.view.axis import Axis, Bin
from idtviz.view.row import Panel, Role, Row, Span, row

_ROLES = {"✗": Role.BAD, "x": Role.BAD, "i": Role.GOOD, "n": Role.GOOD, "s": Role.WARNING, "r": Role.DIM, "h": Role.DIM}
_RINGS = {0: "█", 1: "▓", 2: "▒", 3: "░"}
_DEPTH = "nesting depth"
_Column = Callable[[int], int]


def panel(
    view: View,
    width: int,
    frontier: Moment,
    axis: Axis,
    events: int,
    seen: int,
) -> Panel:
    """Marks of what happened, the rings, and the present; every row has exactly `width` columns.

    `events`: how many are recorded, of which the first `seen` lie before the present.
    """
    end = max(frontier.instruction, view.moment.instruction, 1)

    def column(instruction: int) -> int:
        return min(width - 1, instruction * (width - 1) // end)

    here = column(view.moment.instruction)
    bins = axis.bins
    rows = [_marks(bins, width, column(frontier.instruction), column), _rings(bins, width, column)]
    depth = _depths(bins, width, column)
    if depth is not None:
        rows.append(depth)
    rows.append(_cursor(view, here, width, _legend(view, bins)))
    title = f"Timeline  {view.moment} of {frontier} instructions"
    note = "x exception  i interrupt  s INT n  r return  h halt"
    if seen < events:
        title += f" · {events - seen} events ahead"
    return Panel(title, tuple(rows), note if len(note) + len(title) + 4 <= width else "", len(rows) - 1)


def instruction_at(column: int, width: int, frontier: Moment) -> int:
    """The instruction count that a column of the axis stands for: where a click leads."""
    return min(frontier.instruction, max(0, column) * max(frontier.instruction, 1) // max(1, width - 1))


def _legend(view: View, bins: Sequence[Bin]) -> str:
    """The rings that were seen; nothing where all has been in real mode, which has none."""
    seen = {0, *(each.ring for each in bins if each.ring >= 0), *(each.last_ring for each in bins)} - {-1}
    if seen == {0} and view.mode == "real":
        return ""
    return "  ".join(f"{_RINGS[ring]} ring {ring}" for ring in sorted(seen))


def _marks(bins: Sequence[Bin], width: int, last: int, column: _Column) -> Row:
    cells = ["─"] * (last + 1) + [" "] * (width - last - 1)
    rank = [-1] * width
    for each in bins:
        place = column(each.at)
        if each.rank > rank[place]:
            cells[place], rank[place] = each.sign, each.rank
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


def _rings(bins: Sequence[Bin], width: int, column: _Column) -> Row:
    """The ring at each column, the outermost where there were several: the marks above tell of visits to ring 0."""
    changes = [(each.start, each.ring, each.last_ring) for each in bins if each.ring >= 0]
    cells = _filled(changes, width, column)
    return row(Span("".join(_RINGS[ring] for ring in cells), Role.VALUE))


def _depths(bins: Sequence[Bin], width: int, column: _Column) -> Row | None:
    """How many handlers were running, where ever more than one was."""
    changes = [(each.start, each.depth, each.last_depth) for each in bins if each.depth >= 0]
    if max((depth for _, depth, _ in changes), default=0) < 2:
        return None
    cells = _filled(changes, width, column)
    text = "".join(" " if not value else str(value) if value < 10 else "+" for value in cells)
    return row(*_labelled(text))


def _labelled(digits: str) -> tuple[Span, ...]:
    """The row of digits, with what they count at its end or its beginning if there are blanks enough."""
    blanks, size = len(digits) - len(digits.rstrip()), len(_DEPTH)
    if blanks > size:
        return Span(digits[:-size], Role.DIM), Span(_DEPTH, Role.LABEL)
    blanks = len(digits) - len(digits.lstrip())
    if blanks > size:
        return Span(_DEPTH, Role.LABEL), Span(digits[size:], Role.DIM)
    return (Span(digits, Role.DIM),)


def _filled(changes: Sequence[tuple[int, int, int]], width: int, column: _Column) -> list[int]:
    """The highest value at each column; a change is (instruction count, highest there, the value from then on)."""
    cells = [0] * width
    value, place = 0, 0
    for instruction, highest, following in changes:
        to = column(instruction)
        for between in range(place, to + 1):
            cells[between] = max(cells[between], value)
        cells[to] = max(cells[to], highest)
        value, place = following, to
    for between in range(place, width):
        cells[between] = max(cells[between], value)
    return cells


def _cursor(view: View, here: int, width: int, legend: str) -> Row:
    """The ▲ of the present, with its moment, and what the signs of the ring row mean where there is room."""
    text = str(view.moment)
    left, right = " " * here, " " * (width - here - 1)
    if len(text) + 1 <= len(right):
        right = f" {text}".ljust(len(right))
    elif len(text) + 1 <= len(left):
        left = f"{text} ".rjust(len(left))
    if legend and len(right) - len(right.rstrip()) > len(legend) + 1:
        right = right[: -len(legend)] + legend
    elif len(left) - len(left.lstrip()) > len(legend) + 1:
        left = legend + left[len(legend) :]
    return row(Span(left, Role.DIM), Span("▲", Role.CURRENT), Span(right, Role.DIM))
