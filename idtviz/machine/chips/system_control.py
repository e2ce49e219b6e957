"""System control port A, with the fast gate of A20 and the fast reset; and the board's one A20 line.

Source: IBM PS/2 Hardware Interface Technical Reference, "System Control Port A (hex 0092)". A20 is open while this port
or the 8042's output port asks for it: the chip sets OR the two (Intel 82371AB (PIIX4) data sheet, "Port 92 register":
its bit 1 is ORed with the keyboard controller's A20GATE), so software must close both to close the line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from idtviz.machine.chips.chip import ByteChip

PORT_A = 0x92
FAST_RESET, FAST_A20 = 0x01, 0x02


@dataclass(frozen=True, slots=True)
class SystemControlState:
    """Port A as it reads. At power-on the 8042 alone holds A20 open, as the BIOS has it."""

    port_a: int = 0

    @property
    def a20(self) -> bool:
        """Whether this port asks for A20."""
        return bool(self.port_a & FAST_A20)


class SystemControl(ByteChip):
    """Port 0x92."""

    def __init__(self, on_gate: Callable[[bool], None], on_reset: Callable[[str], None]) -> None:
        """`on_gate` is told when the port's own request for A20 changes, `on_reset` how the guest has asked for one."""
        self.name: str = "system_control"
        self.ports: tuple[int, ...] = (PORT_A,)
        self.state = SystemControlState()
        self._on_gate = on_gate
        self._on_reset = on_reset

    def become(self, state: SystemControlState) -> None:
        """Take on a state from outside; A20 follows from it."""
        before, self.state = self.state, state
        if state.a20 != before.a20:
            self._on_gate(state.a20)

    def read_byte(self, port: int) -> int:  # noqa: ARG002 -- it has one port
        return self.state.port_a

    def write_byte(self, port: int, value: int) -> None:  # noqa: ARG002 -- as above
        before = self.state
        self.state = replace(before, port_a=value & (FAST_RESET | FAST_A20))
        if self.state.a20 != before.a20:
            self._on_gate(self.state.a20)
        if value & ~before.port_a & FAST_RESET:
            self._on_reset("a reset, by bit 0 of port 0x92")
