"""What the row under the cursor stands for: Enter opens it bit by bit, b sets a breakpoint, w asks who wrote it."""

from __future__ import annotations

from idtviz.debugger.breakpoints import AddressBreakpoint, Breakpoint, DeliveryBreakpoint, WriteBreakpoint
from idtviz.debugger.session import Session
from idtviz.debugger.view import View
from idtviz.machine.watch import Bytes
from idtviz.tui.breakpoint_commands import toggle
from idtviz.view import gdt, idt, tss, walks
from idtviz.view.row import Panel
from idtviz.x86.addresses import MASK64
from idtviz.x86.vectors import VECTORS

_TI = 1 << 2


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


def toggle_breakpoint(session: Session, view: View, panel: str | None, key: int | None) -> str:
    """Set a breakpoint on what the row stands for, or take it away; returns what to say."""
    item = None if key is None else _breakpoint(session, view, panel, key)
    if item is None:
        return "Press b on an instruction, a gate of the IDT, a word of the stack, a descriptor or a TSS."
    return toggle(session, item)


def _breakpoint(session: Session, view: View, panel: str | None, key: int) -> Breakpoint | None:
    """In front of an instruction, at a vector, or behind a write to what the row shows."""
    if panel == "code":
        linear = view.code.linear(key)
        return AddressBreakpoint((linear,), session.symbols.name(linear) or f"{linear:#x}")
    if panel == "idt":
        return DeliveryBreakpoint(VECTORS[key].mnemonic, key)
    place = bytes_of(view, panel, key)
    return (
        None if place is None else WriteBreakpoint(place, session.symbols.name(place.address) or f"{place.address:#x}")
    )


def bytes_of(view: View, panel: str | None, key: int) -> Bytes | None:
    """The bytes in memory that a row shows."""
    if panel == "idt":
        return Bytes(view.idt.address(key), view.idt.entry_size)
    if panel == "stack":
        return Bytes(key, view.stack.word_size)
    if panel == "gdt":
        table = view.ldt if key & _TI else view.gdt
        entry = next((found for found in table.entries if found.offset == key & ~7), None) if table else None
        return None if table is None or entry is None else Bytes((table.base + entry.offset) & MASK64, entry.size)
    if panel == "tss":
        found = next((found for found in (view.tss, view.other_tss) if found and found.selector == key), None)
        return None if found is None or found.tss is None else Bytes(found.base, len(found.tss.encode()))
    return None
