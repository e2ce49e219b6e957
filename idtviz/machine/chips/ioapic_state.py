"""The 82093AA I/O APIC as a value: its lines, its redirection table, and why a request goes no further.

Source: Intel 82093AA data sheet (290566-001). `ioapic.py` sends the messages.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from idtviz.machine.chips import lapic_state
from idtviz.machine.chips.lapic_state import LapicState
from idtviz.x86.apic import EXTINT, FIRST_LEGAL_VECTOR, FIXED, LOWEST_PRIORITY, MODES, NMI, Redirection

BASE = 0xFEC0_0000
"""Physical address of the registers."""
PINS = 24
IDENTIFIER = 1
"""The APIC ID that the firmware gives it; the processor's is 0."""

MASKED = Redirection.masked.mask
REMOTE_IRR = Redirection.remote_irr.mask
_WRITABLE = 0xFF00_0000_0001_AFFF
"""All but delivery status, remote IRR and the reserved bits."""

TIMER_PIN = 2
"""Where IRQ0 arrives; the other ISA lines keep their numbers. The ACPI tables say so (MADT, source override)."""
_UNCONNECTED = 0xFF_0000
"""Pins 16 to 23 are the PCI bus's, active low: with no device they are pulled high."""


@dataclass(frozen=True, slots=True)
class IoApicState:
    """All of the I/O APIC. Bit n of `lines`, `missed` and `refused` belongs to pin n."""

    select: int = 0  # IOREGSEL
    identifier: int = 0
    entries: tuple[int, ...] = (MASKED,) * PINS
    lines: int = _UNCONNECTED  # levels at the pins
    missed: int = 0  # pins whose last edge came while the entry was masked
    refused: int = 0  # pins whose last edge was taken by no local APIC


AFTER_BIOS = IoApicState(identifier=IDENTIFIER)
"""Every entry is masked: interrupts come through the 8259 pair."""


def pin_of_irq(irq: int) -> int:
    """The pin (global system interrupt) of an ISA line."""
    return TIMER_PIN if irq == 0 else irq


def irq_of_pin(pin: int) -> int | None:
    """The ISA line at a pin; None for the 8259 pair's output (pin 0) and for the PCI bus's pins."""
    if pin == TIMER_PIN:
        return 0
    return pin if 0 < pin < 16 else None


def irq_of_vector(state: IoApicState, vector: int) -> int | None:
    """The ISA line whose entry, not masked, has this vector."""
    for pin, value in enumerate(state.entries):
        entry = Redirection(value)
        if entry.vector == vector and not entry.masked and entry.mode in (FIXED, LOWEST_PRIORITY):
            return irq_of_pin(pin)
    return None


def asserted(state: IoApicState, pin: int) -> bool:
    """Whether the pin is at its active level."""
    return bool(state.lines >> pin & 1) != bool(state.entries[pin] & Redirection.active_low.mask)


def is_level_triggered(entry: Redirection) -> bool:
    """Only fixed and lowest-priority interrupts may be: the others are treated as edges (data sheet 3.2.4)."""
    return entry.level and entry.mode in (FIXED, LOWEST_PRIORITY)


def set_line(state: IoApicState, pin: int, level: bool) -> tuple[bool, IoApicState]:
    """The pin has been driven to `level`: whether a message has to be sent, and the chip.

    An edge at a masked pin is forgotten (data sheet 3.2.4, interrupt mask). `missed` is our own note of it.
    """
    bit = 1 << pin
    was = asserted(state, pin)
    state = replace(state, lines=state.lines | bit if level else state.lines & ~bit)
    now = asserted(state, pin)
    if is_level_triggered(Redirection(state.entries[pin])):
        return level_requests(state, pin), state
    if now == was:
        return False, state
    state = replace(state, missed=state.missed & ~bit, refused=state.refused & ~bit)
    if now and state.entries[pin] & MASKED:
        return False, replace(state, missed=state.missed | bit)
    return now, state


def level_requests(state: IoApicState, pin: int) -> bool:
    """Whether a level-triggered pin asks for a message now: active, not masked, and no EOI outstanding."""
    entry = Redirection(state.entries[pin])
    return is_level_triggered(entry) and asserted(state, pin) and not entry.masked and not entry.remote_irr


def sent(state: IoApicState, pin: int, *, taken: bool) -> IoApicState:
    """The chip after the pin's message was taken by a local APIC, or by none."""
    if is_level_triggered(Redirection(state.entries[pin])):
        return _with_entry(state, pin, state.entries[pin] | REMOTE_IRR) if taken else state
    return state if taken else replace(state, refused=state.refused | 1 << pin)


def end_of_interrupt(state: IoApicState, vector: int) -> IoApicState:
    """A local APIC broadcast the EOI of a level-triggered interrupt: remote IRR falls in each entry of that vector."""
    for pin, value in enumerate(state.entries):
        if value & REMOTE_IRR and value & 0xFF == vector:
            state = _with_entry(state, pin, value & ~REMOTE_IRR)
    return state


def with_select(state: IoApicState, value: int) -> IoApicState:
    """A write of IOREGSEL."""
    return replace(state, select=value & 0xFF)


def read_register(state: IoApicState) -> int:
    """IOWIN: the register that IOREGSEL selects; 0 where there is none."""
    match state.select:
        case 0 | 2:  # IOAPICID; IOAPICARB, which a write of the ID loads with it
            return state.identifier << 24
        case 1:  # IOAPICVER: the highest entry, version 0x11
            return (PINS - 1) << 16 | 0x11
        case register if 0x10 <= register < 0x10 + 2 * PINS:
            return state.entries[(register - 0x10) // 2] >> 32 * (register & 1) & 0xFFFF_FFFF
        case _:
            return 0


def write_register(state: IoApicState, value: int) -> tuple[int | None, IoApicState]:
    """A write of IOWIN: the pin whose entry it changed, and the chip. Version and arbitration ID are read-only."""
    register = state.select
    if register == 0:
        return None, replace(state, identifier=value >> 24 & 0xF)
    if not 0x10 <= register < 0x10 + 2 * PINS:
        return None, state
    pin, shift = (register - 0x10) // 2, 32 * (register & 1)
    old = state.entries[pin]
    new = (old & ~(0xFFFF_FFFF << shift) | value << shift) & _WRITABLE | old & REMOTE_IRR
    if not is_level_triggered(Redirection(new)):
        new &= ~REMOTE_IRR
    return pin, _with_entry(state, pin, new)


def why_waiting(state: IoApicState, local: LapicState, pin: int) -> str | None:
    """Which condition of the two APICs holds the request of a pin back.

    None: there is no request, or nothing holds it back (then the processor is offered it, and the rest is RFLAGS.IF).
    The words are meant for a panel.
    """
    entry = Redirection(state.entries[pin])
    bit = 1 << pin
    if entry.mode in (FIXED, LOWEST_PRIORITY) and local.irr >> entry.vector & 1:
        return lapic_state.why_held(local, entry.vector)
    if not asserted(state, pin):
        return None
    if is_level_triggered(entry):
        if entry.remote_irr:
            return f"remote IRR is set: no EOI of vector {entry.vector:#04x} yet"
        if entry.masked:
            return f"masked (bit 16 of redirection entry {pin})"
        return _refused(entry, local)
    if state.missed & bit:
        tail = "" if entry.masked else "; it is unmasked now, but the edge is gone"
        return f"its edge came while redirection entry {pin} was masked{tail}"
    if state.refused & bit:
        return _refused(entry, local) or "no local APIC took it when its edge came, and an edge is sent once"
    return None


def _refused(entry: Redirection, local: LapicState) -> str | None:
    """Why the local APIC would not take a message of this entry."""
    if not local.enabled:
        return "the local APIC is disabled (IA32_APIC_BASE bit 11)"
    if not lapic_state.destined(local, entry.destination, logical=entry.logical):
        kind = "logical ID" if entry.logical else "APIC ID"
        return f"its destination is {kind} {entry.destination:#04x}, and no processor has it"
    if entry.mode not in (FIXED, LOWEST_PRIORITY):
        return None if entry.mode in (NMI, EXTINT) else f"delivery mode {MODES[entry.mode]} is not modelled"
    if entry.vector < FIRST_LEGAL_VECTOR:
        return f"vector {entry.vector:#04x} is illegal: 0 to 15 are not accepted"
    if not local.software_enabled:
        return "the local APIC is software-disabled (SVR bit 8)"
    return None


def _with_entry(state: IoApicState, pin: int, value: int) -> IoApicState:
    return replace(state, entries=(*state.entries[:pin], value, *state.entries[pin + 1 :]))
