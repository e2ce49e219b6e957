"""Explanations as sheets: Enter on a link of a chain goes to its moment."""

from __future__ import annotations

from dataclasses import replace

from idtviz.checks.why import Arrival, Chain
from idtviz.debugger.moment import Moment
from idtviz.view import why
from idtviz.view.branches import instructions
from idtviz.view.row import Panel, Row
from idtviz.view.sheet import Goal, Sheet

_LONGEST = 110  # columns: as `idtviz why` prints it


def chain(found: Chain, branch: int, moment: Moment, width: int) -> Sheet:
    """How it came to `moment`; every row of a link leads where it happened."""
    moments = why.moments(found)
    rows: list[Row] = []
    link: int | None = None
    for row in why.chain(found, min(width, _LONGEST)):
        link = row.key if row.key is not None else link if row.text.strip() else None
        leads = link is not None and moments[link] is not None
        rows.append(replace(row, key=link if leads else None))
    goals = tuple(Goal(branch, moment) for moment in moments)
    first = next((place for place, row in enumerate(rows) if row.key is not None), None)
    note = "esc closes" if first is None else "enter goes there · esc closes"
    return Sheet(Panel(f"Why  how it came to {instructions(moment)}", tuple(rows), note, first or 0), goals)


def arrival(found: Arrival, width: int) -> Sheet:
    """Why an interrupt does not arrive."""
    rows = tuple(replace(row, key=None) for row in why.arrival(found, min(width, _LONGEST)))
    return Sheet(Panel(f"Why  {found.subject} at {instructions(found.moment)}", rows, "esc closes", 0))
