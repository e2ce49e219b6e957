"""The board: which chips a PC has and how their lines are wired. A new chip is one file in `chips/` and one line here.

An image that is entered directly finds the interrupt controllers as a BIOS leaves them and the timer not yet started.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from idtviz.machine.chips import pit
from idtviz.machine.chips.chip import Chip
from idtviz.machine.chips.debugcon import DebugConsole
from idtviz.machine.chips.keyboard import Keyboard
from idtviz.machine.chips.pic import PicPair
from idtviz.machine.chips.pit import Pit
from idtviz.machine.chips.uart import Uart
from idtviz.machine.chips.vga import Vga
from idtviz.machine.clock import Clock

TIMER_IRQ, KEYBOARD_IRQ, COM1_IRQ = 0, 1, 4

NEVER = 1 << 62
"""A deadline that no run reaches."""


class Board:
    """The chips of a PC, by name, and the ports that they answer at."""

    def __init__(
        self,
        clock: Clock,
        on_line: Callable[[int, bool], None],
        on_eoi: Callable[[str, int], None],
        on_empty_port: Callable[[int], None],
    ) -> None:
        """`on_line` is told each edge (IRQ, level), `on_eoi` each EOI, `on_empty_port` each port without a chip."""
        self._on_line = on_line
        self.pic = PicPair(on_eoi)
        self.pit = Pit(clock, self._line(TIMER_IRQ), pit.POWER_ON)
        self.keyboard = Keyboard(clock, self._line(KEYBOARD_IRQ))
        self.vga = Vga(clock)
        self.com1 = Uart(self._line(COM1_IRQ))
        self.debugcon = DebugConsole()
        self.chips: tuple[Chip, ...] = (self.pic, self.pit, self.keyboard, self.vga, self.com1, self.debugcon)
        self._timed: tuple[Chip, ...] = (self.pit, self.keyboard)
        self._by_port = {port: chip for chip in self.chips for port in chip.ports}
        self._on_empty_port = on_empty_port

    def _line(self, irq: int) -> Callable[[bool], None]:
        return lambda level: self.drive(irq, level)

    def drive(self, irq: int, level: bool) -> None:
        """Set the level of an interrupt request line."""
        self._on_line(irq, level)
        self.pic.set_line(irq, level)

    def read(self, port: int, size: int) -> int:
        """An IN of `size` bytes. An empty port reads as all ones."""
        chip = self._by_port.get(port)
        if chip is None:
            self._on_empty_port(port)
            return (1 << 8 * size) - 1
        return chip.read(port, size)

    def write(self, port: int, size: int, value: int) -> None:
        """An OUT of `size` bytes. An empty port drops it."""
        chip = self._by_port.get(port)
        if chip is None:
            self._on_empty_port(port)
        else:
            chip.write(port, size, value)

    def deadline(self) -> int:
        """The tick at which the first chip wants attention."""
        return min((due for chip in self._timed if (due := chip.deadline()) is not None), default=NEVER)

    def advance(self, now: int) -> None:
        """Let every chip whose deadline has come catch up."""
        for chip in self._timed:
            due = chip.deadline()
            if due is not None and due <= now:
                chip.advance()

    def snapshot(self) -> tuple[Any, ...]:
        """The state of every chip."""
        return tuple(chip.state for chip in self.chips)

    def restore(self, states: tuple[Any, ...]) -> None:
        """Back to `snapshot()`."""
        for chip, state in zip(self.chips, states, strict=True):
            chip.state = state
