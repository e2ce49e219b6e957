"""The list of breakpoints, as a sheet."""

from __future__ import annotations

from collections.abc import Sequence

from idtviz.debugger.breakpoints import Listed
from idtviz.view.layout import printable
from idtviz.view.row import Panel, Role, Row, row


def panel(listed: Sequence[Listed]) -> Panel:
    """One row for each: number, whether it is on, what it stops at, how often it has stopped a run."""
    if not listed:
        return Panel("Breakpoints", (row(("None. Press b on a row, or write :break #PF if error & 4", Role.DIM)),))
    width = max(len(str(entry.breakpoint)) for entry in listed)
    return Panel("Breakpoints", tuple(_row(entry, width) for entry in listed))


def _row(entry: Listed, width: int) -> Row:
    hits = "" if not entry.hits else "1 hit" if entry.hits == 1 else f"{entry.hits} hits"
    text = f"{printable(str(entry.breakpoint)):<{width}}"
    mark, role = ("■ ", Role.TEXT) if entry.enabled else ("□ ", Role.DIM)
    off = "" if entry.enabled else "off"
    return row(
        (mark, Role.BAD if entry.enabled else Role.DIM),
        (f"{entry.number:>3}  ", Role.VALUE),
        (text, role),
        (f"  {off:<3}  ", Role.DIM),
        (hits, Role.LABEL),
        key=entry.number,
    )
