"""The local APIC and the I/O APIC, as rows of the controllers panel."""

from __future__ import annotations

from collections.abc import Callable

from idtviz.debugger.view import View
from idtviz.machine.chips import ioapic_state, lapic_state, lapic_timer
from idtviz.machine.chips.ioapic_state import PINS, IoApicState
from idtviz.machine.chips.lapic_state import LapicState, Lvt
from idtviz.view.layout import flow, line, sentence
from idtviz.view.row import Role, Row, Rows, Span
from idtviz.x86.apic import EXTINT, FIXED, LOWEST_PRIORITY, MODES, NMI, LvtEntry, Redirection

_NAMES = {
    Lvt.TIMER: "APIC timer",
    Lvt.THERMAL: "thermal",
    Lvt.PERFORMANCE: "performance",
    Lvt.LINT0: "LINT0",
    Lvt.LINT1: "LINT1",
    Lvt.ERROR: "APIC error",
}
_ERRORS = {5: "send illegal vector", 6: "receive illegal vector", 7: "illegal register"}


def in_use(local: LapicState, io: IoApicState | None) -> bool:
    """Whether a program has begun to use the APICs, beyond the virtual wire that a BIOS leaves."""
    if not local.enabled:
        return False
    waits = bool(local.irr | local.isr) or not local.lvt[Lvt.TIMER] & lapic_state.MASKED
    rewired = local.software_enabled and not local.virtual_wire
    return waits or rewired or (io is not None and any(not entry & ioapic_state.MASKED for entry in io.entries))


def intr(local: LapicState) -> bool:
    """Whether the local APIC offers the processor an interrupt."""
    return lapic_state.extint_requested(local) or lapic_state.deliverable(local) is not None


def title(local: LapicState) -> str:
    """For the panel's border."""
    return f"APIC {local.identifier}  {'x2APIC' if local.x2apic else 'xAPIC'}  {_enabled(local)}"


def in_a_line(local: LapicState) -> str:
    """What the local APIC is while only the 8259 pair is used."""
    if not local.enabled:
        return "no local APIC (IA32_APIC_BASE bit 11)"
    way = "INT goes through LINT0 (ExtINT)" if local.virtual_wire else "LINT0 lets nothing through"
    return f"{_enabled(local)}, {way}"


def name_of_vector(view: View, vector: int) -> str | None:
    """What the APICs are programmed to send to this vector: `IRQ1`, `APIC timer`; None if nothing."""
    local, io = view.lapic, view.ioapic
    if local is None or not local.enabled:
        return None
    unmasked_and_vector = LvtEntry.masked.mask | LvtEntry.vector.mask
    for pin, entry in enumerate(io.entries if io is not None else ()):
        if entry & unmasked_and_vector == vector and Redirection(entry).mode in (FIXED, LOWEST_PRIORITY):
            return _pin(pin)
    for source in Lvt:
        entry = local.lvt[source]
        if entry & unmasked_and_vector == vector and LvtEntry(entry).mode == FIXED:
            return _NAMES[source]
    return "spurious" if local.software_enabled and vector == local.svr & 0xFF else None


def requests(view: View, before: View | None, width: int) -> Rows:
    """What is requested and what is in service."""
    local = view.lapic
    if local is None:
        return ()
    old = _former(local, before)
    return (*_vectors(view, "IRR", local.irr, old.irr, width), *_vectors(view, "ISR", local.isr, old.isr, width))


def priorities(view: View, before: View | None) -> tuple[list[Span], bool]:
    """The task's and the processor's priority, as pieces of a line, and whether one has changed."""
    local = view.lapic or lapic_state.AFTER_RESET
    old = _former(local, before)
    spans = []
    for label, value, was in (
        ("TPR", f"{local.tpr:02x}", f"{old.tpr:02x}"),
        ("CR8", f"{local.tpr >> 4:x}", f"{old.tpr >> 4:x}"),
        ("PPR", f"{local.ppr:02x}", f"{old.ppr:02x}"),
    ):
        spans += [Span(f"{label} ", Role.LABEL), Span(f"{value}  ", Role.VALUE if value == was else Role.CHANGED)]
    return spans, (local.tpr, local.ppr) != (old.tpr, old.ppr)


def sources(view: View, before: View | None, width: int) -> Rows:
    """The I/O APIC's entries that are not masked, the timer, the local vector table and errors."""
    local, io = view.lapic, view.ioapic
    if local is None:
        return ()
    old = _former(local, before)
    old_io = None if before is None else before.ioapic
    found = [*(_redirections(io, old_io or io, width) if io is not None else ())]
    timer = _timer(view, local, old, width)
    found += (*timer, *_local_vector_table(local, old, width, timer=not timer))
    if local.esr or local.errors:
        found += _errors(local, width)
    return tuple(found)


def _former(local: LapicState, before: View | None) -> LapicState:
    return local if before is None or before.lapic is None else before.lapic


def waiting(view: View, processor: Callable[[View], str], width: int) -> Rows:
    """Why what is requested does not come; `processor` tells why the processor itself does not take it."""
    local, io = view.lapic, view.ioapic
    if local is None:
        return ()
    found: list[Row] = []
    for vector in _bits(local.irr):
        held = lapic_state.why_held(local, vector) or processor(view)
        found += sentence(f"{_of(view, vector)}: {held}", width, Role.WARNING)
    if io is not None:
        for pin in range(PINS):
            reason = ioapic_state.why_waiting(io, local, pin)
            beside_the_point = pin == 0 and io.entries[pin] & ioapic_state.MASKED  # the 8259 pair says it better
            if reason is not None and not beside_the_point and not local.irr >> (io.entries[pin] & 0xFF) & 1:
                found += sentence(f"{_pin(pin)}: {reason}", width, Role.WARNING)
    return tuple(found)


def _enabled(local: LapicState) -> str:
    if not local.enabled:
        return "disabled"
    return "enabled" if local.software_enabled else "software-disabled"


def _pin(pin: int) -> str:
    irq = ioapic_state.irq_of_pin(pin)
    return f"pin {pin}" if irq is None else f"IRQ{irq}"


def _of(view: View, vector: int) -> str:
    name = name_of_vector(view, vector)
    return f"vector {vector:#04x}" if name is None else f"{name} ({vector:#04x})"


def _bits(vectors: int) -> list[int]:
    """The vectors of a register, the highest first."""
    return [vector for vector in range(255, -1, -1) if vectors >> vector & 1]


def _vectors(view: View, label: str, value: int, old: int, width: int) -> Rows:
    mark = " ●" if value != old else ""
    parts = [Span(f"{label}{mark}", Role.LABEL if value == old else Role.CHANGED)]
    for vector in _bits(value):
        name = name_of_vector(view, vector)
        role = Role.VALUE if old >> vector & 1 else Role.CHANGED
        parts.append(Span(f"{vector:#04x}" + (f" {name}" if name else ""), role))
    if not value:
        parts.append(Span("empty", Role.DIM))
    return flow(parts, width, gap=2)


def _timer(view: View, local: LapicState, old: LapicState, width: int) -> Rows:
    entry = LvtEntry(local.lvt[Lvt.TIMER])
    pulse = lapic_timer.pulses(view.ticks, view.hertz)
    _, timer = lapic_timer.settle(local.timer, pulse, periodic=local.periodic)  # a masked one is settled only when read
    changed = (local.lvt[Lvt.TIMER], timer.initial) != (old.lvt[Lvt.TIMER], old.timer.initial)
    parts = [Span("timer" + (" ●" if changed else ""), Role.CHANGED if changed else Role.LABEL)]
    if entry.masked and not timer.running:
        return ()  # the local vector table's row says so
    parts.append(Span("periodic" if local.periodic else "one-shot", Role.VALUE))
    parts.append(Span("masked", Role.WARNING) if entry.masked else Span(f"{entry.vector:#04x}", Role.VALUE))
    if not timer.running:
        return flow([*parts, Span("does not count", Role.DIM)], width)
    left = lapic_timer.tick(timer.end, view.hertz) - view.ticks
    count = lapic_timer.current_count(timer, pulse)
    parts += [Span(f"÷ {timer.divisor}", Role.VALUE), Span(f"count {count:,} of {timer.initial:,}", Role.VALUE)]
    return flow([*parts, Span(f"reaches 0 in {left:,} ticks", Role.DIM)], width)


def _local_vector_table(local: LapicState, old: LapicState, width: int, *, timer: bool) -> Rows:
    """The SVR, the pins and the error interrupt; `timer`: and the timer, which has no row of its own.

    Thermal sensor and performance counters are shown only if they are not masked.
    """
    known = local.svr == old.svr
    parts = [Span(f"SVR {local.svr:03x}{'' if known else ' ●'}", Role.VALUE if known else Role.CHANGED)]
    for source in (Lvt.LINT0, Lvt.LINT1, Lvt.ERROR, Lvt.TIMER, Lvt.THERMAL, Lvt.PERFORMANCE):
        entry = LvtEntry(local.lvt[source])
        if source in (Lvt.THERMAL, Lvt.PERFORMANCE) and entry.masked:
            continue
        if source is Lvt.TIMER and not timer:
            continue
        changed = local.lvt[source] != old.lvt[source]
        role = Role.CHANGED if changed else Role.DIM if entry.masked else Role.VALUE
        what = f"{entry.vector:#04x}" if entry.mode == FIXED else MODES[entry.mode]
        words = [_NAMES[source].removeprefix("APIC "), "masked" if entry.masked else what]
        if entry.remote_irr:
            words.append("remote IRR")
        parts.append(Span(" ".join(words) + (" ●" if changed else ""), role))
    return flow(parts, width, gap=2)


def _errors(local: LapicState, width: int) -> Rows:
    known = [name for bit, name in _ERRORS.items() if (local.esr | local.errors) >> bit & 1]
    seen = "" if local.esr else " (not yet in the ESR: it shows what came before its last write)"
    return sentence(f"ESR {local.esr:02x}: {', '.join(known)}{seen}", width, Role.WARNING)


def _redirections(io: IoApicState, old: IoApicState, width: int) -> Rows:
    found = []
    masked = 0
    for pin, value in enumerate(io.entries):
        entry = Redirection(value)
        if entry.masked and value == old.entries[pin]:
            masked += 1
            continue
        found.append(_redirection(pin, entry, io, changed=value != old.entries[pin], width=width))
    count = "all" if masked == PINS else str(masked)
    head = line(width, Span("I/O APIC  ", Role.LABEL), Span(f"{count} of {PINS} entries masked", Role.DIM))
    return (head, *found)


def _redirection(pin: int, entry: Redirection, io: IoApicState, *, changed: bool, width: int) -> Row:
    high = ioapic_state.asserted(io, pin)
    what = f"{entry.vector:#04x}" if entry.mode in (FIXED, LOWEST_PRIORITY) else MODES[entry.mode]
    words = ["level" if ioapic_state.is_level_triggered(entry) else "edge"]
    words += ["active low"] * entry.active_low + ["remote IRR"] * entry.remote_irr + ["masked"] * entry.masked
    if entry.mode not in (FIXED, NMI, EXTINT):
        words.append(MODES[entry.mode])
    return line(
        width,
        Span(f"{pin:2} ", Role.DIM),
        Span(f"{_pin(pin):<6} ", Role.LABEL),
        Span("▔ " if high else "▁ ", Role.VALUE if high else Role.DIM),
        Span(f"→ {what} ", Role.CHANGED if changed else Role.VALUE),
        Span(f"{'logical' if entry.logical else 'APIC'} {entry.destination}  ", Role.VALUE),
        Span(", ".join(words), Role.DIM),
        changed=changed,
    )
