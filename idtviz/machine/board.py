"""The board: which chips a PC has and how their lines are wired. A new chip is one file in `chips/` and one line here.

An image that is entered directly finds the interrupt controllers as a BIOS leaves them and the timer not yet started.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from idtviz.machine.chips import ata, cmos, pit
from idtviz.machine.chips.ata import Ata
from idtviz.machine.chips.chip import Chip
from idtviz.machine.chips.debugcon import DebugConsole
from idtviz.machine.chips.drive import Drive
from idtviz.machine.chips.keyboard import Keyboard
from idtviz.machine.chips.latches import Latches
from idtviz.machine.chips.pci import Pci
from idtviz.machine.chips.pic import Answer
from idtviz.machine.chips.pit import Pit
from idtviz.machine.chips.power_management import PowerManagement
from idtviz.machine.chips.power_off import PowerOff
from idtviz.machine.chips.rtc import Rtc
from idtviz.machine.chips.system_control import SystemControl
from idtviz.machine.chips.uart import Uart
from idtviz.machine.chips.vga import Vga
from idtviz.machine.clock import Clock
from idtviz.machine.controllers import Controllers
from idtviz.machine.signals import Signals

TIMER_IRQ, KEYBOARD_IRQ, COM1_IRQ, RTC_IRQ, ATA_IRQ, ATA_SECONDARY_IRQ = 0, 1, 4, 8, 14, 15

NEVER = 1 << 62
"""A deadline that no run reaches."""


NO_DRIVES: Mapping[int, bytes] = MappingProxyType({})


class Board:
    """The chips of a PC, by name, the ports that they answer at, and their registers in memory."""

    def __init__(
        self,
        clock: Clock,
        signals: Signals,
        *,
        memory: int,
        apic: bool = False,
        drives: Mapping[int, bytes] = NO_DRIVES,
    ) -> None:
        """`memory`: bytes of RAM. `drives`: images by BIOS number, floppies from 0x00 on, hard disks from 0x80 on."""
        self._signals = signals
        self.drives = {number: Drive(image, floppy=number < 0x80) for number, image in sorted(drives.items())}
        self.controllers = Controllers(clock, signals, apic=apic)
        self.pic = self.controllers.pic
        self.lapic, self.ioapic = self.controllers.lapic, self.controllers.ioapic
        self.pit = Pit(clock, self._line(TIMER_IRQ), pit.POWER_ON)
        self.keyboard = Keyboard(clock, self._line(KEYBOARD_IRQ), self._gate_by_keyboard, signals.on_off)
        self.system_control = SystemControl(self._gate_by_port_a, signals.on_off)
        self.vga = Vga(clock)
        self.com1 = Uart(self._line(COM1_IRQ))
        self.debugcon = DebugConsole()
        self.rtc = Rtc(clock, self._line(RTC_IRQ), cmos.after_bios(memory, self.drives))
        self.ata = self._ata(clock, ATA_IRQ, 0x80, ata.PRIMARY, "ata0")
        self.ata_secondary = self._ata(clock, ATA_SECONDARY_IRQ, 0x82, ata.SECONDARY, "ata1")
        self.pci = Pci(signals.on_off)
        self.latches = Latches()
        self.power_management = PowerManagement(signals.on_off)
        self.power_off = PowerOff(signals.on_off)
        self.chips: tuple[Chip, ...] = (
            self.pic,
            self.pit,
            self.keyboard,
            self.vga,
            self.com1,
            self.debugcon,
            self.system_control,
            self.rtc,
            self.ata,
            self.ata_secondary,
            self.pci,
            self.latches,
            self.power_management,
            self.power_off,
        )
        self._timed: tuple[Chip, ...] = (self.pit, self.keyboard, self.rtc, self.ata, self.ata_secondary)
        if self.lapic is not None and self.ioapic is not None:
            self.chips += (self.lapic, self.ioapic)
            self._timed += (self.lapic,)
        self._by_port = {port: chip for chip in self.chips for port in chip.ports}
        self._stateful: tuple[Chip | Drive, ...] = (*self.chips, *self.drives.values())

    @property
    def a20(self) -> bool:
        """Whether address line 20 reaches memory: either of the two gates opens it."""
        return self.keyboard.state.a20 or self.system_control.state.a20

    def _gate_by_keyboard(self, level: bool) -> None:
        if not self.system_control.state.a20:
            self._signals.on_a20(level)

    def _gate_by_port_a(self, level: bool) -> None:
        if not self.keyboard.state.a20:
            self._signals.on_a20(level)

    def _ata(self, clock: Clock, irq: int, first: int, base: int, name: str) -> Ata:
        drives = self.drives.get(first), self.drives.get(first + 1)
        return Ata(clock, self._line(irq), drives, base, name)

    def _line(self, irq: int) -> Callable[[bool], None]:
        return lambda level: self.drive(irq, level)

    def drive(self, irq: int, level: bool) -> None:
        """Set the level of an interrupt request line."""
        self.controllers.drive(irq, level)

    def read(self, port: int, size: int) -> int:
        """An IN of `size` bytes. An empty port reads as all ones."""
        chip = self._by_port.get(port)
        if chip is None:
            self._signals.on_empty("port", port)
            return (1 << 8 * size) - 1
        return chip.read(port, size)

    def write(self, port: int, size: int, value: int) -> None:
        """An OUT of `size` bytes. An empty port drops it."""
        chip = self._by_port.get(port)
        if chip is None:
            self._signals.on_empty("port", port)
        else:
            chip.write(port, size, value)

    def read_memory(self, address: int, size: int) -> int:
        """A load of `size` bytes from a physical address outside of RAM. An empty bus reads as all ones."""
        found = self.controllers.chip_at(address)
        if found is not None:
            chip, offset = found
            return chip.read_memory(offset, size)
        self._signals.on_empty("memory", address)
        return (1 << 8 * size) - 1

    def write_memory(self, address: int, size: int, value: int) -> None:
        """A store of `size` bytes to a physical address outside of RAM. An empty bus drops it."""
        found = self.controllers.chip_at(address)
        if found is None:
            self._signals.on_empty("memory", address)
        else:
            chip, offset = found
            chip.write_memory(offset, size, value)

    @property
    def intr(self) -> bool:
        """The level of the processor's INTR input."""
        return self.controllers.intr

    def acknowledge(self) -> Answer:
        """The processor takes the interrupt that INTR asks for."""
        return self.controllers.acknowledge()

    def deadline(self) -> int:
        """The tick at which the first chip wants attention."""
        first = NEVER
        for chip in self._timed:
            due = chip.deadline()
            if due is not None and due < first:
                first = due
        return first

    def advance(self, now: int) -> None:
        """Let every chip whose deadline has come catch up."""
        for chip in self._timed:
            due = chip.deadline()
            if due is not None and due <= now:
                chip.advance()

    def snapshot(self) -> tuple[Any, ...]:
        """The state of every chip and drive."""
        return tuple(chip.state for chip in self._stateful)

    def restore(self, states: tuple[Any, ...]) -> None:
        """Back to `snapshot()`."""
        for chip, state in zip(self._stateful, states, strict=True):
            chip.state = state
