"""The IDT panel, in real mode the IVT: the entries in use, and one of them bit by bit."""

from __future__ import annotations

from idtviz.debugger.tables import VECTORS as ENTRIES
from idtviz.debugger.tables import handler_address
from idtviz.debugger.view import View
from idtviz.machine.chips.pic import irq_of_vector
from idtviz.machine.delivery.delivery import Gate
from idtviz.view import apic
from idtviz.view.layout import Line, line, printable, raw_bytes, sentence, structure, table, touched
from idtviz.view.row import Panel, Role, Rows, Span
from idtviz.x86.gates import Gate32, Gate64, IvtEntry
from idtviz.x86.selectors import Selector
from idtviz.x86.vectors import VECTORS

_SHORT = {"interrupt": "int", "interrupt16": "int16"}
_KNOWN_64 = ("interrupt", "trap")
_KNOWN_32 = (*_KNOWN_64, "interrupt16", "trap16", "task")
_IN_REAL_MODE = frozenset((*range(9), 12, 13, 16, 18))
"""Vectors of the exceptions that real mode has (SDM 3B table 20-1); the others are numbers for software."""
_FIRST_OF_THE_BIOS = 0x10
"""From this vector on real mode calls them by number: INT 0x10 is the BIOS's video service, not #MF."""
_AFTER_RESET = (0, 0x3FF)
"""Base and limit of IDTR behind a reset (SDM 3A table 9-1): those of the real-mode vector table."""


def panel(view: View, before: View | None, width: int) -> Panel:
    """One row for each entry that is not all zero; `key` is its vector."""
    idt = view.idt
    title = f"{idt.name}  {idt.base:#x} · limit {idt.limit:#x}"
    missing = _missing(view, width)
    if missing:
        return Panel(title, missing)
    old = before.idt.gates if before is not None and before.idt.kind is idt.kind else None
    lines: list[Line] = []
    focus: int | None = None
    current = _vector_under_way(view)
    shown = set()
    for vector, gate in enumerate(idt.gates):
        was = old[vector] if old is not None and vector < len(old) else None
        changed = old is not None and (was or idt.kind()) != gate
        if gate.value or changed or vector == current:
            if vector == current:
                focus = len(lines)
            shown.add(vector)
            lines.append(_line(view, vector, gate, changed=changed, current=vector == current))
    drop = {Gate64: (3, 6, 2, 4), Gate32: (3, 5, 2), IvtEntry: (3,)}[idt.kind]
    rows = [*table(lines, width, drop=drop, least=10)]
    in_use = sum(gate.value != 0 for gate in idt.gates)
    rest = len(idt.gates) - len(shown)
    if rest:
        empty = "zero, no handler" if idt.kind is IvtEntry else "not present"
        rows.append(line(width, Span(f"{'other' if shown else 'all'} {rest}: {empty}", Role.DIM)))
    if len(idt.gates) < ENTRIES:
        beyond = f"{len(idt.gates)}-255" if len(idt.gates) < ENTRIES - 1 else "255"
        text = f"vectors {beyond}: beyond the limit, #GP"
        if current is not None and current >= len(idt.gates):
            focus = len(rows)
            rows.append(line(width, Span(f"✗ {current} {name_of_vector(view, current)}: beyond the limit", Role.BAD)))
        rows.append(line(width, Span(text, Role.DIM)))
    return Panel(title, tuple(rows), f"{in_use} of {len(idt.gates)} in use", focus)


def detail(view: View, vector: int) -> Panel:
    """One entry: its bytes, every field with its meaning, what it names, and the handler. Width: 80."""
    return detail_in(view, vector, 80)


def detail_in(view: View, vector: int, width: int) -> Panel:
    """As `detail`, for another width."""
    idt = view.idt
    address = idt.address(vector)
    title = f"{idt.name}[{vector}] {name_of_vector(view, vector)}  {address:#x}"
    missing = _missing(view, width)
    if missing:
        return Panel(title, missing)
    rows = [line(width, Span(_kind_of_vector(view, vector), Role.LABEL))]
    sender = _sender(view, vector)
    if sender is not None:
        clash = vector < 32 and (view.mode != "real" or vector in _IN_REAL_MODE)
        rows.append(line(width, Span(f"{sender[0]} sends {sender[1]} here", Role.WARNING if clash else Role.TEXT)))
    if vector >= len(idt.gates):
        first, last = vector * idt.entry_size, (vector + 1) * idt.entry_size - 1
        text = f"The entry would lie at offsets {first:#x} to {last:#x}, beyond the limit {idt.limit:#x}."
        return Panel(title, (*rows, *sentence(text, width, Role.BAD)))
    gate = idt.gates[vector]
    rows += raw_bytes(address, gate.encode(), width)
    rows += structure(gate, width)
    rows += _named(view, gate, width)
    handler = handler_address(gate, view.gdt, view.ldt)
    if handler is not None:
        rows.append(line(width, Span("handler  ", Role.LABEL), Span(_handler(view, handler), Role.SYMBOL)))
    return Panel(title, tuple(rows))


def name_of_vector(view: View, vector: int) -> str:
    """`#PF`; `IRQ1` or `APIC timer` where a controller is programmed to send it there; `INT 0x80`."""
    real = view.mode == "real"
    if vector >= 32 or real:
        sender = _sender(view, vector)
        if sender is not None:
            return sender[1]
    if real and (vector not in _IN_REAL_MODE or vector >= _FIRST_OF_THE_BIOS):
        return f"INT {vector:#x}"
    return VECTORS[vector].mnemonic


def _sender(view: View, vector: int) -> tuple[str, str] | None:
    """The interrupt controller that is programmed to send something to this vector, and what."""
    name = apic.name_of_vector(view, vector)
    if name is not None:
        return "the APIC", name
    irq = irq_of_vector(view.pic, vector) if view.lapic is None or view.lapic.virtual_wire else None
    return None if irq is None else ("the PIC", f"IRQ{irq}")


def _kind_of_vector(view: View, vector: int) -> str:
    if view.mode == "real" and vector not in _IN_REAL_MODE:
        return "no exception of real mode: for software (INT n), or for an interrupt line"
    known = VECTORS[vector]
    text = f"{known.title} · {known.kind.value}"
    shared = view.mode == "real" and vector >= _FIRST_OF_THE_BIOS
    return f"a service of the BIOS (INT n); as an exception {known.mnemonic}, {text}" if shared else text


def never_loaded(view: View) -> bool:
    """Whether IDTR still has what it has behind a reset, though the mode wants gates."""
    return view.idt.kind is not IvtEntry and (view.idt.base, view.idt.limit) == _AFTER_RESET


def _handler(view: View, address: int) -> str:
    name = view.name(address)
    where = view.line(address) if name else None
    text = f"{address:#x} {printable(name) if name else 'no symbol'}"
    return f"{text} · {printable(where.file)}:{where.number}" if where is not None else text


def _missing(view: View, width: int) -> Rows:
    """Why there is no table of gates to show."""
    idt = view.idt
    if idt.raw is None:
        place = f"The {idt.name} is not mapped: no page at {idt.base:#x}."
        return sentence(f"{place} Any exception or interrupt now ends in a shutdown.", width, Role.WARNING)
    if not idt.gates:
        unloaded = f"the limit {idt.limit:#x} leaves no room for an entry. LIDT loads one."
        return sentence(f"There is no {idt.name} yet: {unloaded}", width, Role.WARNING)
    return _vectors_of_real_mode(view, width) if never_loaded(view) else ()


def _vectors_of_real_mode(view: View, width: int) -> Rows:
    """What to say where gates are wanted and IDTR points at the real-mode vector table; no entry is shown as one."""
    idt, current = view.idt, _vector_under_way(view)
    text = (
        "IDTR still has the base and the limit of the real-mode vector table: no LIDT yet. These bytes are no gates, "
        f"but an exception or interrupt takes {idt.entry_size} of them for one."
    )
    rows = sentence(text, width, Role.WARNING)
    if current is None:
        return rows
    name, address = name_of_vector(view, current), idt.address(current)
    return (*rows, line(width, Span(f"{current} {name}: taken for a gate, the bytes at {address:#x}"), lit=Role.BAD))


def _vector_under_way(view: View) -> int | None:
    procedure = view.procedure
    return procedure.event.vector if procedure is not None and procedure.active and procedure.event else None


def _line(view: View, vector: int, gate: Gate, *, changed: bool, current: bool) -> Line:
    lit = touched(view, view.idt.address(vector), view.idt.entry_size) or (Role.CURRENT if current else None)
    head = (Span(f"{vector:3}", Role.LABEL), Span(name_of_vector(view, vector), Role.LABEL))
    if isinstance(gate, IvtEntry):
        cells = (*head, *_pointer(view, gate, changed=changed))
    elif gate.value:
        cells = (*head, *_gate(view, gate, changed=changed))
    else:
        blanks = (Span(""),) * (3 if isinstance(gate, Gate64) else 2)
        empty = Span("zero: not present", Role.CHANGED if changed else Role.DIM)
        cells = (*head, *blanks, Span("·", Role.DIM), Span(""), empty)
    return Line(cells, lit, changed, vector)


def _pointer(view: View, entry: IvtEntry, *, changed: bool) -> tuple[Span, ...]:
    """CS:IP of a handler in real mode, its linear address and name."""
    symbol = view.name(entry.linear)
    return (
        Span(f"{entry.segment:04x}:{entry.offset:04x}", Role.CHANGED if changed else Role.VALUE),
        Span(f"= {entry.linear:05x}", Role.ADDRESS),
        Span(printable(symbol), Role.SYMBOL) if symbol else Span("no handler" if not entry.value else "", Role.DIM),
    )


def _gate(view: View, gate: Gate64 | Gate32, *, changed: bool) -> tuple[Span, ...]:
    role = Role.CHANGED if changed else Role.VALUE
    known = gate.kind in (_KNOWN_64 if isinstance(gate, Gate64) else _KNOWN_32)
    ist = (Span(f"ist{gate.ist}", role),) if isinstance(gate, Gate64) else ()
    where = f"{gate.selector:02x}" if gate.kind == "task" else f"{gate.selector:02x}:{gate.offset:x}"
    return (
        Span(_SHORT.get(gate.kind, gate.kind), role if known else Role.BAD),
        Span(f"dpl{gate.dpl}", role),
        *ist,
        Span("●", Role.GOOD) if gate.present else Span("·", Role.DIM),
        Span(where, Role.CHANGED if changed else Role.ADDRESS),
        _target(view, gate),
    )


def _target(view: View, gate: Gate64 | Gate32) -> Span:
    """The handler's name, or what a task gate leads to."""
    if gate.kind == "task":
        found = view.gdt.find(Selector(gate.selector))
        return Span(f"→ {found.summary}" if found is not None else "→ beyond the GDT", Role.SYMBOL)
    address = handler_address(gate, view.gdt, view.ldt)
    symbol = view.name(gate.offset if address is None else address)
    return Span(printable(symbol), Role.SYMBOL) if symbol else Span(f"{gate.offset:#x}", Role.DIM)


def _named(view: View, gate: Gate, width: int) -> Rows:
    """What the segment or selector of an entry stands for."""
    if isinstance(gate, IvtEntry):
        text = f"CS is loaded with it, and the segment begins at {gate.segment << 4:#x}: sixteen times as high"
        return (line(width, Span(f"segment {gate.segment:#06x}  ", Role.LABEL), Span(text)),)
    selector = Selector(gate.selector)
    found = view.find(selector)
    if selector.null:
        text = "null selector: delivery raises #GP"
    elif selector.ti and view.ldt is None:
        text = f"{selector.explain()}: no LDT is loaded, delivery raises #GP"
    elif found is None:
        text = f"beyond the {selector.table} limit: delivery raises #GP"
    else:
        text = f"{selector.explain()}: {found.summary}"
    return (line(width, Span(f"selector {gate.selector:#x}  ", Role.LABEL), Span(text)),)
