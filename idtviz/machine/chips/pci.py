"""PCI configuration space without a device in it, and the reset control register between its ports.

Source: PCI Local Bus Specification 2.2, section 3.2.2.3.2 (configuration mechanism 1: only a dword access is one to
CONFIG_ADDRESS); Intel 82371SB (PIIX3) data sheet, "RC - reset control register" for 0xCF9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from idtviz.machine.chips.chip import FLOATING

CONFIG_ADDRESS, RESET_CONTROL, CONFIG_DATA = 0xCF8, 0xCF9, 0xCFC
ENABLE = 0x8000_0000
FULL_RESET, RESET_CPU = 0x02, 0x04


@dataclass(frozen=True, slots=True)
class PciState:
    """What was last written to CONFIG_ADDRESS and to the reset control register."""

    address: int = 0
    reset_control: int = 0


class Pci:
    """Ports 0xCF8 to 0xCFF. Every function that configuration space could name is absent and reads as all ones."""

    def __init__(self, on_reset: Callable[[str], None]) -> None:
        self.name: str = "pci"
        self.ports: tuple[int, ...] = tuple(range(CONFIG_ADDRESS, CONFIG_DATA + 4))
        self.state = PciState()
        self._on_reset = on_reset

    def read(self, port: int, size: int) -> int:
        if (port, size) == (CONFIG_ADDRESS, 4):
            return self.state.address
        if (port, size) == (RESET_CONTROL, 1):
            return self.state.reset_control
        return sum(FLOATING << 8 * byte for byte in range(size))

    def write(self, port: int, size: int, value: int) -> None:
        if (port, size) == (CONFIG_ADDRESS, 4):
            self.state = replace(self.state, address=value & (ENABLE | 0x00FF_FFFC))
        elif (port, size) == (RESET_CONTROL, 1):
            rises = value & ~self.state.reset_control & RESET_CPU
            self.state = replace(self.state, reset_control=value & (FULL_RESET | RESET_CPU))
            if rises:
                self._on_reset("a reset, by bit 2 of port 0xcf9")

    def deadline(self) -> int | None:
        return None

    def advance(self) -> None:
        """Nothing in here has a clock."""
