"""The processor at its instruction boundaries: what comes next, and what follows from it.

At each boundary it takes, in this order, a trap of the instruction before, an NMI, a maskable interrupt, the next
instruction (SDM 3A 6.9). Deliveries, returns, far transfers and HLT are performed in steps by idtviz itself; everything
else runs on the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from idtviz.machine import close_look, debug_registers, far_instructions, instructions, traps
from idtviz.machine.board import Board
from idtviz.machine.clock import Clock
from idtviz.machine.cpu import Cpu
from idtviz.machine.decoding import Decoded, Kind, code_bits, decode
from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.delivery.event import (
    DEBUG,
    GENERAL_PROTECTION,
    UNDEFINED_OPCODE,
    Event,
    Fault,
    Source,
    after_fault,
    exception,
)
from idtviz.machine.delivery.procedure import Procedure
from idtviz.machine.delivery.returns import Return
from idtviz.machine.delivery.select import delivery_of, return_from, transfer_of
from idtviz.machine.delivery.transfer import Transfer
from idtviz.machine.events import Context, Delivered, Halted, Happened, Returned, ShutDown
from idtviz.machine.handlers import Handlers, HandlersState
from idtviz.machine.interrupts import InputState, InterruptInputs
from idtviz.machine.memory import PAGE, LinearMemory, Memory
from idtviz.machine.ports import Ports
from idtviz.machine.regime import CHANGES
from idtviz.machine.registers import Registers
from idtviz.machine.schedule import Schedule, Wait
from idtviz.machine.scrutiny import Scrutiny
from idtviz.machine.trap import Trap, TrapKind
from idtviz.machine.unsupported import UnsupportedError
from idtviz.x86 import control

Activity = Delivery | Return | Transfer | Wait
Finished = Delivery | Return | Transfer

Note = Callable[[str, int, str], None]
"""Says something once for each (kind, place): kind, place, text."""


@dataclass(frozen=True, slots=True)
class ProcessorState:
    """What the processor knows beside its registers, at a moment between procedures."""

    step: int
    halted: bool
    shut_down: bool
    inputs: InputState
    handlers: HandlersState
    pending_debug: int
    again: bool


class Processor:
    """What a boundary brings, in steps and in instructions."""

    def __init__(self, cpu: Cpu, memory: Memory, board: Board, clock: Clock, schedule: Schedule, ports: Ports) -> None:
        self.cpu = cpu
        self.memory = memory
        self.step = 0
        """Delivery steps performed since the last instruction completed."""
        self.steps = 0
        """Delivery steps performed, in time or again in replay."""
        self.halted = False
        self.shut_down = False
        self.activity: Activity | None = None
        """The delivery, return, transfer or wait that is under way between two steps."""
        self.finished: Finished | None = None
        """The delivery, return or transfer that ended with the step just performed."""
        self.inputs = InterruptInputs(board, cpu)
        self.handlers = Handlers()
        self.tell: Callable[[Happened], None] = _ignore
        self.note: Note = _ignore_note
        self._clock = clock
        self._schedule = schedule
        self._ports = ports
        self._again = False
        """Whether the instruction that completed last stands at RIP again."""
        self._scrutiny = Scrutiny(cpu, memory)
        self.pending_debug = 0
        """Bits of DR6 for the debug trap that is due at this boundary, or at the next where MOV SS holds it off."""
        ports.on_instruction = self._passed
        ports.on_stop = cpu.request_stop

    def linear(self, registers: Registers) -> LinearMemory:
        """Linear memory as the processor sees it with `registers`."""
        return LinearMemory(self.memory, registers)

    @property
    def work(self) -> int:
        """Delivery steps performed and instructions looked at: what no speed makes quicker."""
        return self.steps + self._scrutiny.looks

    # What comes next

    def begin(self, count: int) -> bool:
        """Start what comes next. True: a procedure is under way. False: at most `count` instructions completed."""
        self.finished = None
        if self._clock.instructions >= self._schedule.due:
            self._schedule.service()
        if self.pending_debug and not (self.cpu.interrupt_shadow and self._only_breakpoints):
            self._debug_trap()
            return True
        if self.inputs.wakes:
            self.halted = False
            self.deliver(replace(self.inputs.take(), repeating=self._repeats()))
            return True
        if self.halted:
            self.activity = Wait(self._clock, self._schedule, lambda: self.inputs.wakes)
            return True
        if self.cpu.changed:
            self._scrutiny.refresh()
        if not self._scrutiny.looking:
            completed = self._run(count) if count > 1 else self._run_slice(1, guarded=True)
            if self.cpu.trap is not None:
                return self._trapped(self.cpu.trap)
            if not self.cpu.stopped_in_front:
                return False
            self._scrutiny.begin()
            if completed:
                return False
        return self._look()

    def _run(self, count: int) -> int:
        """Run at speed. The last instruction runs by itself: the next boundary may have to tell which it was."""
        ahead = self._run_slice(count - 1, guarded=True)
        return ahead if self.cpu.ended_early else ahead + self._run_slice(1, guarded=True)

    def _run_slice(self, count: int, *, guarded: bool) -> int:
        start, before, enabled = self._clock.instructions, self.cpu.rip, self.cpu.interrupt_flag
        self._ports.begin(start, start + count)
        completed = self.cpu.run(count, guarded=guarded)
        self._clock.instructions = start + completed
        if completed:
            self._again = completed == 1 and before == self.cpu.rip
            self._passed()
            if completed == 1 and enabled and self.cpu.interrupt_shadow:
                self._end_shadow_of_sti(before)
        return completed

    def _end_shadow_of_sti(self, rip: int) -> None:
        """STI with IF set already holds nothing off (SDM 2B STI); the engine thinks so. MOV SS does."""
        at = replace(self.cpu.registers(), rip=rip)
        if instructions.is_sti(instructions.fetch(at, self.linear(at)), at):
            self.cpu.end_interrupt_shadow()

    @property
    def _only_breakpoints(self) -> bool:
        """Whether the debug trap due is one that MOV SS holds off; a single step behind STI is not (SDM 3A 6.8.3)."""
        return not self.pending_debug & ~debug_registers.DR6_BREAKPOINTS

    def _repeats(self) -> bool:
        """Whether the boundary lies between two iterations of a repeated string instruction."""
        if not self._again:
            return False
        at = self.cpu.registers()
        found = decode(instructions.fetch(at, self.linear(at)), code_bits(at))
        return found is not None and found.repeats and bool(at.general[_RCX] & found.address_mask)

    def _passed(self) -> None:
        """An instruction has completed."""
        self.step = 0
        self.handlers.chain = ()

    def _completed_one(self) -> None:
        self._clock.instructions += 1
        self._again = False
        self._passed()

    # A close look

    def _look(self) -> bool:
        """The next instruction alone, looked at in front where it calls for that."""
        registers = self.cpu.registers()
        memory = self.linear(registers)
        if registers.rip > self._scrutiny.regime.code_limit:
            self._raise(Fault(GENERAL_PROTECTION, 0))
            return True
        raw = instructions.code_at(registers, memory)
        found = self._scrutiny.look(raw, registers)
        hits = 0
        if found is not None:
            if self._refused(found, registers, memory):
                return True
            if Kind.FAR in found.kind and self._transfer(registers, memory):
                return True
            if Kind.DEBUG_REGISTER in found.kind:
                return self._move_debug_register(found, registers, memory)
            hits = close_look.hits(found, registers, self._scrutiny.regime.breakpoints, memory)
        elif instructions.is_wrongly_locked(raw, registers):
            self._raise(Fault(UNDEFINED_OPCODE, 0))
            return True
        completed = self._run_slice(1, guarded=False)
        self._scrutiny.relax()
        if found is not None and completed:
            self.cpu.changed |= bool(found.kind & CHANGES)
            self.pending_debug |= hits
        return self.cpu.trap is not None and self._trapped(self.cpu.trap)

    def _refused(self, found: Decoded, at: Registers, memory: LinearMemory) -> bool:
        """Whether the instruction raises something that the engine does not know; its delivery is then under way."""
        regime = self._scrutiny.regime
        hits = close_look.instruction_hits(regime.breakpoints, at)
        if hits:
            status = self.cpu.debug_register(6) & ~debug_registers.DR6_BREAKPOINTS
            self.cpu.set_debug_register(6, status | hits)
            self._raise(Fault(DEBUG, 0))
            return True
        fault = close_look.fault_in_front(found, at, regime, memory)
        if fault is None and Kind.PORT in found.kind:
            fault = close_look.port_fault(at, memory, self.note)
        if fault is None or memory.walk(at.linear_rip, fetch=True, user=at.cpl == 3).fault is not None:
            return False
        self._raise(fault)
        return True

    def _move_debug_register(self, found: Decoded, at: Registers, memory: LinearMemory) -> bool:
        fault = debug_registers.move(instructions.fetch(at, memory), at, self.cpu)
        if fault is not None:
            self._raise(fault)
            return True
        self._retire(found.length)
        return False

    def _transfer(self, at: Registers, memory: LinearMemory) -> bool:
        """Begin the far transfer or system call at RIP; False: it is of a form that is undefined."""
        found = far_instructions.decode(instructions.fetch(at, memory), at)
        if found is not None:
            self.activity = transfer_of(found, at, memory, self.cpu.system_call_msrs())
        return found is not None

    # What the engine stops for

    def _trapped(self, trap: Trap) -> bool:
        """The engine stopped in front of something that is ours to do. True: a procedure is under way."""
        registers = self.cpu.registers()
        memory = self.linear(registers)
        if registers.mode == "vm86" and registers.cr4 & control.CR4_VME:
            raise UnsupportedError(f"{trap.name} at {registers.rip:#x}: virtual-8086 mode extensions (CR4.VME)")
        if trap.kind in (TrapKind.EXCEPTION, TrapKind.SOFTWARE):
            event = traps.event_of(trap, registers, memory)
            if event.vector == DEBUG and event.source is Source.EXCEPTION and trap.vector == DEBUG:
                self.pending_debug |= debug_registers.DR6_BS
                return False
            text = traps.note_on(event, registers, memory)
            if text is not None:
                self.note("code", registers.rip, text)
            self.deliver(event, registers)
            return True
        found = instructions.decode(instructions.fetch(registers, memory), registers)
        if trap.kind is TrapKind.IRET:
            self.activity = return_from(registers, memory, found.operand_size)
            return True
        if trap.kind is TrapKind.SYSTEM_CALL:
            if not self._transfer(registers, memory):
                self._raise(Fault(UNDEFINED_OPCODE, 0))
            return True
        return self._perform(trap, found.length)

    def _perform(self, trap: Trap, length: int) -> bool:
        """RDTSC, RDTSCP and HLT: they are performed at once."""
        if trap.kind is TrapKind.TIME_STAMP:
            self.cpu.set_time_stamp(self._clock.now, processor_id=length == _RDTSCP_LENGTH)
        self._retire(length)
        if trap.kind is TrapKind.HALT and not self.pending_debug:
            self.halted = True
            self.tell(Halted(self._clock.instructions, self.step))
        return False

    def _retire(self, length: int) -> None:
        """An instruction that idtviz performed at once has completed."""
        if self.cpu.single_steps:
            self.pending_debug |= debug_registers.DR6_BS
        self.cpu.retire(length)
        self._completed_one()

    # Deliveries

    def deliver(self, event: Event, registers: Registers | None = None) -> None:
        """Begin the delivery of `event`."""
        registers = registers or self.cpu.registers()
        self.activity = delivery_of(event, registers, self.linear(registers))

    def _raise(self, fault: Fault) -> None:
        """An exception of the instruction at RIP."""
        if fault.cr2 is not None:
            self.cpu.cr2 = fault.cr2
        at = self.cpu.registers()
        self.deliver(exception(fault, at.rip, real=at.mode == "real"), at)

    def _debug_trap(self) -> None:
        """#DB behind an instruction: single step, task switch, or data breakpoints met (SDM 3B 17.2.3)."""
        status = self.cpu.debug_register(6) & ~debug_registers.DR6_BREAKPOINTS
        self.cpu.set_debug_register(6, status | self.pending_debug)
        self.pending_debug = 0
        rip = self.cpu.rip
        trap = exception(Fault(DEBUG, 0), rip, real=not self.cpu.protection_enabled)
        self.deliver(replace(trap, repeating=self._repeats()))

    # Steps

    def advance(self) -> None:
        """Perform the next step of the activity, and what follows from its last."""
        activity = self.activity
        assert activity is not None
        activity.advance()
        self.step += 1
        self.steps += 1
        if not activity.done:
            return
        self.activity = None
        if isinstance(activity, Wait):
            return
        self._forget(activity)
        self.finished = activity
        if isinstance(activity, Delivery):
            self._finish_delivery(activity)
        elif isinstance(activity, Return):
            self._finish_return(activity)
        else:
            self._finish_transfer(activity)

    def _finish_delivery(self, done: Delivery) -> None:
        self._load(done)
        index = self.handlers.delivered(done)
        self.tell(Delivered.of(done, self._clock.instructions, self.step - len(done.steps), index))
        if done.fault is not None:
            event = done.event
            if done.committed is not None:
                event = replace(event, rip=done.committed.rip, instruction_rip=done.committed.rip)
            self._escalate(event, done.fault, index)
            return
        if done.event.vector == DEBUG and done.event.source is Source.EXCEPTION:
            self.cpu.set_debug_register(7, self.cpu.debug_register(7) & ~debug_registers.DR7_GD)
        if done.event.completes_instruction:
            self._completed_one()

    def _escalate(self, event: Event, fault: Fault, index: int) -> None:
        """A delivery met a fault: deliver that, or the double fault that the two make, or shut down."""
        if fault.cr2 is not None:
            self.cpu.cr2 = fault.cr2
        following = after_fault(event, fault, index)
        if following is None:
            self.shut_down = True
            self.tell(ShutDown(self._clock.instructions, self.step, self.handlers.chain))
        else:
            self.deliver(following)

    def _finish_return(self, done: Return) -> None:
        self.inputs.iret()
        at = self._clock.instructions, self.step - len(done.steps)
        if not self._went_through(done):
            return
        assert done.after is not None
        ended = self.handlers.returned(done)
        if ended is not None:
            self.tell(Returned(*at, ended, Context.of(done.before), Context.of(done.after)))

    def _finish_transfer(self, done: Transfer) -> None:
        self._went_through(done)

    def _went_through(self, done: Return | Transfer) -> bool:
        """The last step of an instruction: it has completed, or it raises what it met."""
        single_step = self.cpu.single_steps
        self._load(done)
        if done.fault is not None:
            self._raise(done.fault)
            return False
        self._completed_one()
        if single_step and done.committed is None:
            self.pending_debug |= debug_registers.DR6_BS
        return True

    def _load(self, done: Procedure) -> None:
        """The registers that a procedure leaves; a task switch does something to the debug registers as well."""
        entered = done.after or done.committed
        if entered is not None:
            self.cpu.load(entered, done.before)
        # SDM 3B 17.2.4; 3A 7.2.1
        if done.committed is not None:
            self.cpu.set_debug_register(7, self.cpu.debug_register(7) & ~debug_registers.DR7_LOCAL)
        if done.debug_trap:
            self.pending_debug |= debug_registers.DR6_BT

    def _forget(self, done: Procedure) -> None:
        """The procedure wrote to memory: translated code there is stale. Its pushes lie side by side."""
        if done.written:
            low = min(span.address for span in done.written)
            high = max(span.address + span.size for span in done.written)
            if high - low <= PAGE and low // PAGE == (high - 1) // PAGE:
                self.cpu.forget_code(low, high - low)
            else:
                for span in done.written:
                    self.cpu.forget_code(span.address, span.size)

    # State as a whole

    @property
    def state(self) -> ProcessorState:
        return ProcessorState(
            self.step,
            self.halted,
            self.shut_down,
            self.inputs.state,
            self.handlers.state,
            self.pending_debug,
            self._again,
        )

    @state.setter
    def state(self, value: ProcessorState) -> None:
        self.step, self.halted, self.shut_down = value.step, value.halted, value.shut_down
        self.inputs.state = value.inputs
        self.handlers.state = value.handlers
        self.pending_debug, self._again = value.pending_debug, value.again
        self.activity = self.finished = None
        self._scrutiny.restart()


_RDTSCP_LENGTH = 3
_RCX = 1


def _ignore(_event: Happened) -> None:
    """Nobody listens."""


def _ignore_note(_kind: str, _place: int, _text: str) -> None:
    """Nobody listens."""
