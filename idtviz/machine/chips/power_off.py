"""The ports by which a guest ends its run: debug exits, and the power-off ports of virtual machines.

Source: QEMU's `isa-debug-exit` (a write of n ends QEMU with status 2n + 1; 0xF4 is where kernels put it, 0x501 its
default); OSDev wiki, "Shutdown", for the PM1a control registers of Bochs and old QEMU (0xB004) and of VirtualBox
(0x4004; that of QEMU and of this PC, 0x604, is in `power_management`); Bochs, "Port 8900h": the text "Shutdown"
switches it off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

DEBUG_EXIT = (0xF4, 0x501)
SLEEP = {0xB004: 0x2000, 0x4004: 0x3400}
"""PM1a control registers, and the value with SLP_EN and the sleep type that is S5 there."""
SHUTDOWN_PORT, SHUTDOWN_TEXT = 0x8900, b"Shutdown"


@dataclass(frozen=True, slots=True)
class PowerOffState:
    """How much of "Shutdown" has been written."""

    spelt: int = 0


class PowerOff:
    """Write-only ports; they read as an empty bus does, the debug exits as zero."""

    def __init__(self, on_off: Callable[[str], None]) -> None:
        """`on_off` is told how the guest has ended its run."""
        self.name: str = "power_off"
        self.ports: tuple[int, ...] = (*DEBUG_EXIT, *SLEEP, SHUTDOWN_PORT)
        self.state = PowerOffState()
        self._on_off = on_off

    def read(self, port: int, size: int) -> int:
        return 0 if port in DEBUG_EXIT else (1 << 8 * size) - 1

    def write(self, port: int, size: int, value: int) -> None:
        if port in DEBUG_EXIT:
            status = (value << 1 | 1) & 0xFF
            self._on_off(f"a write of {value:#x} to the debug exit port {port:#x} (QEMU would exit with {status})")
        elif port == SHUTDOWN_PORT:
            self._spell(value & 0xFF)
        elif size >= 2 and value & 0xFFFF == SLEEP[port]:
            self._on_off(f"power off, by a write of {value:#x} to port {port:#x}")

    def deadline(self) -> int | None:
        return None

    def advance(self) -> None:
        """Nothing in here has a clock."""

    def _spell(self, letter: int) -> None:
        spelt = self.state.spelt + 1 if letter == SHUTDOWN_TEXT[self.state.spelt] else int(letter == SHUTDOWN_TEXT[0])
        self.state = PowerOffState(spelt % len(SHUTDOWN_TEXT))
        if spelt == len(SHUTDOWN_TEXT):
            self._on_off('power off, by "Shutdown" at port 0x8900')
