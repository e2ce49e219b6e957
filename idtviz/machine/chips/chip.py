"""What the board asks of a chip, and what a chip asks of the board.

A chip keeps its whole state in one frozen value, `state`, and replaces it when something changes. A snapshot is
`chip.state`; a restore is an assignment to it, which drives no line: the receiver of a line remembers its level in
its own state. Virtual time counts in ticks, one per completed instruction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

Line = Callable[[bool], None]
"""Drives the level of one interrupt request line. A chip calls it only when the level changes."""

FLOATING = 0xFF
"""What a byte of the bus reads when no chip drives it (the data lines are pulled up)."""


class Clock(Protocol):
    """Virtual time."""

    @property
    def now(self) -> int:
        """Ticks since the machine was switched on."""

    @property
    def hertz(self) -> int:
        """Ticks per second of virtual time."""


class Chip(Protocol):
    """One chip on the board."""

    name: str
    ports: tuple[int, ...]
    state: Any

    def read(self, port: int, size: int) -> int:
        """The value that an IN of `size` bytes (1, 2 or 4) at `port` gives."""

    def write(self, port: int, size: int, value: int) -> None:
        """Perform an OUT of `size` bytes (1, 2 or 4) at `port`."""

    def deadline(self) -> int | None:
        """The tick at which the chip next wants `advance()`; None while only a port or a line can change it."""

    def advance(self) -> None:
        """Catch up with the clock; called once the deadline has been reached, or later."""


class ByteChip:
    """A chip on the 8-bit bus, programmed one byte at a time.

    The bus cuts a wider access into byte accesses at consecutive ports, lowest first, as the AT's bus controller does.
    A byte of it that falls on a port which the chip does not decode reads 0xFF and is not written.
    """

    name: str
    ports: tuple[int, ...]

    def read(self, port: int, size: int) -> int:
        value = 0
        for offset in range(size):
            byte = self.read_byte(port + offset) if port + offset in self.ports else FLOATING
            value |= byte << (8 * offset)
        return value

    def write(self, port: int, size: int, value: int) -> None:
        for offset in range(size):
            if port + offset in self.ports:
                self.write_byte(port + offset, value >> (8 * offset) & 0xFF)

    def deadline(self) -> int | None:
        return None

    def advance(self) -> None:
        """Nothing in a chip without a clock happens by itself."""

    def read_byte(self, port: int) -> int:
        raise NotImplementedError

    def write_byte(self, port: int, value: int) -> None:
        raise NotImplementedError
