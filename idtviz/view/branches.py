"""Branches as sheets: the list of them, and two side by side."""

from __future__ import annotations

from collections.abc import Sequence

from idtviz.debugger.branching import Branch
from idtviz.debugger.comparison import Comparison
from idtviz.debugger.moment import Moment
from idtviz.debugger.view import View
from idtviz.machine.events import Happened
from idtviz.view.events import told
from idtviz.view.layout import cut, printable
from idtviz.view.row import Panel, Role, Row, row

_AROUND = 4  # events that both have, shown around those that one has not
_NAME = 40  # columns


def listed(branches: Sequence[Branch], present: Branch) -> Panel:
    """One row for each: number, where it parts and from which, how far it reaches, what sets it apart."""
    rows = [
        row(
            ("▶ " if branch is present else "  ", Role.CURRENT),
            (f"{branch.number:>3}  ", Role.VALUE),
            (f"{_from(branch):<24}", Role.LABEL),
            (f"up to {branch.frontier!s:<14}", Role.ADDRESS),
            (cut(printable(branch.name), _NAME), Role.TEXT),
            key=branch.number,
        )
        for branch in branches
    ]
    return Panel("Branches", tuple(rows), "o: the next one   = : side by side with where it parts")


def _from(branch: Branch) -> str:
    return "from the start" if branch.parent is None else f"parts from {branch.parent.number} at {branch.fork}"


def compared(found: Comparison, left: Branch, right: Branch, view: View, width: int) -> Panel:
    """Two branches in two columns: where they part, what differs there, and the events of both, matched."""
    half = max(16, (width - 3) // 2)
    rows = [
        _both(_title(left), _title(right), half, Role.TITLE),
        _both(f"up to {left.frontier}", f"up to {right.frontier}", half, Role.DIM),
        _heading(f"The same up to {found.parted}, with {found.common} events"),
        *_way(found, view, half),
        *_registers(found, half),
        *_events(found, left.recording.events, right.recording.events, view, half),
    ]
    return Panel(f"Branches {found.left} and {found.right}", tuple(rows))


def _title(branch: Branch) -> str:
    return f"branch {branch.number}: {printable(branch.name)}"


def _heading(text: str) -> Row:
    return row((text, Role.LABEL))


def _both(left: str, right: str, half: int, role: Role, sign: str = " ") -> Row:
    return row((f"{cut(left, half):<{half}}", role), (f" {sign} ", Role.BAD), (cut(right, half), role))


def _way(found: Comparison, view: View, half: int) -> list[Row]:
    way = found.way
    if way is None:
        return [_heading(f"They run the same code as far as both go, to {found.last}")]
    ours, theirs = (view.name(at) or f"{at:#x}" for at in (way.left_address, way.right_address))
    return [
        _heading(f"Different code from {found.last} on"),
        _both(f"{way.left!s:>8}  {ours}", f"{way.right!s:>8}  {theirs}", half, Role.TEXT, "≠"),
    ]


def _registers(found: Comparison, half: int) -> list[Row]:
    if not found.registers:
        return [_heading("All registers hold the same there")]
    pad = max(len(name) for name, _, _ in found.registers)
    return [
        _heading("Registers that differ there"),
        *(
            _both(f"{name:<{pad}} {ours}", f"{name:<{pad}} {theirs}", half, Role.VALUE, "≠")
            for name, ours, theirs in found.registers
        ),
    ]


def _events(
    found: Comparison, ours: Sequence[Happened], theirs: Sequence[Happened], view: View, half: int
) -> list[Row]:
    """The events behind the parting; long stretches that both have are told by their number."""
    alone = found.alone
    both = sum(pair.same for pair in found.pairs)
    end = max([place + 1 for place, pair in enumerate(found.pairs) if pair.same or place in alone], default=0)
    rows = [_heading(f"Events: {both} on both, {len(alone) or 'none'} on one of them alone")]
    shown = {at for place in alone for at in range(place - _AROUND, place + _AROUND + 1)}
    skipped = 0
    for place, pair in enumerate(found.pairs[:end]):
        if place not in shown:
            skipped += 1
            continue
        rows += [_heading(f"  … {skipped} on both")] * bool(skipped)
        skipped = 0
        sign = " " if pair.same else "◀" if pair.right is None else "▶"
        role = Role.DIM if pair.same else Role.TEXT
        rows.append(_both(_text(pair.left, ours, view), _text(pair.right, theirs, view), half, role, sign))
    rows += [_heading(f"  … {skipped} on both")] * bool(skipped)
    if end < len(found.pairs):
        goes_on = found.left if found.pairs[end].left is not None else found.right
        rows.append(_heading(f"  … {len(found.pairs) - end} more on branch {goes_on}, which goes on further"))
    if found.cut:
        rows.append(_heading("  … and more, which are not compared"))
    return rows


def _text(place: int | None, events: Sequence[Happened], view: View) -> str:
    if place is None:
        return ""
    event = events[place]
    return f"{Moment(event.instruction, event.step)!s:>8}  {told(view, events, event)[0]}"
