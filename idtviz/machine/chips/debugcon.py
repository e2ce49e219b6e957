"""The debug console: a port that prints every byte written to it.

Source: Bochs, "The port 0xE9 hack"; QEMU's `isa-debugcon`. A read gives the port's own number, which is how a guest
finds it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from idtviz.machine.chips.chip import ByteChip
from idtviz.machine.chips.transcript import Transcript

PORT = 0xE9


@dataclass(frozen=True, slots=True)
class DebugConsoleState:
    """What was printed so far."""

    transcript: Transcript = field(default_factory=Transcript)

    @property
    def output(self) -> bytes:
        """The bytes printed, except those beyond the last MiB."""
        return self.transcript.output


class DebugConsole(ByteChip):
    """Port 0xE9."""

    def __init__(self) -> None:
        self.name: str = "debugcon"
        self.ports: tuple[int, ...] = (PORT,)
        self.state = DebugConsoleState()

    def read_byte(self, port: int) -> int:  # noqa: ARG002 -- it has one port
        return PORT

    def write_byte(self, port: int, value: int) -> None:  # noqa: ARG002 -- as above
        self.state = replace(self.state, transcript=self.state.transcript.append(value))
