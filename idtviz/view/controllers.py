"""The controllers panel: the two 8259A as wiring, and the devices behind their lines."""

from __future__ import annotations

from idtviz.debugger.procedures import Stage
from idtviz.debugger.view import View
from idtviz.machine.chips.pic import why_waiting
from idtviz.machine.chips.pic8259 import InitState, Pic8259State
from idtviz.machine.chips.pit import CLK_HERTZ
from idtviz.view.layout import flow, line, printable, sentence
from idtviz.view.row import Panel, Role, Row, Rows, Span
from idtviz.x86.flags import IF

_MASTER, _SLAVE = "01234567", "89abcdef"
_WIDE = 2 + 7 + 16 + 3 + 6 + 16
_REGISTERS = ("irr", "imr", "isr")


def panel(view: View, before: View | None, width: int) -> Panel:
    """Request, mask and in-service registers line by line; INTR; why an IRQ waits; timer, keyboard, serial port."""
    pair, old = view.pic, None if before is None else before.pic
    title = f"PIC  base {pair.master.vector(0):#04x} / {pair.slave.vector(0):#04x}"
    was_master, was_slave = (old.master, old.slave) if old else (None, None)
    rows: list[Row] = []
    if width >= _WIDE:
        rows.append(line(width, *_head("master ", _MASTER), "   ", *_head("slave ", _SLAVE)))
        for name in _REGISTERS:
            left, first = _bits(pair.master, was_master, name)
            right, second = _bits(pair.slave, was_slave, name)
            label = Span(f"{name.upper():>6} ", Role.LABEL)
            rows.append(line(width, label, *left, "         ", *right, changed=first or second))
    else:
        for title_of_chip, numbers, chip, was in (
            ("master ", _MASTER, pair.master, was_master),
            ("slave  ", _SLAVE, pair.slave, was_slave),
        ):
            rows.append(line(width, *_head(title_of_chip, numbers)))
            for name in _REGISTERS:
                bits, changed = _bits(chip, was, name)
                rows.append(line(width, Span(f"{name.upper():>6} ", Role.LABEL), *bits, changed=changed))
    rows += _modes(view, width)
    rows += _intr(view, before, width)
    rows += _waiting(view, width)
    rows += _timer(view, width)
    rows += _keyboard(view, before, width)
    rows += _serial(view, before, width)
    return Panel(title, tuple(rows))


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


def _intr(view: View, before: View | None, width: int) -> Rows:
    level = view.pic.master.int_output
    changed = before is not None and before.pic.master.int_output != level
    enabled = bool(view.registers.rflags & IF)
    was = before is not None and bool(before.registers.rflags & IF) != enabled
    return (
        line(
            width,
            Span("INTR ", Role.LABEL),
            Span("▔ high" if level else "▁ low", Role.CHANGED if changed else Role.VALUE),
            "   ",
            Span(f"IF={int(enabled)}", Role.CHANGED if was else Role.VALUE),
            Span("   interrupt shadow" if view.registers.interrupt_shadow else "", Role.WARNING),
            changed=changed or was,
        ),
    )


def _waiting(view: View, width: int) -> Rows:
    """Why the IRQs that are requested are not being delivered."""
    rows: list[Row] = []
    for irq in range(16):
        chip = view.pic.master if irq < 8 else view.pic.slave
        if irq == 2:
            continue
        reason = why_waiting(view.pic, irq)
        if reason is None and chip.irr >> (irq & 7) & 1 and view.pic.master.int_output:
            reason = _processor(view)
        if reason is not None:
            rows += sentence(f"IRQ{irq}: {reason}", width, Role.WARNING)
    return tuple(rows) or (line(width, Span("nothing waits", Role.DIM)),)


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
    rows = flow(parts, width)
    tail = sent.rstrip(b"\r\n").rpartition(b"\n")[2].decode("latin-1")
    return (*rows, line(width, Span(f"  {printable(tail.rstrip())}", Role.TEXT))) if tail.strip() else rows
