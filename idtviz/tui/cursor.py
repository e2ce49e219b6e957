"""What keys do at the row under the cursor: Enter opens a structure bit by bit, b sets a breakpoint."""

from __future__ import annotations

from idtviz.debugger.session import Session
from idtviz.debugger.stops import AddressBreakpoint, EventBreakpoint
from idtviz.debugger.view import View
from idtviz.tui.commands import toggle
from idtviz.view import gdt, idt, tss, walks
from idtviz.view.row import Panel
from idtviz.x86.vectors import VECTORS


def sheet_of(view: View, panel: str | None, key: int | None) -> Panel | None:
    """The sheet for the row with `key` in `panel`; None where there is none."""
    if panel == "tss":
        return tss.detail(view, key)
    if key is None:
        return None
    if panel == "idt":
        return idt.detail(view, key)
    if panel == "gdt":
        return gdt.detail(view, key)
    return walks.detail(view, key) if panel == "registers" else None


def toggle_breakpoint(session: Session, panel: str | None, key: int | None) -> str:
    """Set a breakpoint on an instruction or a vector, or take it away; returns what to say."""
    if key is None or panel not in ("code", "idt"):
        return "Put the cursor on an instruction, or on a gate of the IDT, and press b there."
    if panel == "idt":
        event = EventBreakpoint(VECTORS[key].mnemonic, vector=key)
        return f"breakpoint on {event} {'set' if toggle(session, event) else 'taken away'}"
    place = AddressBreakpoint(key, session.symbols.name(session.view.code.linear(key)) or f"{key:#x}")
    return f"breakpoint at {place} {'set' if toggle(session, place) else 'taken away'}"
