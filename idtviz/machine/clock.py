"""Virtual time: one tick for each instruction, and for each tick that HLT waits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Clock:
    """The machine's only clock. `hertz` ticks make one second of virtual time."""

    hertz: int
    instructions: int = 0
    """Instructions completed."""
    idle: int = 0
    """Ticks spent waiting in HLT."""

    @property
    def now(self) -> int:
        """Ticks since the start."""
        return self.instructions + self.idle
