"""The procedure that is under way: how it begins, its steps, and what follows from the last of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from idtviz.machine import debug_registers, instructions
from idtviz.machine.board import Board
from idtviz.machine.clock import Clock
from idtviz.machine.cpu import Cpu
from idtviz.machine.decoding import code_bits, decode
from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.delivery.event import (
    DEBUG,
    Event,
    Fault,
    Source,
    after_fault,
    exception,
)
from idtviz.machine.delivery.procedure import Procedure
from idtviz.machine.delivery.returns import Return
from idtviz.machine.delivery.select import delivery_of
from idtviz.machine.delivery.transfer import Transfer
from idtviz.machine.events import Context, Delivered, Happened, Returned, ShutDown
from idtviz.machine.handlers import Handlers
from idtviz.machine.interrupts import InterruptInputs
from idtviz.machine.memory import PAGE, LinearMemory, Memory
from idtviz.machine.registers import Registers
from idtviz.machine.schedule import Wait

Activity = Delivery | Return | Transfer | Wait
Finished = Delivery | Return | Transfer


class ActiveProcessor:
    """The processor as far as it delivers, returns, transfers and waits."""

    def __init__(self, cpu: Cpu, memory: Memory, board: Board, clock: Clock) -> None:
        self.cpu = cpu
        self.memory = memory
        self.step = 0
        """Delivery steps performed since the last instruction completed."""
        self.shut_down = False
        self.activity: Activity | None = None
        """The delivery, return, transfer or wait that is under way between two steps."""
        self.finished: Finished | None = None
        """The delivery, return or transfer that ended with the step just performed."""
        self.inputs = InterruptInputs(board, cpu)
        self.handlers = Handlers()
        self.tell: Callable[[Happened], None] = _ignore
        self.pending_debug = 0
        """Bits of DR6 for the debug trap that is due at this boundary, or at the next where MOV SS holds it off."""
        self._clock = clock
        self._again = False
        """Whether the instruction that completed last stands at RIP again."""

    def linear(self, registers: Registers) -> LinearMemory:
        """Linear memory as the processor sees it with `registers`."""
        return LinearMemory(self.memory, registers)

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
        if activity.done:
            self._finish(activity)

    def complete(self) -> None:
        """Perform the steps of the activity that are left, and what follows from them."""
        activity = self.activity
        assert activity is not None
        performed = len(activity.steps)
        while not activity.done:
            activity.advance()
        self.step += len(activity.steps) - performed
        self._finish(activity)

    def _finish(self, activity: Activity) -> None:
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

    # Instructions

    def _passed(self) -> None:
        """An instruction has completed."""
        self.step = 0
        self.handlers.chain = ()

    def _completed_one(self) -> None:
        self._clock.instructions += 1
        self._again = False
        self._passed()

    def _repeats(self) -> bool:
        """Whether the boundary lies between two iterations of a repeated string instruction."""
        if not self._again:
            return False
        at = self.cpu.registers()
        found = decode(instructions.fetch(at, self.linear(at)), code_bits(at))
        return found is not None and found.repeats and bool(at.general[_RCX] & found.address_mask)


_RCX = 1


def _ignore(_event: Happened) -> None:
    """Nobody listens."""
