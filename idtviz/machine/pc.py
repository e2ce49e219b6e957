"""The PC: processor, memory, board and clock, moved on one step at a time or run at speed.

Time is (instruction, step): how many instructions have completed, and how many delivery steps have been performed
since. Whatever moves the machine, the same steps happen at the same places.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from idtviz.machine import instructions, traps
from idtviz.machine.board import Board
from idtviz.machine.clock import Clock
from idtviz.machine.cpu import Cpu, Trap, TrapKind
from idtviz.machine.delivery.event import DEBUG, Event, Fault, after_fault, exception
from idtviz.machine.delivery.iret import LongReturn
from idtviz.machine.delivery.long import LongDelivery
from idtviz.machine.engine import Snapshot
from idtviz.machine.events import (
    Context,
    Delivered,
    EndOfInterrupt,
    Halted,
    Happened,
    LineChanged,
    Noted,
    Returned,
    ShutDown,
)
from idtviz.machine.handlers import Handlers, HandlersState, Live
from idtviz.machine.interrupts import InputState, InterruptInputs
from idtviz.machine.memory import PAGE, LinearMemory, Memory, RehearsedMemory
from idtviz.machine.registers import Registers
from idtviz.machine.schedule import Schedule, Wait
from idtviz.machine.unsupported import UnsupportedError
from idtviz.x86.addresses import MASK64

__all__ = ["Activity", "Live", "Machine", "MachineState", "UnsupportedError", "Wait"]


@dataclass(frozen=True, slots=True)
class MachineState:
    """Everything but RAM, at a moment between procedures."""

    cpu: Snapshot
    chips: tuple[Any, ...]
    instructions: int
    idle: int
    step: int
    halted: bool
    shut_down: bool
    inputs: InputState
    vain: tuple[int, int] | None
    handlers: HandlersState
    events: int
    noted: frozenset[tuple[str, int]]


Activity = LongDelivery | LongReturn | Wait


class Machine:
    """One PC with `memory` bytes of RAM and a clock of `hertz` instructions per second.

    `micro_step` and `run` raise UnsupportedError in front of what is not modelled.
    """

    def __init__(self, memory: int, hertz: int) -> None:
        self.clock = Clock(hertz)
        self.memory = Memory(memory)
        self.board = Board(self.clock, self._on_line, self._on_eoi, self._on_empty_port)
        self.cpu = Cpu(self.memory, self._read_port, self._write_port)
        self.step = 0
        """Delivery steps performed since the last instruction completed."""
        self.halted = False
        self.shut_down = False
        self.activity: Activity | None = None
        """The delivery, return or wait that is under way between two steps."""
        self.finished: LongDelivery | LongReturn | None = None
        """The delivery or return that ended with the step just performed."""
        self.on_event: Callable[[Happened], None] = _ignore
        """Told of everything that happens, at the moment that it happens."""
        self.events = 0
        """How many events `on_event` has been told since the start."""
        self.work = 0
        """Delivery steps performed and ports accessed, in time or again in replay: what no speed makes quicker."""
        self._inputs = InterruptInputs(self.board, self.cpu)
        self._schedule = Schedule(self.clock, self.board)
        self._handlers = Handlers()
        self._noted: frozenset[tuple[str, int]] = frozenset()
        self._slice_start = 0
        self._slice_end = 0

    # Where and what

    @property
    def instructions(self) -> int:
        """Instructions completed."""
        return self.clock.instructions

    @property
    def live(self) -> tuple[Live, ...]:
        """The handlers that have been entered and not left, outermost first."""
        return self._handlers.live

    @property
    def stuck(self) -> bool:
        """Whether nothing can happen any more without input: shut down, or halted with nothing to end the HLT."""
        if self.shut_down:
            return True
        if not self.halted or self.activity is not None or self._inputs.wakes:
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
        rest = (self.board.snapshot(), self.clock.idle, self.halted, self.shut_down, self._inputs.state)
        digest.update(repr(rest).encode())
        activity = self.activity
        if activity is not None:
            digest.update(repr((type(activity).__name__, len(activity.steps))).encode())
        return digest.hexdigest()

    def rehearse(self, event: Event) -> LongDelivery:
        """What would happen if `event` came now, without any effect on the machine."""
        registers = self.cpu.registers()
        _require_long_mode(registers, event.name)
        rehearsal = LongDelivery(event, registers, RehearsedMemory(self.memory, registers))
        rehearsal.complete()
        return rehearsal

    # Moving on

    def micro_step(self) -> None:
        """One delivery step; or one instruction, when nothing is being delivered and it raises nothing."""
        activity = self.activity
        if activity is None:
            if self.stuck or not self._begin(1):
                return
            activity = self.activity
            assert activity is not None
        activity.advance()
        self.step += 1
        self.work += 1
        if activity.done:
            self._finish()

    def run(self, until: int) -> None:
        """Run at speed: until `until` instructions have completed, a breakpoint is met, or a procedure or HLT begins.

        A procedure that has begun stands in `activity` with none of its steps performed.
        """
        clock = self.clock
        while self.activity is None and not self.halted and not self.shut_down and clock.instructions < until:
            before = clock.instructions
            # An interrupt that is held off must be taken at the very boundary that lets it through: look at each.
            count = 1 if self._inputs.pending else max(1, min(until, self._schedule.due) - before)
            self._begin(count)
            if self.activity is None and clock.instructions == before:
                return

    def set_breakpoints(self, addresses: frozenset[int]) -> None:
        """Addresses (RIP) in front of which `run` ends."""
        changed = self.cpu.set_breakpoints(addresses)
        if not changed:
            return
        registers = self.cpu.registers()
        memory = self.linear(registers)
        for address in changed:
            linear = registers.cs.base + address & MASK64
            # A page that has never been accessed holds no translated code, and must not look accessed for our sake.
            if memory.is_accessed(linear):
                self.cpu.forget_code(linear, 1)

    def _begin(self, count: int) -> bool:
        """Start what comes next. True: a procedure is under way. False: at most `count` instructions completed."""
        clock = self.clock
        self.finished = None
        if clock.instructions >= self._schedule.due:
            self._schedule.service()
        if self._inputs.wakes:
            self._interrupt()
            return True
        if self.halted:
            self.activity = Wait(clock, self._schedule, lambda: self._inputs.wakes)
            return True
        if self.cpu.may_check_alignment:
            count = 1
            registers = self.cpu.registers()
            fault = traps.alignment_check(registers, self.linear(registers))
            if fault is not None:
                self._deliver(fault, registers)
                return True
        self._slice_start = start = clock.instructions
        self._slice_end = start + count
        completed = self.cpu.run(count)
        clock.instructions = start + completed
        if completed:
            self.step = 0
            self._handlers.chain = ()
        if self.cpu.trap is None:
            return False
        return self._trapped(self.cpu.trap)

    def _interrupt(self) -> None:
        what = self._inputs.describe()
        assert what is not None
        registers = self.cpu.registers()
        _require_long_mode(registers, what)
        self.halted = False
        self._deliver(self._inputs.take(), registers)

    # What the engine stops for

    def _trapped(self, trap: Trap) -> bool:
        """The processor stopped in front of something that is ours to do. True: a procedure is under way."""
        registers = self.cpu.registers()
        memory = self.linear(registers)
        if trap.kind is TrapKind.SYSTEM_CALL:
            raise UnsupportedError(f"SYSCALL or SYSENTER at {registers.rip:#x}: system calls by them are not modelled")
        _require_long_mode(registers, trap.name)
        if trap.kind in (TrapKind.EXCEPTION, TrapKind.SOFTWARE):
            event = traps.event_of(trap, registers, memory)
            text = traps.note_on(event, registers, memory)
            if text is not None:
                self._note("code", registers.rip, text)
            self._deliver(event, registers)
            return True
        found = instructions.decode(instructions.fetch(registers, memory), registers)
        if trap.kind is TrapKind.IRET:
            self.activity = LongReturn(registers, memory, found.operand_size)
            return True
        return self._perform(trap, found.length)

    def _perform(self, trap: Trap, length: int) -> bool:
        """RDTSC, RDTSCP and HLT. True: the single-step trap behind it is under way."""
        if trap.kind is TrapKind.TIME_STAMP:
            self.cpu.set_time_stamp(self.clock.now, processor_id=length == _RDTSCP_LENGTH)
        single_step = self.cpu.single_steps
        self.cpu.retire(length)
        self._completed_one()
        if single_step:
            self._single_step()
            return True
        if trap.kind is TrapKind.HALT:
            self.halted = True
            self._happened(Halted(self.instructions, self.step))
        return False

    def _single_step(self) -> None:
        """TF was set when an instruction began that idtviz performed itself: #DB behind it (SDM 3B 17.3.1.4)."""
        self.cpu.note_single_step()
        self._deliver(exception(Fault(DEBUG, 0), self.cpu.rip))

    def _completed_one(self) -> None:
        self.clock.instructions += 1
        self.step = 0
        self._handlers.chain = ()

    # Deliveries and returns

    def _deliver(self, event: Event, registers: Registers | None = None) -> None:
        registers = registers or self.cpu.registers()
        _require_long_mode(registers, event.name)
        self.activity = LongDelivery(event, registers, self.linear(registers))

    def _finish(self) -> None:
        """The last step of the activity has been performed."""
        activity, self.activity = self.activity, None
        if isinstance(activity, LongDelivery):
            self._finish_delivery(activity)
            self.finished = activity
        elif isinstance(activity, LongReturn):
            self._finish_return(activity)
            self.finished = activity

    def _finish_delivery(self, done: LongDelivery) -> None:
        self._forget(done)
        if done.after is not None:
            self.cpu.load(done.after, done.before)
        index = self._handlers.delivered(done)
        self._happened(Delivered.of(done, self.instructions, self.step - len(done.steps), index))
        if done.fault is not None:
            self._escalate(done.event, done.fault, index)
        elif done.event.completes_instruction:
            self._completed_one()

    def _escalate(self, event: Event, fault: Fault, index: int) -> None:
        """A delivery met a fault: deliver that, or the double fault that the two make, or shut down."""
        if fault.cr2 is not None:
            self.cpu.cr2 = fault.cr2
        following = after_fault(event, fault, index)
        if following is None:
            self.shut_down = True
            self._happened(ShutDown(self.instructions, self.step, self._handlers.chain))
        else:
            self._deliver(following)

    def _finish_return(self, done: LongReturn) -> None:
        self._forget(done)
        self._inputs.iret()
        if done.fault is not None:
            if done.fault.cr2 is not None:
                self.cpu.cr2 = done.fault.cr2
            self._deliver(exception(done.fault, done.before.rip))
            return
        assert done.after is not None
        single_step = self.cpu.single_steps
        self.cpu.load(done.after, done.before)
        at = self.instructions, self.step - len(done.steps)
        self._completed_one()
        ended = self._handlers.returned(done)
        if ended is not None:
            self._happened(Returned(*at, ended, Context.of(done.before), Context.of(done.after)))
        if single_step:
            self._single_step()

    def _forget(self, done: LongDelivery | LongReturn) -> None:
        """The procedure wrote to memory: translated code there is stale. Its pushes lie side by side."""
        if done.written:
            low = min(span.address for span in done.written)
            high = max(span.address + span.size for span in done.written)
            if high - low <= PAGE and low // PAGE == (high - 1) // PAGE:
                self.cpu.forget_code(low, high - low)
            else:
                for span in done.written:
                    self.cpu.forget_code(span.address, span.size)

    # Ports

    def _read_port(self, port: int, size: int) -> int:
        self._before_port()
        value = self.board.read(port, size)
        self._after_port()
        return value

    def _write_port(self, port: int, size: int, value: int) -> None:
        self._before_port()
        self.board.write(port, size, value)
        self._after_port()

    def _before_port(self) -> None:
        """The clock shows the instruction that makes the access, in the middle of a run too."""
        completed = self.cpu.begun - 1
        self.clock.instructions = self._slice_start + completed
        if completed:
            self.step = 0

    def _after_port(self) -> None:
        self.work += 1
        self._schedule.refresh()
        if self.board.pic.intr or self._schedule.due < self._slice_end:
            self.cpu.request_stop()

    # From outside

    def raise_irq(self, line: int) -> None:
        """Raise a line, as a device with a pending request does; it falls when the processor acknowledges it."""
        self._inputs.raise_irq(line)
        self._schedule.refresh()

    def raise_nmi(self) -> None:
        """Signal a non-maskable interrupt."""
        self._inputs.raise_nmi()

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

    # State as a whole

    def snapshot(self) -> MachineState:
        """Everything but RAM. Only between procedures."""
        assert self.activity is None
        return MachineState(
            cpu=self.cpu.snapshot(),
            chips=self.board.snapshot(),
            instructions=self.clock.instructions,
            idle=self.clock.idle,
            step=self.step,
            halted=self.halted,
            shut_down=self.shut_down,
            inputs=self._inputs.state,
            vain=self._schedule.vain,
            handlers=self._handlers.state,
            events=self.events,
            noted=self._noted,
        )

    def restore(self, state: MachineState) -> None:
        """Back to `state`; RAM has been put back already."""
        self.cpu.restore(state.cpu)
        self.board.restore(state.chips)
        self.clock.instructions, self.clock.idle = state.instructions, state.idle
        self.step = state.step
        self.halted, self.shut_down = state.halted, state.shut_down
        self._inputs.state = state.inputs
        self._schedule.vain = state.vain
        self._handlers.state = state.handlers
        self.events = state.events
        self._noted = state.noted
        self.activity = self.finished = None
        self._schedule.refresh()

    # Telling

    def _happened(self, event: Happened) -> None:
        self.on_event(event)
        self.events += 1

    def _note(self, kind: str, place: int, text: str) -> None:
        """Say something once for each place."""
        if (kind, place) not in self._noted:
            self._noted |= {(kind, place)}
            self._happened(Noted(self.clock.instructions, self.step, text))

    def _on_line(self, line: int, level: bool) -> None:
        self._happened(LineChanged(self.clock.instructions, self.step, line, level))

    def _on_eoi(self, controller: str, irq: int) -> None:
        self._happened(EndOfInterrupt(self.clock.instructions, self.step, controller, irq if irq >= 0 else None))

    def _on_empty_port(self, port: int) -> None:
        self._note("port", port, f"nothing answers at I/O port {port:#x}")


_RDTSCP_LENGTH = 3


def _ignore(_event: Happened) -> None:
    """Nobody listens."""


def _require_long_mode(registers: Registers, what: str) -> None:
    if registers.mode not in ("long", "compatibility"):
        raise UnsupportedError(
            f"{what} at {registers.rip:#x} in {registers.mode} mode: "
            "interrupts and returns are modelled in long mode only"
        )
