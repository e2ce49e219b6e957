"""Machines with a few bytes of code in the oracle's long-mode world, and the two ways to move them on."""

from __future__ import annotations

from pathlib import Path

from idtviz.lab.preparation import prepare
from idtviz.machine.events import Delivered, Happened
from idtviz.machine.pc import Machine
from tests.oracle import ours
from tests.oracle.long_mode import LongModeWorld, handler

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
HERTZ = 10_000_000
IRQ_VECTORS = 0x20
"""IRQ0-7 come here after `remap`, IRQ8-15 eight further on."""

EOI_AND_RETURN = bytes.fromhex("50 b0 20 e6 20 58 48cf")  # push rax; mov al, 0x20; out 0x20, al; pop rax; iretq
RETURN = bytes.fromhex("48cf")
LOOP = b"\xeb\xfe"


class Watched:
    """A machine, and everything that it tells."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.events: list[Happened] = []
        machine.on_event = self.events.append

    @property
    def deliveries(self) -> list[Delivered]:
        return [event for event in self.events if isinstance(event, Delivered)]

    @property
    def vectors(self) -> list[int]:
        return [delivered.event.vector for delivered in self.deliveries]

    def step_to(self, instructions: int) -> None:
        """Single steps, until so many instructions have completed or nothing can happen any more."""
        machine = self.machine
        while (machine.instructions < instructions or machine.activity is not None) and not machine.stuck:
            machine.micro_step()

    def run_to(self, instructions: int) -> None:
        """The same at speed."""
        machine = self.machine
        while (machine.instructions < instructions or machine.activity is not None) and not machine.stuck:
            if machine.activity is not None or machine.halted:
                machine.micro_step()
            else:
                machine.run(instructions)


def bare(world: LongModeWorld, handlers: dict[int, bytes] | None = None) -> Watched:
    """The world on a new machine, with code for some vectors' handlers (the others are HLT)."""
    machine = Machine(ours.MEMORY, HERTZ)
    ours.load(machine, world.case("bare"))
    for vector, code in (handlers or {}).items():
        assert len(code) <= 16
        machine.memory.write(handler(vector), code)
    return Watched(machine)


def remap(watched: Watched, unmasked: int = 0) -> Watched:
    """The interrupt controllers as a kernel sets them up: vectors 0x20-0x2F, `unmasked` of IRQ0-7 let through."""
    write = watched.machine.board.write
    for command, data, vectors, cascade, mask in (
        (0x20, 0x21, IRQ_VECTORS, 4, ~unmasked & 0xFF),
        (0xA0, 0xA1, IRQ_VECTORS + 8, 2, 0xFF),
    ):
        write(command, 1, 0x11)
        for word in (vectors, cascade, 0x01, mask):
            write(data, 1, word)
    return watched


def start_timer(watched: Watched, reload: int) -> Watched:
    """Counter 0 of the 8254 in mode 2."""
    machine = watched.machine
    machine.board.write(0x43, 1, 0x34)
    machine.board.write(0x40, 1, reload & 0xFF)
    machine.board.write(0x40, 1, reload >> 8)
    machine.chips_touched()
    return watched


def kernel(name: str) -> Watched:
    """One of the scenarios' kernels at its entry, on the machine that the scenario asks for."""
    return Watched(prepare(SCENARIOS / f"{name}.toml").setup.build())
