"""The IDT panel: the gates in use, and one gate bit by bit."""

from __future__ import annotations

from idtviz.debugger.view import View
from idtviz.machine.chips.pic import irq_of_vector
from idtviz.view.layout import Line, line, printable, raw_bytes, sentence, structure, table, touched
from idtviz.view.row import Panel, Role, Rows, Span
from idtviz.x86.descriptors import SegmentDescriptor, SystemDescriptor64
from idtviz.x86.gates import Gate64
from idtviz.x86.selectors import Selector
from idtviz.x86.vectors import VECTORS

_GATE = 16
_KINDS = {"interrupt": "int"}


def panel(view: View, before: View | None, width: int) -> Panel:
    """One row for each gate that is not all zero; `key` is its vector."""
    idt = view.idt
    title = f"IDT  {idt.base:#x} · limit {idt.limit:#x}"
    missing = _missing(view, width)
    if missing:
        return Panel(title, missing)
    old = before.idt.gates if before is not None else None
    lines: list[Line] = []
    focus: int | None = None
    current = _vector_under_way(view)
    shown = set()
    for vector, gate in enumerate(idt.gates):
        was = old[vector] if old is not None and vector < len(old) else None
        changed = old is not None and (was or Gate64()) != gate
        if gate.value or changed or vector == current:
            if vector == current:
                focus = len(lines)
            shown.add(vector)
            lines.append(_line(view, vector, gate, changed=changed, current=vector == current))
    rows = [*table(lines, width, drop=(3, 6, 2, 4), least=10)]
    in_use = sum(gate.value != 0 for gate in idt.gates)
    rest = len(idt.gates) - len(shown)
    if rest:
        rows.append(line(width, Span(f"{'other' if shown else 'all'} {rest}: not present", Role.DIM)))
    if len(idt.gates) < 256:
        beyond = f"{len(idt.gates)}-255" if len(idt.gates) < 255 else "255"
        text = f"vectors {beyond}: beyond the limit, #GP"
        if current is not None and current >= len(idt.gates):
            focus = len(rows)
            rows.append(line(width, Span(f"✗ {current} {name_of_vector(view, current)}: beyond the limit", Role.BAD)))
        rows.append(line(width, Span(text, Role.DIM)))
    return Panel(title, tuple(rows), f"{in_use} of {len(idt.gates)} in use", focus)


def detail(view: View, vector: int) -> Panel:
    """One gate: its bytes, every field with its meaning, what the selector names, and the handler. Width: 80."""
    return detail_in(view, vector, 80)


def detail_in(view: View, vector: int, width: int) -> Panel:
    """As `detail`, for another width."""
    idt = view.idt
    address = idt.address(vector)
    title = f"IDT[{vector}] {name_of_vector(view, vector)}  {address:#x}"
    missing = _missing(view, width)
    if missing:
        return Panel(title, missing)
    known = VECTORS[vector]
    rows = [line(width, Span(f"{known.title} · {known.kind.value}", Role.LABEL))]
    irq = irq_of_vector(view.pic, vector)
    if irq is not None:
        rows.append(line(width, Span(f"the PIC sends IRQ{irq} here", Role.WARNING if vector < 32 else Role.TEXT)))
    if vector >= len(idt.gates):
        text = (
            f"The gate would lie at offsets {vector * 16:#x} to {vector * 16 + 15:#x}, beyond the limit {idt.limit:#x}."
        )
        return Panel(title, (*rows, *sentence(text, width, Role.BAD)))
    gate = idt.gates[vector]
    rows += raw_bytes(address, gate.encode(), width)
    rows += structure(gate, width)
    rows += _selected(view, gate, width)
    handler = view.name(gate.offset)
    where = view.line(gate.offset) if handler else None
    text = f"{gate.offset:#x} {printable(handler) if handler else 'no symbol'}"
    if where is not None:
        text += f" · {printable(where.file)}:{where.number}"
    rows.append(line(width, Span("handler  ", Role.LABEL), Span(text, Role.SYMBOL)))
    return Panel(title, tuple(rows))


def name_of_vector(view: View, vector: int) -> str:
    """`#PF`; `IRQ1` where the PICs are programmed to send it there; `INT 0x80`."""
    if vector >= 32:
        irq = irq_of_vector(view.pic, vector)
        if irq is not None:
            return f"IRQ{irq}"
    return VECTORS[vector].mnemonic


def _missing(view: View, width: int) -> Rows:
    """Why there is no table of gates to show."""
    idt = view.idt
    if view.mode not in ("long", "compatibility"):
        return sentence(f"The processor is in {view.mode} mode: its gates are not those of long mode.", width)
    if idt.raw is None:
        text = f"The IDT is not mapped: no page at {idt.base:#x}. Any exception or interrupt now ends in a shutdown."
        return sentence(text, width, Role.WARNING)
    if not idt.gates:
        text = f"There is no IDT yet: the limit {idt.limit:#x} leaves no room for a gate. LIDT loads one."
        return sentence(text, width, Role.WARNING)
    return ()


def _vector_under_way(view: View) -> int | None:
    procedure = view.procedure
    return procedure.event.vector if procedure is not None and procedure.active and procedure.event else None


def _line(view: View, vector: int, gate: Gate64, *, changed: bool, current: bool) -> Line:
    role = Role.CHANGED if changed else Role.VALUE
    lit = touched(view, view.idt.address(vector), _GATE) or (Role.CURRENT if current else None)
    symbol = view.name(gate.offset)
    kind = _KINDS.get(gate.kind, gate.kind)
    known = gate.kind in ("interrupt", "trap")
    present = Span("●", Role.GOOD) if gate.present else Span("·", Role.DIM)
    if not gate.value:
        empty = Span("zero: not present", Role.CHANGED if changed else Role.DIM)
        name = Span(name_of_vector(view, vector), Role.LABEL)
        return Line(
            (Span(f"{vector:3}", Role.LABEL), name, *(Span(""),) * 3, present, Span(""), empty), lit, changed, vector
        )
    return Line(
        (
            Span(f"{vector:3}", Role.LABEL),
            Span(name_of_vector(view, vector), Role.LABEL),
            Span(kind, role if known else Role.BAD),
            Span(f"dpl{gate.dpl}", role),
            Span(f"ist{gate.ist}", role),
            present,
            Span(f"{gate.selector:02x}:{gate.offset:x}", Role.CHANGED if changed else Role.ADDRESS),
            Span(printable(symbol), Role.SYMBOL) if symbol else Span(f"{gate.offset:#x}", Role.DIM),
        ),
        lit,
        changed,
        vector,
    )


def _selected(view: View, gate: Gate64, width: int) -> Rows:
    selector = Selector(gate.selector)
    found = _descriptor(view, selector)
    if selector.null:
        text = "null selector: delivery raises #GP"
    elif selector.ti:
        text = selector.explain()
    elif found is None:
        text = f"beyond the GDT limit {view.gdt.limit:#x}: delivery raises #GP"
    else:
        text = f"{selector.explain()}: {found.summary}"
    return (line(width, Span(f"selector {gate.selector:#x}  ", Role.LABEL), Span(text)),)


def _descriptor(view: View, selector: Selector) -> SegmentDescriptor | SystemDescriptor64 | None:
    return next((entry.descriptor for entry in view.gdt.entries if entry.offset == selector.offset), None)
