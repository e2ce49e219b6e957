"""The TSS panel: where the processor finds the stack of a handler."""

from __future__ import annotations

from idtviz.debugger.view import TssView, View
from idtviz.view.idt import name_of_vector
from idtviz.view.layout import Line, printable, raw_bytes, sentence, structure, table, touched
from idtviz.view.row import Panel, Role, Row, Rows, Span
from idtviz.x86.addresses import MASK64
from idtviz.x86.tss import IST_OFFSETS, RSP_OFFSETS, Tss64

_SLOTS = (
    *((f"RSP{number}", offset) for number, offset in enumerate(RSP_OFFSETS)),
    *((f"IST{number}", offset) for number, offset in enumerate(IST_OFFSETS, 1)),
)


def panel(view: View, before: View | None, width: int) -> Panel:
    """One row for each stack pointer that is set or used; `key` is the address that it holds."""
    title = f"TSS  {view.tss.base:#x} · limit {view.tss.limit:#x}" if view.tss.selector & ~3 else "TSS"
    tss = view.tss.tss
    if tss is None:
        return Panel(title, _missing(view.tss, width))
    old = before.tss.tss if before is not None else None
    lines: list[Line] = []
    focus = None
    zero: list[str] = []
    for name, offset in _SLOTS:
        value = slot(tss, offset)
        lit = touched(view, (view.tss.base + offset) & MASK64, 8)
        changed = old is not None and slot(old, offset) != value
        users = _users(view, name)
        if not (value or lit or changed or users or name == "RSP0"):
            zero.append(name)
            continue
        _fold(lines, zero)
        if lit:
            focus = len(lines)
        lines.append(_line(view, name, value, users, lit, changed=changed))
    _fold(lines, zero)
    lines.append(_io_map(view, tss, old))
    return Panel(title, table(lines, width, least=6), f"selector {view.tss.selector:#x}", focus)


def detail(view: View) -> Panel:
    """The whole TSS: its bytes and every field. Width: 80."""
    return detail_in(view, 80)


def detail_in(view: View, width: int) -> Panel:
    """As `detail`, for another width."""
    title = f"TSS  {view.tss.base:#x}"
    tss = view.tss.tss
    if tss is None:
        return Panel(title, _missing(view.tss, width))
    text = f"TR holds selector {view.tss.selector:#x}: base {view.tss.base:#x}, limit {view.tss.limit:#x}."
    rows: list[Row] = [*sentence(text, width, Role.LABEL), *structure(tss, width)]
    rows += raw_bytes(view.tss.base, tss.encode(), width)
    return Panel(title, tuple(rows))


def slot(tss: Tss64, offset: int) -> int:
    """The quadword at `offset` of the TSS."""
    return tss.value >> 8 * offset & MASK64


def slots(view: View) -> dict[str, int]:
    """The stack pointers of the TSS that are not zero, by name: `RSP0`, `IST1`."""
    tss = view.tss.tss
    if tss is None:
        return {}
    return {name: value for name, offset in _SLOTS if (value := slot(tss, offset))}


def _missing(tss: TssView, width: int) -> Rows:
    if not tss.selector & ~3:
        text = (
            "TR holds a null selector: no TSS has been loaded. An interrupt that changes rings has no stack to go to."
        )
    elif tss.limit + 1 < Tss64.SIZE:
        text = f"The TSS is too small: limit {tss.limit:#x}, and its {Tss64.SIZE} bytes need {Tss64.SIZE - 1:#x}."
    else:
        text = f"The TSS is not mapped: no page at {tss.base:#x}."
    return sentence(text, width, Role.WARNING)


def _users(view: View, name: str) -> str:
    """The gates that use an IST slot: `← #DF #MC`."""
    if not name.startswith("IST"):
        return ""
    number = int(name[3:])
    users = [
        name_of_vector(view, vector)
        for vector, gate in enumerate(view.idt.gates)
        if gate.present and gate.ist == number
    ]
    return f"← {' '.join(users)}" if users else ""


def _line(view: View, name: str, value: int, users: str, lit: Role | None, *, changed: bool) -> Line:
    symbol = view.name(value) if value else None
    text = f"{users}: zero" if users and not value else " ".join(filter(None, (users, printable(symbol or ""))))
    return Line(
        (
            Span(name, Role.LABEL),
            Span(f"{value:016x}", Role.CHANGED if changed else Role.VALUE if value else Role.DIM),
            Span(text, Role.WARNING if users and not value else Role.SYMBOL),
        ),
        lit,
        changed,
        value,
    )


def _fold(lines: list[Line], zero: list[str]) -> None:
    """One row for the slots that are zero and that nothing uses."""
    for kind in ("RSP", "IST"):
        numbers = [name[3:] for name in zero if name.startswith(kind)]
        if numbers:
            last = f"-{numbers[-1]}" if len(numbers) > 1 else ""
            lines.append(Line((Span(f"{kind}{numbers[0]}{last}", Role.DIM), Span("zero", Role.DIM))))
    zero.clear()


def _io_map(view: View, tss: Tss64, old: Tss64 | None) -> Line:
    base = tss.io_map_base
    changed = old is not None and old.io_map_base != base
    what = "none" if base >= view.tss.limit else f"offset {base:#x}"
    lit = touched(view, (view.tss.base + 102) & MASK64, 2)
    value = Span(
        f"{base:#x}: {what}" if base >= view.tss.limit else f"at {what}", Role.CHANGED if changed else Role.VALUE
    )
    return Line((Span("I/O map", Role.LABEL), value), lit, changed)
