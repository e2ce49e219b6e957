"""What reaches the machine from outside: keys, interrupt lines, serial bytes, pokes.

Scripted or live, all of it is recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.debugger.moment import Moment
from idtviz.debugger.places import Place
from idtviz.machine.chips import scancodes
from idtviz.machine.memory import AccessFault
from idtviz.machine.pc import Machine


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys typed on the keyboard, as text; see `scancodes.encode`."""

    text: str

    def apply(self, machine: Machine) -> None:
        machine.type_scancodes(scancodes.encode(self.text))

    def __str__(self) -> str:
        return f"keys {self.text!r}"


@dataclass(frozen=True, slots=True)
class Irq:
    """An interrupt request line is raised until it is acknowledged."""

    line: int

    def apply(self, machine: Machine) -> None:
        machine.raise_irq(self.line)

    def __str__(self) -> str:
        return f"IRQ{self.line}"


@dataclass(frozen=True, slots=True)
class Nmi:
    """A non-maskable interrupt."""

    def apply(self, machine: Machine) -> None:
        machine.raise_nmi()

    def __str__(self) -> str:
        return "NMI"


@dataclass(frozen=True, slots=True)
class Serial:
    """Bytes arriving at COM1."""

    data: bytes

    def apply(self, machine: Machine) -> None:
        machine.receive_serial(self.data)

    def __str__(self) -> str:
        return f"serial {self.data!r}"


@dataclass(frozen=True, slots=True)
class Poke:
    """Bytes written to memory at a linear address, as the supervisor sees it.

    Nothing happens where no page is mapped.
    """

    address: int
    data: bytes

    def apply(self, machine: Machine) -> None:
        registers = machine.cpu.registers()
        try:
            machine.linear(registers).write(self.address, self.data)
        except AccessFault:
            return
        machine.cpu.forget_code(self.address, len(self.data))

    def __str__(self) -> str:
        return f"poke {self.address:#x} {self.data.hex(' ')}"


Input = Keys | Irq | Nmi | Serial | Poke


@dataclass(frozen=True, slots=True)
class ScriptedInput:
    """An input of the scenario and the place in the run at which it is given."""

    place: Place
    input: Input


@dataclass(frozen=True, slots=True)
class Recorded:
    """An input that was applied at `moment`; `script` is its place in the scenario, None for one given live."""

    moment: Moment
    input: Input
    script: int | None
