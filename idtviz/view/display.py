"""The display panel: the text on the VGA's screen."""

from __future__ import annotations

from idtviz.debugger.view import View
from idtviz.view.layout import GUTTER, line
from idtviz.view.row import Panel, Role, Row, Span


def panel(view: View, before: View | None, width: int) -> Panel:
    """The lines of the screen without the blank ones at its end; the cursor's cell is in a role of its own."""
    screen, cursor = view.screen, view.vga.cursor
    lines = screen.lines
    old = before.screen.lines if before is not None and before.screen != screen else lines
    on_screen = cursor.visible and cursor.row < screen.rows
    last = max((number for number, text in enumerate(lines) if text.strip()), default=-1)
    changed_last = max(
        (number for number, text in enumerate(lines) if number < len(old) and old[number] != text), default=-1
    )
    last = max(last, changed_last, cursor.row if on_screen else -1)
    rows = []
    for number in range(last + 1):
        changed = number < len(old) and old[number] != lines[number]
        column = cursor.column if on_screen and cursor.row == number else None
        rows.append(_row(lines[number], column, width, changed=changed))
    note = f"cursor {cursor.row},{cursor.column}" if on_screen else "no cursor"
    if not rows:
        rows.append(line(width, Span("blank", Role.DIM)))
    return Panel(f"Display {screen.columns}×{screen.rows}", tuple(rows), note, len(rows) - 1)


def _row(text: str, cursor: int | None, width: int, *, changed: bool) -> Row:
    role = Role.CHANGED if changed else Role.TEXT
    room = width - GUTTER
    if cursor is None or cursor >= room:
        return line(width, Span(text.rstrip(), role), changed=changed)
    cell = text[cursor : cursor + 1].strip() or "▏"
    rest = text[cursor + 1 :].rstrip()
    return line(width, Span(text[:cursor], role), Span(cell, Role.CURRENT), Span(rest, role), changed=changed)
