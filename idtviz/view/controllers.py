"""The controllers panel: the two 8259A as wiring, or the APICs, and the devices behind their lines."""

from __future__ import annotations

from idtviz.debugger.procedures import Stage
from idtviz.debugger.view import View
from idtviz.machine.chips.pic import why_waiting
from idtviz.machine.chips.pic8259 import InitState, Pic8259State
from idtviz.machine.chips.pit import CLK_HERTZ
from idtviz.view import apic
from idtviz.view.devices import devices_in_use
from idtviz.view.layout import GUTTER, flow, line, printable, sentence
from idtviz.view.row import Panel, Role, Row, Rows, Span
from idtviz.x86.flags import IF

_MASTER, _SLAVE = "01234567", "89abcdef"
_WIDE = 2 + 7 + 16 + 3 + 6 + 16
_REGISTERS = ("irr", "imr", "isr")


def panel(view: View, before: View | None, width: int) -> Panel:
    """What is requested, masked and in service; INTR; why an IRQ waits; timer, keyboard, serial port.

    The APICs come first as soon as a program uses them; the 8259 pair is then a line below them.
    """
    local = view.lapic
    # What only some kernels use stands before what is always there: it is what such a kernel is about.
    devices = devices_in_use(view, before, width)
    devices += (*_timer(view, width), *_keyboard(view, before, width), *_serial(view, before, width))
    if local is not None and shows_apic(view):
        waits = apic.waiting(view, _processor, width)
        if local.virtual_wire or view.pic.master.int_output:
            waits = (*waits, *_waiting(view, width))
        waits = waits or _nothing_waits(width)
        rows = (*apic.requests(view, before, width), *_priorities(view, before, width), *waits)
        rows = (*rows, *apic.sources(view, before, width), *_pair_in_a_line(view, width))
        return Panel(apic.title(local), (*rows, *devices))
    rows = (*_registers(view, before, width), *_modes(view, width), _intr(view, before, width))
    rows = (*rows, *(_waiting(view, width) or _nothing_waits(width)))
    if local is not None:
        rows = (*rows, *flow([Span("APIC", Role.LABEL), Span(apic.in_a_line(local), Role.DIM)], width))
    pair = view.pic
    return Panel(f"PIC  base {pair.master.vector(0):#04x} / {pair.slave.vector(0):#04x}", (*rows, *devices))


def shows_apic(view: View) -> bool:
    """Whether the APICs stand where the 8259 pair stands otherwise."""
    return view.lapic is not None and apic.in_use(view.lapic, view.ioapic)


def _registers(view: View, before: View | None, width: int) -> Rows:
    """Request, mask and in-service registers, line by line."""
    pair, old = view.pic, None if before is None else before.pic
    was_master, was_slave = (old.master, old.slave) if old else (None, None)
    rows: list[Row] = []
    if width >= _WIDE:
        rows.append(line(width, *_head("master ", _MASTER), "   ", *_head("slave ", _SLAVE)))
        for name in _REGISTERS:
            left, first = _bits(pair.master, was_master, name)
            right, second = _bits(pair.slave, was_slave, name)
            label = Span(f"{name.upper():>6} ", Role.LABEL)
            rows.append(line(width, label, *left, "         ", *right, changed=first or second))
        return tuple(rows)
    for title_of_chip, numbers, chip, was in (
        ("master ", _MASTER, pair.master, was_master),
        ("slave  ", _SLAVE, pair.slave, was_slave),
    ):
        rows.append(line(width, *_head(title_of_chip, numbers)))
        for name in _REGISTERS:
            bits, changed = _bits(chip, was, name)
            rows.append(line(width, Span(f"{name.upper():>6} ", Role.LABEL), *bits, changed=changed))
    return tuple(rows)


def _pair_in_a_line(view: View, width: int) -> Rows:
    """The 8259 pair beside APICs that are in use."""
    pair, local = view.pic, view.lapic
    parts = [Span("8259", Role.LABEL), Span(f"{pair.master.vector(0):#04x} / {pair.slave.vector(0):#04x}", Role.VALUE)]
    if pair.master.imr & pair.slave.imr == 0xFF:
        parts.append(Span("all lines masked", Role.DIM))
    else:
        parts.append(Span(f"IMR {pair.master.imr:02x} {pair.slave.imr:02x}", Role.VALUE))
        parts.append(Span("INT ▔ high" if pair.master.int_output else "INT ▁ low", Role.VALUE))
    wired = local is None or local.virtual_wire
    parts.append(Span("→ LINT0 (ExtINT)" if wired else "LINT0 lets nothing through", Role.VALUE if wired else Role.DIM))
    return flow(parts, width)


def _head(label: str, numbers: str) -> tuple[Span, ...]:
    return Span(label, Role.LABEL), Span(" ".join(numbers), Role.DIM)


def _bits(chip: Pic8259State, old: Pic8259State | None, name: str) -> tuple[list[Span], bool]:
    """The eight bits of a register, IR0 first, and whether one of them has changed."""
    value: int = getattr(chip, name)
    was: int = value if old is None else getattr(old, name)
    spans = []
    for number in range(8):
        on = value >> number & 1
        differs = (value ^ was) >> number & 1
        role = Role.CHANGED if differs else (Role.VALUE if on else Role.DIM)
        spans += [Span("█" if on else "·", role), Span(" " if number < 7 else "")]
    return spans, value != was


def _modes(view: View, width: int) -> Rows:
    """What is unusual about the way in which the chips are programmed."""
    found = []
    for name, chip in (("master", view.pic.master), ("slave", view.pic.slave)):
        if chip.init_state is InitState.UNINITIALISED:
            found.append(f"{name}: not initialised")
        elif chip.init_state is not InitState.READY:
            found.append(f"{name}: waits for {chip.init_state.name.removeprefix('EXPECTS_')}")
        words = [
            word
            for word, holds in (
                ("auto EOI", chip.auto_eoi),
                ("special fully nested", chip.special_fully_nested),
                ("special mask", chip.special_mask_mode),
                (f"lowest priority IR{chip.lowest_priority}", chip.lowest_priority != 7),
            )
            if holds
        ]
        if words:
            found.append(f"{name}: {', '.join(words)}")
    return tuple(row for text in found for row in sentence(text, width, Role.WARNING))


def _intr(view: View, before: View | None, width: int) -> Row:
    spans, changed = _intr_spans(view, before)
    return line(width, *spans, changed=changed)


def _priorities(view: View, before: View | None, width: int) -> Rows:
    """The local APIC's priorities and INTR, in one row if there is room."""
    spans, changed = apic.priorities(view, before)
    more, differs = _intr_spans(view, before)
    beside, _ = _intr_spans(view, before, mark=" ●")  # the row's own mark is for the priorities
    if GUTTER + sum(len(span.text) for span in (*spans, *beside)) <= width:
        return (line(width, *spans, *beside, changed=changed),)
    return line(width, *spans, changed=changed), line(width, *more, changed=differs)


def _intr_spans(view: View, before: View | None, mark: str = "") -> tuple[list[Span], bool]:
    """INTR and whether the processor listens, and whether that has changed; `mark` stands behind what has."""
    level = _level(view)
    changed = before is not None and _level(before) != level
    enabled = bool(view.registers.rflags & IF)
    was = before is not None and bool(before.registers.rflags & IF) != enabled
    spans = [
        Span("INTR ", Role.LABEL),
        Span(("▔ high" if level else "▁ low") + mark * changed, Role.CHANGED if changed else Role.VALUE),
        Span("   "),
        Span(f"IF={int(enabled)}{mark * was}", Role.CHANGED if was else Role.VALUE),
        Span("   interrupt shadow" if view.registers.interrupt_shadow else "", Role.WARNING),
    ]
    return spans, changed or was


def _level(view: View) -> bool:
    """Whether the processor is asked for an interrupt."""
    return view.pic.master.int_output if view.lapic is None else apic.intr(view.lapic)


def _waiting(view: View, width: int) -> Rows:
    """Why the IRQs that are requested of the 8259 pair are not being delivered."""
    through = view.lapic is None or view.lapic.virtual_wire
    rows: list[Row] = []
    for irq in range(16):
        chip = view.pic.master if irq < 8 else view.pic.slave
        if irq == 2:
            continue
        reason = why_waiting(view.pic, irq)
        if reason is None and chip.irr >> (irq & 7) & 1 and view.pic.master.int_output:
            reason = _processor(view) if through else "the 8259s raise INT, but LINT0 lets nothing through"
        if reason is not None:
            rows += sentence(f"IRQ{irq}: {reason}", width, Role.WARNING)
    return tuple(rows)


def _nothing_waits(width: int) -> Rows:
    return (line(width, Span("nothing waits", Role.DIM)),)


def _processor(view: View) -> str:
    """Why the processor does not answer INTR at this moment, or that it does."""
    procedure = view.procedure
    if view.shut_down:
        return "the processor has shut down"
    if not view.registers.rflags & IF:
        return "waits, RFLAGS.IF is 0"
    if view.registers.interrupt_shadow:
        return "waits one instruction, behind STI or MOV SS"
    if procedure is not None and procedure.stage is Stage.UNDER_WAY:
        return "waits until what is under way has ended"
    return "is taken before the next instruction"


def _timer(view: View, width: int) -> Rows:
    counter = view.pit.counters[0]
    parts = [Span("8254", Role.LABEL), Span("counter 0"), Span(f"mode {counter.mode}", Role.VALUE)]
    if not counter.counting:
        parts.append(Span("does not count", Role.DIM))
    else:
        parts += [Span(f"÷ {counter.initial}", Role.VALUE), Span(f"{CLK_HERTZ / counter.initial:.1f} Hz", Role.VALUE)]
        if view.pit.deadline is not None:
            parts.append(Span(f"next edge in {max(0, view.pit.deadline - view.ticks)} ticks", Role.DIM))
    return flow(parts, width)


def _keyboard(view: View, before: View | None, width: int) -> Rows:
    state = view.keyboard
    old = None if before is None else before.keyboard
    changed = old is not None and (old.output_full, old.output) != (state.output_full, state.output)
    role = Role.CHANGED if changed else Role.VALUE
    mark = " ●" if changed else ""
    parts = [Span("8042", Role.LABEL), Span(f"OBF={int(state.output_full)}{mark}", role)]
    parts.append(Span(f"data {state.output:#04x}", role if state.output_full else Role.DIM))
    queued = len(state.typist) + len(state.keyboard.buffer) + len(state.replies)
    parts.append(Span(f"{queued} queued" if queued else "none queued", Role.VALUE if queued else Role.DIM))
    if not state.command_byte & 1:
        parts.append(Span("IRQ1 off", Role.WARNING))
    return flow(parts, width)


def _serial(view: View, before: View | None, width: int) -> Rows:
    state = view.com1
    if not (state.ier or state.received or state.wire or state.output):
        return ()
    changed = before is not None and before.com1 != state
    role = Role.CHANGED if changed else Role.VALUE
    sent = state.output
    parts = [Span("COM1", Role.LABEL), Span(f"sent {len(sent)}{' ●' if changed else ''}", role)]
    waiting = len(state.received) + len(state.wire)
    parts.append(Span(f"{waiting} to read" if waiting else "none to read", role if waiting else Role.DIM))
    if state.ier:
        parts.append(Span(f"IER {state.ier:#04x}", role))
    if state.held_back:
        parts.append(Span("OUT2=0 holds IRQ4 back", Role.WARNING))
    rows = flow(parts, width)
    tail = sent.rstrip(b"\r\n").rpartition(b"\n")[2].decode("latin-1")
    return (*rows, line(width, Span(f"  {printable(tail.rstrip())}", Role.TEXT))) if tail.strip() else rows
