"""The local APIC, the I/O APIC and the 8259 pair, wired as on a board, with a log of what leaves them."""

from __future__ import annotations

from dataclasses import dataclass, field

from idtviz.machine.chips.ioapic import IoApic
from idtviz.machine.chips.ioapic_state import AFTER_BIOS as IOAPIC_AFTER_BIOS
from idtviz.machine.chips.lapic import Lapic
from idtviz.machine.chips.lapic_state import AFTER_BIOS, LapicState
from idtviz.machine.chips.lapic_timer import LAPIC_HERTZ
from idtviz.machine.chips.pic import PicPair


@dataclass
class Time:
    now: int = 0
    hertz: int = LAPIC_HERTZ  # one pulse of the timer's clock a tick, unless a test says otherwise


@dataclass
class Apics:
    state: LapicState = AFTER_BIOS
    time: Time = field(default_factory=Time)
    eois: list[int | None] = field(default_factory=list)
    nmis: int = 0
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pic = PicPair()
        self.lapic = Lapic(self.time, self.eois.append, self.nmi, self.notes.append, self.state)
        self.ioapic = IoApic(self.lapic, IOAPIC_AFTER_BIOS)

    def nmi(self) -> None:
        self.nmis += 1

    def drive(self, irq: int, level: bool) -> None:
        self.pic.set_line(irq, level)
        self.ioapic.set_irq(irq, level)
        self.lapic.set_lint0(self.pic.intr)

    def pulse(self, irq: int) -> None:
        self.drive(irq, False)
        self.drive(irq, True)

    def read(self, offset: int) -> int:
        return self.lapic.read_memory(offset, 4)

    def write(self, offset: int, value: int) -> None:
        self.lapic.write_memory(offset, 4, value)

    def wait(self, ticks: int) -> None:
        """Let time pass, with an `advance` at each deadline."""
        end = self.time.now + ticks
        while (due := self.lapic.deadline()) is not None and due <= end:
            assert due > self.time.now
            self.time.now = due
            self.lapic.advance()
        self.time.now = end

    def redirect(self, pin: int, low: int, destination: int = 0) -> None:
        """Write a redirection entry, the upper half first."""
        for register, value in ((0x11 + 2 * pin, destination << 24), (0x10 + 2 * pin, low)):
            self.ioapic.write_memory(0x00, 4, register)
            self.ioapic.write_memory(0x10, 4, value)

    def redirection(self, pin: int) -> int:
        self.ioapic.write_memory(0x00, 4, 0x10 + 2 * pin)
        return self.ioapic.read_memory(0x10, 4)
