"""What can be edited, as rows: a sheet of slots, and the slot that a row of another sheet stands for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from idtviz.debugger.editing import Slot
from idtviz.view.layout import Line, printable, table
from idtviz.view.row import Panel, Role, Row, Span

_MOST_DIGITS = 20
_BITS = re.compile(r"\s*(?:[●▶] )?\s*(?P<bits>\d+(?::\d+)?) (?P<rest>.*)")
_LEVEL = re.compile(r"\s*(?P<level>PML4|PDPT|PD|PT)\[")


def panel(title: str, slots: Sequence[Slot], width: int) -> Panel:
    """One row for each slot: bits, name, value, meaning. `key` is its place among `slots`."""
    one = len({slot.cell.path for slot in slots}) == 1
    lines = [
        Line(
            (
                Span(slot.bits if one else "", Role.DIM),
                Span(slot.path.removeprefix(f"{slot.cell.path}.") if one else slot.path, Role.LABEL),
                Span(_short(slot.text), Role.VALUE),
                Span(printable(slot.meaning)),
            ),
            key=place,
        )
        for place, slot in enumerate(slots)
    ]
    return Panel(f"Edit  {title}", table(lines, width, (0,), least=12), "enter changes the value · esc closes", 0)


def _short(text: str) -> str:
    return text if len(text) <= _MOST_DIGITS else f"{text[: _MOST_DIGITS - 1]}…"


def slot_of(content: Panel, found: Row, slots: Sequence[Slot]) -> Slot | None:
    """The one of `slots` that a row of a sheet shows, which has a structure bit by bit, or a page walk."""
    place = next((place for place, row in enumerate(content.rows) if row is found), None)
    if place is None:
        return None
    bits = next((match for row in content.rows[place::-1] if (match := _BITS.match(row.text))), None)
    head = next((match for row in content.rows[place::-1] if (match := _LEVEL.match(row.text))), None)
    if bits is None:
        return None
    level = f"{head['level'].lower()}e[" if head is not None else ""
    return next(
        (
            slot
            for slot in slots
            if bits["bits"] in slot.bits.split()
            and bits["rest"].strip().startswith(slot.label)
            and slot.path.startswith(level)
        ),
        None,
    )
