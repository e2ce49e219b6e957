"""What reaches the machine from outside: keys, interrupt lines, serial bytes, and edits of what it holds.

Scripted or live, all of it is recorded. Each is made of plain numbers, texts and bytes.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from idtviz.debugger.moment import Moment
from idtviz.debugger.places import Place
from idtviz.machine.chips import scancodes
from idtviz.machine.delivery.event import Fault
from idtviz.machine.edits import chips, memory, registers
from idtviz.machine.edits.refusal import RefusedError
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
class Raised:
    """An exception of the instruction that is next, with the error code where its vector pushes one."""

    vector: int
    error_code: int = 0
    cr2: int = 0

    def apply(self, machine: Machine) -> None:
        machine.raise_exception(Fault(self.vector, self.error_code, self.cr2 if self.vector == _PAGE_FAULT else None))

    def __str__(self) -> str:
        return Fault(self.vector, self.error_code).name


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
    """Bytes written to memory at a linear address, whatever the page allows.

    Nothing happens where no RAM is mapped. `name`: what a person calls the edit: `idt[14].dpl 0 → 3`.
    """

    address: int
    data: bytes
    name: str = ""

    def apply(self, machine: Machine) -> None:
        with suppress(RefusedError):
            memory.write_linear(machine, self.address, self.data)

    def __str__(self) -> str:
        return f"edit {self.name}" if self.name else f"poke {self.address:#x} {self.data.hex(' ')}"


@dataclass(frozen=True, slots=True)
class PokePhysical:
    """The same at a physical address: where the paging structures are."""

    address: int
    data: bytes
    name: str = ""

    def apply(self, machine: Machine) -> None:
        with suppress(RefusedError):
            memory.write_physical(machine, self.address, self.data)

    def __str__(self) -> str:
        return f"edit {self.name}" if self.name else f"poke physical {self.address:#x} {self.data.hex(' ')}"


@dataclass(frozen=True, slots=True)
class SetRegister:
    """A register of the processor is given a value; see `machine.edits.registers.NAMES`.

    Nothing happens where the processor would not take it, or while a delivery is under way.
    """

    register: str
    value: int
    name: str = ""

    def apply(self, machine: Machine) -> None:
        with suppress(RefusedError):
            registers.set_register(machine, self.register, self.value)

    def __str__(self) -> str:
        return f"edit {self.name or f'{self.register} = {self.value:#x}'}"


@dataclass(frozen=True, slots=True)
class SetChip:
    """A register of a chip is given a value; see `machine.edits.chips`. Nothing happens where there is none such."""

    chip: str
    register: str
    value: int
    name: str = ""

    def apply(self, machine: Machine) -> None:
        with suppress(RefusedError):
            chips.set_chip(machine, self.chip, self.register, self.value)

    def __str__(self) -> str:
        return f"edit {self.name or f'{chips.path(self.chip, self.register)} = {self.value:#x}'}"


Edit = Poke | PokePhysical | SetRegister | SetChip
Input = Keys | Irq | Nmi | Raised | Serial | Edit

_PAGE_FAULT = 14


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
