"""The interrupt controllers between the devices' lines and the processor's INTR input.

The 8259 pair is always there. Where there are APICs, its INT output leads to LINT0 of the local APIC and to pin 0 of
the I/O APIC, and every line to both kinds (MultiProcessor Specification 1.4, 3.6.2: virtual wire and symmetric I/O).
"""

from __future__ import annotations

from idtviz.machine.chips import ioapic_state, lapic_state
from idtviz.machine.chips.ioapic import IoApic
from idtviz.machine.chips.lapic import Lapic
from idtviz.machine.chips.memory_mapped import MemoryMappedChip
from idtviz.machine.chips.pic import Answer, PicPair
from idtviz.machine.clock import Clock
from idtviz.machine.signals import Signals

_PAGE = 4096


class Controllers:
    """Sixteen lines in, one INTR out. `lapic` and `ioapic` are None in a PC without them."""

    def __init__(self, clock: Clock, signals: Signals, *, apic: bool) -> None:
        self._signals = signals
        self.pic = PicPair(signals.on_eoi)
        self.lapic = Lapic(clock, self._on_lapic_eoi, signals.on_nmi, signals.on_note) if apic else None
        self.ioapic = IoApic(self.lapic) if self.lapic is not None else None
        self.pic.on_int = self._on_int

    def drive(self, irq: int, level: bool) -> None:
        """Set the level of an interrupt request line."""
        self._signals.on_line(irq, level)
        self.pic.set_line(irq, level)
        if self.ioapic is not None:
            self.ioapic.set_irq(irq, level)

    @property
    def intr(self) -> bool:
        """The level of INTR."""
        return self.pic.intr if self.lapic is None else self.lapic.intr

    def acknowledge(self) -> Answer:
        """The processor takes the interrupt that INTR asks for."""
        vector = None if self.lapic is None else self.lapic.acknowledge()
        if vector is not None:
            return Answer(vector, self._irq_of_vector(vector))
        vector = self.pic.acknowledge()
        if self.pic.intr:
            # INT falls during the INTA cycles even where it rises again at once.
            self._on_int(level=False)
            self._on_int(level=True)
        return Answer(vector, self.pic.irq_of_vector(vector))

    def raise_nmi(self) -> None:
        """Pulse the board's NMI, which reaches the processor through LINT1 where there is a local APIC."""
        if self.lapic is None:
            self._signals.on_nmi()
        else:
            self.lapic.set_lint1(level=True)
            self.lapic.set_lint1(level=False)

    def chip_at(self, address: int) -> tuple[MemoryMappedChip, int] | None:
        """The chip with registers at a physical address, and the offset there."""
        if self.lapic is not None and self.ioapic is not None:
            for base, chip in ((lapic_state.BASE, self.lapic), (ioapic_state.BASE, self.ioapic)):
                if base <= address < base + _PAGE:
                    return chip, address - base
        return None

    def _on_int(self, level: bool) -> None:
        if self.lapic is not None and self.ioapic is not None:
            self.lapic.set_lint0(level)
            self.ioapic.set_line(0, level)

    def _irq_of_vector(self, vector: int) -> int | None:
        return None if self.ioapic is None else self.ioapic.irq_of_vector(vector)

    def _on_lapic_eoi(self, vector: int | None) -> None:
        self._signals.on_lapic_eoi(vector, None if vector is None else self._irq_of_vector(vector))
