"""The PC: processor, memory, board and clock, moved on one step at a time or run at speed.

Time is (instruction, step): how many instructions have completed, and how many delivery steps have been performed
since. Whatever moves the machine, the same steps happen at the same places.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from idtviz.machine.activity import Activity, Finished
from idtviz.machine.board import NO_DRIVES, Board
from idtviz.machine.bus import Bus
from idtviz.machine.clock import Clock
from idtviz.machine.cpu import Cpu
from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.delivery.event import Event, Fault
from idtviz.machine.delivery.select import delivery_of
from idtviz.machine.engine import Snapshot
from idtviz.machine.events import EndOfInterrupt, Happened, LineChanged, Noted, SwitchedOff
from idtviz.machine.handlers import Live
from idtviz.machine.memory import PAGE, LinearMemory, Memory, RehearsedMemory
from idtviz.machine.processor import Processor, ProcessorState
from idtviz.machine.registers import Registers
from idtviz.machine.schedule import Schedule
from idtviz.machine.signals import Signals
from idtviz.machine.unsupported import UnsupportedError
from idtviz.machine.watch import Watch

__all__ = ["Activity", "Live", "Machine", "MachineState", "UnsupportedError"]


_NOTES = 200  # of one kind: a guest may well touch every port there is, or every page
_ENOUGH = -1
"""The place of the note behind which no more of its kind are told."""


@dataclass(frozen=True, slots=True)
class MachineState:
    """Everything but RAM, at a moment between procedures."""

    cpu: Snapshot
    chips: tuple[Any, ...]
    instructions: int
    idle: int
    processor: ProcessorState
    vain: tuple[int, int] | None
    events: int
    noted: frozenset[tuple[str, int]]


class Machine:
    """One PC with `memory` bytes of RAM and a clock of `hertz` instructions per second.

    `micro_step` and `run` raise UnsupportedError in front of what is not modelled.
    """

    def __init__(self, memory: int, hertz: int, *, apic: bool = False, drives: Mapping[int, bytes] = NO_DRIVES) -> None:
        """`apic`: with a local APIC and an I/O APIC. `drives`: images of disks, by BIOS number (0x00, 0x80)."""
        self.clock = Clock(hertz)
        self.memory = Memory(memory)
        signals = Signals(
            on_line=self._on_line,
            on_eoi=self._on_eoi,
            on_lapic_eoi=self._on_lapic_eoi,
            on_empty=self._on_empty,
            on_note=self._on_note,
            on_nmi=self._on_nmi,
            on_a20=self._on_a20,
            on_off=self._on_off,
        )
        self.board = Board(self.clock, signals, memory=memory, apic=apic, drives=drives)
        self._schedule = Schedule(self.clock, self.board)
        self._bus = Bus(self.board, self.clock, self._schedule, lambda: self.cpu.begun)
        self.cpu = Cpu(self.memory, self._bus)
        self.processor = Processor(self.cpu, self.memory, self.board, self.clock, self._schedule, self._bus)
        self.watch = Watch(self.cpu, self.memory, self._bus, self.processor)
        self.processor.tell = self._happened
        self.processor.note = self._note
        self.on_event: Callable[[Happened], None] = _ignore
        """Told of everything that happens, at the moment that it happens."""
        self.events = 0
        """How many events `on_event` has been told since the start."""
        self.explain: Callable[[Happened], None] = _ignore
        """Asked behind each event for what a loader knows of it: it may note that."""
        self._noted: frozenset[tuple[str, int]] = frozenset()

    # Where and what

    @property
    def instructions(self) -> int:
        """Instructions completed."""
        return self.clock.instructions

    @property
    def step(self) -> int:
        """Delivery steps performed since the last instruction completed."""
        return self.processor.step

    @property
    def activity(self) -> Activity | None:
        """The delivery, return, transfer or wait that is under way between two steps."""
        return self.processor.activity

    @activity.setter
    def activity(self, value: Activity | None) -> None:
        self.processor.activity = value

    @property
    def finished(self) -> Finished | None:
        """The delivery, return or transfer that ended with the step just performed."""
        return self.processor.finished

    @property
    def halted(self) -> bool:
        """The processor stands in HLT."""
        return self.processor.halted

    @property
    def shut_down(self) -> bool:
        """The processor has shut down: a fault came while #DF was being delivered."""
        return self.processor.shut_down

    @property
    def off(self) -> str:
        """How the guest has reset the machine or switched it off; empty while it has not."""
        return self.processor.off

    @property
    def live(self) -> tuple[Live, ...]:
        """The handlers that have been entered and not left, outermost first."""
        return self.processor.handlers.live

    @property
    def stuck(self) -> bool:
        """Whether nothing can happen any more without input: shut down, or halted with nothing to end the HLT."""
        if self.shut_down or self.off:
            return True
        if not self.halted or self.activity is not None or self.processor.inputs.wakes:
            return False
        return not (self.cpu.interrupts_enabled and self._schedule.may_interrupt)

    def linear(self, registers: Registers | None = None) -> LinearMemory:
        """Linear memory as the processor sees it now."""
        return LinearMemory(self.memory, registers or self.cpu.registers())

    def digest(self) -> str:
        """A hash of processor, RAM and chips at this moment."""
        digest = hashlib.blake2b(digest_size=16)
        self.cpu.digest_into(digest.update)
        digest.update(self.memory.view)
        processor = self.processor
        waiting = processor.inputs.state, processor.pending_debug, processor.off
        rest = (self.board.snapshot(), self.clock.idle, self.halted, self.shut_down, waiting)
        digest.update(repr(rest).encode())
        activity = self.activity
        if activity is not None:
            digest.update(repr((type(activity).__name__, len(activity.steps))).encode())
        return digest.hexdigest()

    def rehearse(self, event: Event) -> Delivery:
        """What would happen if `event` came now, without any effect on the machine."""
        registers = self.cpu.registers()
        rehearsal = delivery_of(event, registers, RehearsedMemory(self.memory, registers))
        rehearsal.complete()
        return rehearsal

    # Moving on

    def micro_step(self) -> None:
        """One delivery step; or one instruction, when nothing is being delivered and it raises nothing."""
        processor = self.processor
        if processor.activity is None:
            if (processor.halted or processor.shut_down or processor.off) and self.stuck:
                return
            if not processor.begin(1):
                return
        processor.advance()

    def complete(self) -> None:
        """The steps that are left of the activity, all at once."""
        self.processor.complete()

    def run(self, until: int) -> None:
        """Run at speed, until `until` instructions have completed or one has done what is watched; a breakpoint is met;
        or a procedure or HLT begins.

        A procedure that has begun stands in `activity` with none of its steps performed.
        """
        clock, processor = self.clock, self.processor
        while processor.activity is None and not (processor.halted or processor.shut_down or processor.off):
            if clock.instructions >= until:
                return
            before = clock.instructions
            soon = processor.inputs.next_boundary
            count = 1 if soon else max(1, min(until, self._schedule.due) - before)
            processor.begin(count)
            if clock.instructions != before:
                self.cpu.leaving = None
            ends = clock.instructions == before or self.cpu.at_breakpoint or self.watch.met()
            if ends and processor.activity is None:
                return

    def set_breakpoints(self, addresses: frozenset[int]) -> None:
        """Linear addresses of instructions in front of which `run` ends."""
        if self.cpu.set_breakpoints(addresses):
            # In whatever address space they are: all of them.
            self.cpu.forget_all_code()

    # From outside

    def raise_irq(self, line: int) -> None:
        """Raise a line, as a device with a pending request does; it falls when the processor acknowledges it."""
        self.processor.inputs.raise_irq(line)
        self._schedule.refresh()

    def raise_nmi(self) -> None:
        """Signal a non-maskable interrupt."""
        self.board.controllers.raise_nmi()

    def raise_exception(self, fault: Fault) -> None:
        """Have an exception come at the next boundary, as of the instruction there."""
        self.processor.inputs.raise_exception(fault)

    def type_scancodes(self, codes: bytes) -> int:
        """Press and release keys; returns how many bytes the keyboard took."""
        taken = self.board.keyboard.type_scancodes(codes)
        self._schedule.refresh()
        return taken

    def receive_serial(self, data: bytes) -> int:
        """Bytes arrive at COM1; returns how many were taken."""
        taken = self.board.com1.receive(data)
        self._schedule.refresh()
        return taken

    def chips_touched(self) -> None:
        """Someone has changed a chip's state, and not through a port: ask all of them for their deadlines again."""
        self._schedule.refresh()

    def edited(self, *, moved: bool = False) -> None:
        """Someone has changed registers or memory: drop what was translated, walked and found. `moved`: RIP or CS."""
        self.processor.edited(moved=moved)
        self.watch.forget()

    # State as a whole

    def snapshot(self) -> MachineState:
        """Everything but RAM. Only between procedures."""
        assert self.activity is None
        return MachineState(
            cpu=self.cpu.snapshot(),
            chips=self.board.snapshot(),
            instructions=self.clock.instructions,
            idle=self.clock.idle,
            processor=self.processor.state,
            vain=self._schedule.vain,
            events=self.events,
            noted=self._noted,
        )

    def restore(self, state: MachineState) -> None:
        """Back to `state`; RAM has been put back already."""
        self.cpu.restore(state.cpu)
        self.board.restore(state.chips)
        self.memory.a20 = self.board.a20
        self.watch.forget()
        self.clock.instructions, self.clock.idle = state.instructions, state.idle
        self.processor.state = state.processor
        self._schedule.vain = state.vain
        self.events = state.events
        self._noted = state.noted
        self._schedule.refresh()

    # Telling

    def _happened(self, event: Happened) -> None:
        self.on_event(event)
        self.events += 1
        self.explain(event)

    def _note(self, kind: str, place: int, text: str) -> None:
        """Say something once for each place; of each kind so much, and no more."""
        if (kind, place) in self._noted or (kind, _ENOUGH) in self._noted:
            return
        self._noted |= {(kind, place)}
        self._happened(Noted(self.clock.instructions, self.step, text))
        if sum(noted == kind for noted, _ in self._noted) == _NOTES:
            self._noted |= {(kind, _ENOUGH)}
            text = f"that was note {_NOTES} of this kind; what else there is like it goes without"
            self._happened(Noted(self.clock.instructions, self.step, text))

    def _on_line(self, line: int, level: bool) -> None:
        self._happened(LineChanged(self.clock.instructions, self.step, line, level))

    def _on_eoi(self, controller: str, irq: int) -> None:
        self._happened(EndOfInterrupt(self.clock.instructions, self.step, controller, irq if irq >= 0 else None))

    def _on_lapic_eoi(self, vector: int | None, irq: int | None) -> None:
        self._happened(EndOfInterrupt(self.clock.instructions, self.step, "lapic", irq, vector))

    def _on_note(self, text: str) -> None:
        self._note("chip", zlib.crc32(text.encode()), text)

    def _on_nmi(self) -> None:
        self.processor.inputs.raise_nmi()
        self._bus.attention = True

    def _on_a20(self, level: bool) -> None:
        self.memory.a20 = level
        self.cpu.changed = True
        self._bus.attention = True

    def _on_off(self, how: str) -> None:
        self.processor.off = how
        self._bus.attention = True
        self._happened(SwitchedOff(self.clock.instructions, self.step, how))

    def _on_empty(self, kind: str, place: int) -> None:
        if kind == "port":
            self._note("port", place, f"nothing answers at I/O port {place:#x}")
        else:
            page = place & -PAGE
            self._note("memory", page, f"nothing answers at physical addresses {page:#x} to {page + PAGE - 1:#x}")


def _ignore(_event: Happened) -> None:
    """Nobody listens."""
