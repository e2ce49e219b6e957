"""The I/O APIC of a PC: 24 interrupt lines in, messages to the local APIC out; registers at 0xFEC00000.

Source: Intel 82093AA data sheet (290566-001). Version 0x11 has no EOI register.
"""

from __future__ import annotations

from idtviz.machine.chips import ioapic_state
from idtviz.machine.chips.ioapic_state import AFTER_BIOS, PINS, IoApicState
from idtviz.machine.chips.lapic import Lapic
from idtviz.machine.chips.memory_mapped import MemoryMappedChip
from idtviz.x86.apic import Redirection

IOREGSEL, IOWIN = 0x00, 0x10


class IoApic(MemoryMappedChip):
    """Wired to one local APIC, whose EOIs it hears."""

    def __init__(self, lapic: Lapic, state: IoApicState = AFTER_BIOS) -> None:
        """Put the chip into `state`, and listen to `lapic`."""
        self.name: str = "ioapic"
        self.state = state
        self._lapic = lapic
        lapic.on_eoi_broadcast = self.end_of_interrupt
        lapic.on_ready = self._send_levels

    def set_line(self, gsi: int, level: bool) -> None:
        """Drive the pin of a global system interrupt (see `pin_of_irq`). Pin 0 is the 8259 pair's INT."""
        if not 0 <= gsi < PINS:
            raise ValueError(f"the I/O APIC has no pin {gsi}")
        send, self.state = ioapic_state.set_line(self.state, gsi, level)
        if send:
            self._send(gsi)

    def set_irq(self, irq: int, level: bool) -> None:
        """Drive an ISA line, 0 to 15."""
        self.set_line(ioapic_state.pin_of_irq(irq), level)

    def irq_of_vector(self, vector: int) -> int | None:
        """The ISA line that is programmed to give this vector."""
        return ioapic_state.irq_of_vector(self.state, vector)

    def waiting(self) -> list[tuple[int, str]]:
        """Each pin whose request is held back, with the reason."""
        reasons = ((pin, ioapic_state.why_waiting(self.state, self._lapic.state, pin)) for pin in range(PINS))
        return [(pin, reason) for pin, reason in reasons if reason is not None]

    def end_of_interrupt(self, vector: int) -> None:
        """The local APIC's EOI: a line that is still active makes its next request at once."""
        before = self.state
        self.state = ioapic_state.end_of_interrupt(before, vector)
        if self.state is not before:
            self._send_levels()

    def become(self, state: IoApicState) -> None:
        """Take on registers from outside; a line that is active makes its request."""
        self.state = state
        self._send_levels()

    def read_memory(self, offset: int, size: int) -> int:
        """IOREGSEL, and 32 bits of IOWIN; anything else reads 0."""
        if offset == IOREGSEL:
            return self.state.select
        return ioapic_state.read_register(self.state) if offset == IOWIN and size == 4 else 0

    def write_memory(self, offset: int, size: int, value: int) -> None:
        """IOREGSEL, of which 8 bits count, and 32 bits of IOWIN; anything else is dropped."""
        if offset == IOREGSEL:
            self.state = ioapic_state.with_select(self.state, value)
        elif offset == IOWIN and size == 4:
            pin, self.state = ioapic_state.write_register(self.state, value)
            if pin is not None and ioapic_state.level_requests(self.state, pin):
                self._send(pin)

    def _send_levels(self) -> None:
        for pin in range(PINS):
            if ioapic_state.level_requests(self.state, pin):
                self._send(pin)

    def _send(self, pin: int) -> None:
        entry = Redirection(self.state.entries[pin])
        taken = self._lapic.receive(
            entry.mode,
            entry.vector,
            entry.destination,
            logical=entry.logical,
            level_triggered=ioapic_state.is_level_triggered(entry),
        )
        self.state = ioapic_state.sent(self.state, pin, taken=taken)
