"""The PC: processor, memory, board and clock, moved on one step at a time or run at speed.

Time is (instruction, step): how many instructions have completed, and how many delivery steps have been performed since. Whatever
moves the machine, the same steps happen at the same places.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from unicorn.unicorn_py3.unicorn import UcContext

from idtviz.machine.board import NEVER, Board
from idtviz.machine.clock import Clock
from idtviz.machine.cpu import Cpu, TrapKind
from idtviz.machine.delivery import rules
from idtviz.machine.delivery.event import PAGE_FAULT, Event, Fault, Source, after_fault, exception
from idtviz.machine.delivery.iret import LongReturn
from idtviz.machine.delivery.long import LongDelivery
from idtviz.machine.delivery.procedure import Step
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
from idtviz.machine.instructions import MAXIMUM_LENGTH, Decoded, decode
from idtviz.machine.memory import LinearMemory, Memory, RehearsedMemory
from idtviz.machine.registers import Registers

NMI_VECTOR = 2
_WAIT_EVENTS = 20_000  # chip events without an interrupt after which a HLT counts as waiting for ever


class UnsupportedError(Exception):
    """The guest asked for something that this machine does not model; the message says what."""


@dataclass(frozen=True, slots=True)
class Live:
    """A handler that has been entered and not left: delivery number, and the address of the frame's RIP slot."""

    delivery: int
    rip_slot: int


@dataclass(frozen=True, slots=True)
class MachineState:
    """Everything but RAM, at a moment between procedures."""

    cpu: UcContext
    chips: tuple[Any, ...]
    instructions: int
    idle: int
    step: int
    halted: bool
    shut_down: bool
    nmi_pending: bool
    nmi_blocked: bool
    pulsed: frozenset[int]
    live: tuple[Live, ...]
    deliveries: int
    events: int
    empty_ports: frozenset[int]


class Wait:
    """HLT, from the instruction to the event that ends it: one step."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.steps: list[Step] = []
        self.done = False

    def advance(self) -> Step:
        """Let virtual time pass until the processor can be woken."""
        before = self._machine.clock.now
        self._machine.wait()
        self.done = True
        step = Step(rules.HALT_WAIT, "HLT waits for an interrupt", f"{self._machine.clock.now - before} ticks")
        self.steps.append(step)
        return step


Activity = LongDelivery | LongReturn | Wait


class Machine:
    """One PC with `memory` bytes of RAM and a clock of `hertz` instructions per second."""

    def __init__(self, memory: int, hertz: int) -> None:
        self.clock = Clock(hertz)
        self.memory = Memory(memory)
        self.board = Board(self.clock, self._on_line, self._on_eoi, self._on_empty_port)
        self.cpu = Cpu(self.memory, self._read_port, self._write_port)
        self.step = 0
        """Delivery steps performed since the last instruction completed."""
        self.halted = False
        self.shut_down = False
        self.live: tuple[Live, ...] = ()
        self.activity: Activity | None = None
        """The delivery, return or wait that is under way between two steps."""
        self.on_event: Callable[[Happened], None] = lambda event: None
        """Told of everything that happens, at the moment that it happens."""
        self.events = 0
        """How many events `on_event` has been told since the start."""
        self._deliveries = 0
        self._nmi_pending = False
        self._nmi_blocked = False
        self._pulsed: frozenset[int] = frozenset()
        self._empty_ports: frozenset[int] = frozenset()
        self._slice_start = 0
        self._slice_end = 0
        self._due = NEVER
        self._chain: tuple[int, ...] = ()
        self._vain: tuple[int, int, int] | None = None
        self.refresh_deadline()

    # Where and what

    @property
    def instructions(self) -> int:
        """Instructions completed."""
        return self.clock.instructions

    @property
    def stuck(self) -> bool:
        """Whether nothing can happen any more without input: shut down, or halted with nothing that could end the HLT."""
        if self.shut_down:
            return True
        return self.halted and self.activity is None and not self._can_wake()

    def linear(self, registers: Registers | None = None) -> LinearMemory:
        """Linear memory as the processor sees it now."""
        return LinearMemory(self.memory, registers or self.cpu.registers())

    def digest(self) -> str:
        """A hash of processor, RAM and chips at this moment."""
        digest = hashlib.blake2b(digest_size=16)
        self.cpu.digest_into(digest)
        digest.update(self.memory.view)
        digest.update(repr((self.board.snapshot(), self.clock.idle, self.halted, self.shut_down)).encode())
        activity = self.activity
        if activity is not None:
            digest.update(repr((type(activity).__name__, len(activity.steps))).encode())
        return digest.hexdigest()

    def rehearse(self, event: Event) -> LongDelivery:
        """What would happen if `event` came now, without any effect on the machine."""
        registers = self.cpu.registers()
        rehearsal = self._delivery(event, registers, RehearsedMemory(self.memory, registers))
        rehearsal.complete()
        return rehearsal

    # Moving on

    def micro_step(self) -> None:
        """One delivery step; or one instruction, when nothing is being delivered and it raises nothing."""
        if self.activity is None and (self.stuck or not self._begin(1)):
            return
        assert self.activity is not None
        self.activity.advance()
        self.step += 1
        if self.activity.done:
            self._finish()

    def run(self, until: int) -> None:
        """Run at speed: until `until` instructions have completed, a breakpoint is reached, or a procedure or HLT begins.

        A procedure that has begun stands in `activity` with none of its steps performed.
        """
        while self.activity is None and not self.halted and not self.shut_down and self.clock.instructions < until:
            before = self.clock.instructions
            # An interrupt that is held off must be taken at the very boundary that lets it through: look at each.
            blocked = self.board.pic.intr or self._nmi_pending
            self._begin(1 if blocked else max(1, min(until, self._due) - before))
            if self.activity is None and self.clock.instructions == before:
                return

    def _begin(self, count: int) -> bool:
        """Start what comes next. True: a procedure is under way. False: at most `count` instructions completed."""
        if self.clock.instructions >= self._due:
            self._service()
        event = self._interrupt()
        if event is not None:
            self.halted = False
            self._deliver(event)
            return True
        if self.halted:
            self.activity = Wait(self)
            return True
        clock = self.clock
        self._slice_start = clock.instructions
        self._slice_end = clock.instructions + count
        completed = self.cpu.run(count)
        clock.instructions = self._slice_start + completed
        if completed:
            self.step = 0
            self._chain = ()
        if self.cpu.trap is None:
            return False
        return self._trapped()

    def _trapped(self) -> bool:
        """The processor stopped in front of something that is ours to do."""
        trap = self.cpu.trap
        assert trap is not None
        rip = self.cpu.rip
        if trap.kind is TrapKind.EXCEPTION:
            cr2 = self.cpu.cr2 if trap.vector == PAGE_FAULT else None
            self._deliver(exception(Fault(trap.vector, trap.error_code, cr2), rip))
            return True
        registers = self.cpu.registers()
        found = self._decode(registers)
        if trap.kind is TrapKind.IRET:
            if registers.mode not in ("long", "compatibility"):
                self.clock.instructions += self.cpu.run_native()
                return False
            self.activity = LongReturn(registers, self.linear(registers), found.operand_size)
            return True
        if trap.kind is TrapKind.SOFTWARE:
            assert found.vector is not None
            self._deliver(Event(found.vector, Source.SOFTWARE, rip + found.length, rip))
            return True
        if trap.kind is TrapKind.DEBUG_TRAP:
            self._deliver(Event(1, Source.EXCEPTION, rip + found.length, rip))
            return True
        if trap.kind is TrapKind.TIME_STAMP:
            self.cpu.set_time_stamp(self.clock.now, processor_id=found.length == 3)
        self.cpu.retire(found.length)
        self._completed_one()
        if trap.kind is TrapKind.HALT:
            self.halted = True
            self._happened(Halted(self.instructions, self.step))
        return False

    def _decode(self, registers: Registers) -> Decoded:
        at = registers.cs.base + registers.rip
        memory = self.linear(registers)
        raw = memory.peek(at, MAXIMUM_LENGTH)
        if raw is None:  # the last bytes of a page in front of one that is not mapped
            raw = (memory.peek(at, 4096 - at % 4096) or b"").ljust(MAXIMUM_LENGTH, b"\0")
        long = registers.mode == "long"
        return decode(raw, long=long, wide=long or bool(registers.cs.flags & registers.cs.CODE_32))

    def _completed_one(self) -> None:
        self.clock.instructions += 1
        self.step = 0
        self._chain = ()

    # Deliveries and returns

    def _interrupt(self) -> Event | None:
        """The NMI or maskable interrupt that is taken at this boundary (SDM 3A 6.9)."""
        if self._nmi_pending and not self._nmi_blocked:
            self._nmi_pending = False
            self._nmi_blocked = True
            return Event(NMI_VECTOR, Source.NMI, self.cpu.rip, self.cpu.rip)
        if not (self.board.pic.intr and self.cpu.interrupts_enabled):
            return None
        vector = self.board.pic.acknowledge()
        irq = self.board.pic.irq_of_vector(vector)
        if irq in self._pulsed:
            self._pulsed -= {irq}
            self.board.drive(irq, False)
        return Event(vector, Source.EXTERNAL, self.cpu.rip, self.cpu.rip, irq=irq)

    def _delivery(self, event: Event, registers: Registers, memory: LinearMemory) -> LongDelivery:
        if registers.mode not in ("long", "compatibility"):
            raise UnsupportedError(
                f"{event.name} in {registers.mode} mode: interrupt delivery is modelled in long mode only"
            )
        return LongDelivery(event, registers, memory)

    def _deliver(self, event: Event) -> None:
        registers = self.cpu.registers()
        self.activity = self._delivery(event, registers, self.linear(registers))

    def _finish(self) -> None:
        """The last step of the activity has been performed."""
        activity, self.activity = self.activity, None
        if isinstance(activity, LongDelivery):
            self._finish_delivery(activity)
        elif isinstance(activity, LongReturn):
            self._finish_return(activity)

    def _finish_delivery(self, done: LongDelivery) -> None:
        index, event = self._deliveries, done.event
        self._deliveries += 1
        self._chain = (*self._chain, index)
        self._forget(done)
        to = None
        if done.after is not None:
            self.cpu.load(done.after, done.before)
            to = Context.of(done.after)
        before = Context.of(done.before)
        origin = Context(before.mode, before.cs, event.rip, before.cpl, before.ss, before.rsp, done.saved_rflags)
        self._happened(
            Delivered(
                self.instructions,
                self.step - len(done.steps),
                index,
                event,
                origin,
                done.gate,
                done.gate_address,
                done.stack.source if done.stack is not None and to is not None else None,
                done.frame if to is not None else None,
                to,
                tuple(done.steps),
                done.fault,
            )
        )
        if done.fault is not None:
            self._escalate(event, done.fault, index)
            return
        assert done.frame is not None
        slot = done.frame.address + (8 if event.error_code is not None else 0)
        self.live = (*self.live, Live(index, slot))
        self._chain = ()
        if event.source is Source.SOFTWARE:
            self._completed_one()

    def _escalate(self, event: Event, fault: Fault, index: int) -> None:
        """A delivery met a fault: deliver that, or the double fault that the two make, or shut down."""
        if fault.cr2 is not None:
            self.cpu.cr2 = fault.cr2
        following = after_fault(event, fault, index)
        if following is None:
            self.shut_down = True
            self._happened(ShutDown(self.instructions, self.step, self._chain))
        else:
            self._deliver(following)

    def _finish_return(self, done: LongReturn) -> None:
        self._forget(done)
        self._nmi_blocked = False
        if done.fault is not None:
            if done.fault.cr2 is not None:
                self.cpu.cr2 = done.fault.cr2
            self._deliver(exception(done.fault, done.before.rip))
            return
        assert done.after is not None
        self.cpu.load(done.after, done.before)
        at = self.instructions, self.step - len(done.steps)
        self._completed_one()
        for place in range(len(self.live) - 1, -1, -1):
            if self.live[place].rip_slot == done.base:
                ended = self.live[place].delivery
                self.live = self.live[:place]
                self._happened(Returned(*at, ended, Context.of(done.before), Context.of(done.after)))
                break

    def _forget(self, done: LongDelivery | LongReturn) -> None:
        """The procedure wrote to memory: translated code there is stale. Its pushes lie side by side."""
        if done.written:
            low = min(span.address for span in done.written)
            high = max(span.address + span.size for span in done.written)
            if high - low <= 4096:
                self.cpu.forget_code(low, high - low)
            else:
                for span in done.written:
                    self.cpu.forget_code(span.address, span.size)

    # Time and chips

    def refresh_deadline(self) -> None:
        """A chip was touched: ask again when the next one wants attention."""
        self._due = self.board.deadline() - self.clock.idle

    def _service(self) -> None:
        self.board.advance(self.clock.now)
        self.refresh_deadline()

    def _can_wake(self) -> bool:
        """Whether something could end a HLT: an interrupt that is there, or a chip that still has something to come."""
        if self._nmi_pending and not self._nmi_blocked:
            return True
        if not self.cpu.interrupts_enabled:
            return False
        return self.board.pic.intr or self._due < NEVER // 2 and not self._waited_in_vain()

    def _waited_in_vain(self) -> bool:
        return self._vain == (self.clock.instructions, self.clock.idle, self._due)

    def wait(self) -> None:
        """Pass virtual time until INTR rises; give up where the chips go round without ever raising it."""
        for _ in range(_WAIT_EVENTS):
            if self.board.pic.intr or self._nmi_pending or self._due >= NEVER // 2:
                return
            self.clock.idle += max(0, self._due - self.clock.instructions)
            self._service()
        self._vain = (self.clock.instructions, self.clock.idle, self._due)

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
        self.refresh_deadline()
        if self.board.pic.intr or self._due < self._slice_end:
            self.cpu.request_stop()

    # From outside

    def raise_irq(self, line: int) -> None:
        """Raise a line, as a device with a pending request does; it falls when the processor acknowledges it."""
        self._pulsed |= {line}
        self.board.drive(line, True)
        self.refresh_deadline()

    def raise_nmi(self) -> None:
        """Signal a non-maskable interrupt."""
        self._nmi_pending = True

    def type_scancodes(self, codes: bytes) -> int:
        """Press and release keys; returns how many bytes the keyboard took."""
        taken = self.board.keyboard.type_scancodes(codes)
        self.refresh_deadline()
        return taken

    def receive_serial(self, data: bytes) -> int:
        """Bytes arrive at COM1; returns how many were taken."""
        taken = self.board.com1.receive(data)
        self.refresh_deadline()
        return taken

    # State as a whole

    def snapshot(self) -> MachineState:
        """Everything but RAM. Only between procedures."""
        assert self.activity is None
        return MachineState(
            self.cpu.snapshot(),
            self.board.snapshot(),
            self.clock.instructions,
            self.clock.idle,
            self.step,
            self.halted,
            self.shut_down,
            self._nmi_pending,
            self._nmi_blocked,
            self._pulsed,
            self.live,
            self._deliveries,
            self.events,
            self._empty_ports,
        )

    def restore(self, state: MachineState) -> None:
        """Back to `state`; RAM has been put back already."""
        self.cpu.restore(state.cpu)
        self.board.restore(state.chips)
        self.clock.instructions, self.clock.idle = state.instructions, state.idle
        self.step = state.step
        self.halted, self.shut_down = state.halted, state.shut_down
        self._nmi_pending, self._nmi_blocked = state.nmi_pending, state.nmi_blocked
        self._pulsed = state.pulsed
        self.live = state.live
        self._deliveries = state.deliveries
        self.events = state.events
        self._empty_ports = state.empty_ports
        self.activity = None
        self._chain = ()
        self._vain = None
        self.refresh_deadline()

    def _happened(self, event: Happened) -> None:
        self.on_event(event)
        self.events += 1

    def _on_line(self, line: int, level: bool) -> None:
        self._happened(LineChanged(self.clock.instructions, self.step, line, level))

    def _on_eoi(self, controller: str, irq: int) -> None:
        self._happened(EndOfInterrupt(self.clock.instructions, self.step, controller, irq if irq >= 0 else None))

    def _on_empty_port(self, port: int) -> None:
        if port not in self._empty_ports:
            self._empty_ports |= {port}
            self._happened(Noted(self.clock.instructions, self.step, f"nothing answers at I/O port {port:#x}"))
