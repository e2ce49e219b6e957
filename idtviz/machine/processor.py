"""The processor at its instruction boundaries: what comes next, and what follows from it.

At each boundary it takes, in this order, a trap of the instruction before, an NMI, a maskable interrupt, the next
instruction (SDM 3A 6.9). Deliveries, returns, far transfers and HLT are performed in steps by idtviz itself; everything
else runs on the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from idtviz.machine import close_look, debug_registers, far_instructions, instructions, traps
from idtviz.machine.activity import ActiveProcessor
from idtviz.machine.board import Board
from idtviz.machine.bus import Bus
from idtviz.machine.clock import Clock
from idtviz.machine.cpu import Cpu
from idtviz.machine.decoding import Decoded, Kind
from idtviz.machine.delivery.event import (
    DEBUG,
    GENERAL_PROTECTION,
    UNDEFINED_OPCODE,
    Fault,
    Source,
)
from idtviz.machine.delivery.select import return_from, transfer_of
from idtviz.machine.events import Halted
from idtviz.machine.handlers import HandlersState
from idtviz.machine.interrupts import InputState
from idtviz.machine.memory import LinearMemory, Memory
from idtviz.machine.model_specific import Note
from idtviz.machine.performing import PERFORMED, Performer
from idtviz.machine.regime import CHANGES
from idtviz.machine.register_watch import RegisterWatch
from idtviz.machine.registers import Registers
from idtviz.machine.schedule import Schedule, Wait
from idtviz.machine.scrutiny import Scrutiny
from idtviz.machine.trap import Trap, TrapKind
from idtviz.machine.unsupported import UnsupportedError
from idtviz.x86 import control


@dataclass(frozen=True, slots=True)
class ProcessorState:
    """What the processor knows beside its registers, at a moment between procedures."""

    step: int
    halted: bool
    shut_down: bool
    off: str
    inputs: InputState
    handlers: HandlersState
    pending_debug: int
    again: bool
    time_stamp_offset: int


class Processor(ActiveProcessor):
    """What a boundary brings, in steps and in instructions."""

    def __init__(self, cpu: Cpu, memory: Memory, board: Board, clock: Clock, schedule: Schedule, bus: Bus) -> None:
        super().__init__(cpu, memory, board, clock)
        self.halted = False
        self.off = ""
        """How the guest has reset the machine or switched it off."""
        self.note: Note = _ignore_note
        """Says something once for each (kind, place): kind, place, text."""
        self.firmware: Callable[[int], None] | None = None
        """Performs the VMCALL at a linear address of the BIOS; None: there is no BIOS, and it is undefined."""
        self._schedule = schedule
        self._bus = bus
        self._performer = Performer(cpu, board, clock, self._say_once)
        self._scrutiny = Scrutiny(cpu, memory)
        self.register_watch = RegisterWatch(cpu, self._scrutiny, self, board.lapic, clock)
        bus.on_instruction = self._passed
        bus.on_stop = bus.on_stop_in_memory = cpu.end_behind

    def look_also_at(self, kinds: Kind) -> None:
        """Run instructions of these kinds one at a time, whatever the state; every translation is dropped."""
        self._scrutiny.look_also_at(kinds)

    def _say_once(self, kind: str, place: int, text: str) -> None:
        self.note(kind, place, text)

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
            self.cpu.set_a20(self.memory.a20)
            self._scrutiny.refresh()
        while not self._scrutiny.looking:
            ahead = self._scrutiny.ahead
            most = min(count, ahead) if ahead else count
            completed = self._run(most) if most > 1 else self._run_slice(1, guarded=True)
            if ahead:
                self._scrutiny.arrive(completed)
            if self.cpu.trap is not None:
                return self._trapped(self.cpu.trap)
            if not self.cpu.stopped_in_front:
                return False
            self._scrutiny.begin(completed)
            if completed:
                return False
        return self._look()

    def _run(self, count: int) -> int:
        """Run at speed. The last instruction runs by itself: the next boundary may have to tell which it was."""
        ahead = self._run_slice(count - 1, guarded=True)
        return ahead if self.cpu.ended_early else ahead + self._run_slice(1, guarded=True)

    def _run_slice(self, count: int, *, guarded: bool) -> int:
        start, before, enabled = self._clock.instructions, self.cpu.rip, self.cpu.interrupt_flag
        self._bus.begin(start, start + count)
        shadow = count == 1 and self.cpu.interrupt_shadow
        if shadow:
            # It ends behind this instruction, a single iteration too; the engine would count that one otherwise.
            self.cpu.cast_interrupt_shadow(cast=False)
        completed = self.cpu.run(count, guarded=guarded, window=self._bus.requested and not enabled)
        if shadow:
            # Of several instructions in a row that cast a shadow the first one does it (SDM 3A 6.8.3).
            self.cpu.cast_interrupt_shadow(cast=not completed)
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
            self.cpu.cast_interrupt_shadow(cast=False)

    @property
    def _only_breakpoints(self) -> bool:
        """Whether the debug trap due is one that MOV SS holds off; a single step behind STI is not (SDM 3A 6.8.3)."""
        return not self.pending_debug & ~debug_registers.DR6_BREAKPOINTS

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
            if found.kind & PERFORMED:
                return self._replace(found, raw, registers)
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
        elif fault is None and Kind.CONTROL in found.kind:
            fault = close_look.control_fault(found, at, memory, self.note)
        if fault is None or memory.walk(at.linear_rip, fetch=True, user=at.cpl == 3).fault is not None:
            return False
        self._raise(fault)
        return True

    def _replace(self, found: Decoded, raw: bytes, at: Registers) -> bool:
        """An instruction that idtviz performs itself. True: it raises something."""
        fault = self._performer.replace(found, raw, at)
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
        if trap.kind in _AT_ONCE:
            return self._perform(trap)
        registers = self.cpu.registers()
        memory = self.linear(registers)
        if registers.mode == "vm86" and registers.cr4 & control.CR4_VME:
            raise UnsupportedError(f"{trap.name} at {registers.rip:#x}: virtual-8086 mode extensions (CR4.VME)")
        if trap.kind in (TrapKind.EXCEPTION, TrapKind.SOFTWARE):
            if trap.vector == UNDEFINED_OPCODE and self._calls_firmware(registers, memory):
                return False
            event = traps.event_of(trap, registers, memory)
            if event.vector == DEBUG and event.source is Source.EXCEPTION and trap.vector == DEBUG:
                self.pending_debug |= debug_registers.DR6_BS
                return False
            text = traps.note_on(event, registers, memory)
            if text is not None:
                self.note("code", registers.rip, text)
            self.deliver(event, registers)
            return True
        if trap.kind is TrapKind.IRET:
            found = instructions.decode(instructions.fetch(registers, memory), registers)
            self.activity = return_from(registers, memory, found.operand_size)
        elif not self._transfer(registers, memory):
            self._raise(Fault(UNDEFINED_OPCODE, 0))
        return True

    def _perform(self, trap: Trap) -> bool:
        """RDTSC, RDTSCP, CPUID and HLT: they are performed at once."""
        memory = LinearMemory(self.memory, self.cpu.paging_registers())
        raw = memory.peek(self.cpu.linear_rip, instructions.MAXIMUM_LENGTH) or instructions.fetch(
            self.cpu.registers(), memory
        )
        length = instructions.length_at_once(raw)
        self._performer.intercepted(trap.kind, raw)
        self._retire(length)
        if trap.kind is TrapKind.HALT and not self.pending_debug:
            self.halted = True
            self.tell(Halted(self._clock.instructions, self.step))
        return False

    def _calls_firmware(self, at: Registers, memory: LinearMemory) -> bool:
        """The BIOS asks idtviz for a service; its own code goes on behind the VMCALL."""
        if self.firmware is None or instructions.code_at(at, memory)[: len(_VMCALL)] != _VMCALL:
            return False
        if self.memory.rom_at(at.linear_rip) is None:
            return False
        self.firmware(at.linear_rip)
        self._retire(len(_VMCALL))
        return True

    def _retire(self, length: int) -> None:
        """An instruction that idtviz performed at once has completed."""
        if self.cpu.single_steps:
            self.pending_debug |= debug_registers.DR6_BS
        self.cpu.retire(length)
        self._completed_one()

    def edited(self, *, moved: bool) -> None:
        """Registers or memory have been changed from outside; `moved`: RIP or CS among them."""
        self.cpu.changed = True
        self.cpu.flush_tlb()
        self._scrutiny.restart()
        if moved:
            self._again = False

    # State as a whole

    @property
    def state(self) -> ProcessorState:
        return ProcessorState(
            self.step,
            self.halted,
            self.shut_down,
            self.off,
            self.inputs.state,
            self.handlers.state,
            self.pending_debug,
            self._again,
            self._performer.model_specific.time_stamp_offset,
        )

    @state.setter
    def state(self, value: ProcessorState) -> None:
        self.step, self.halted, self.shut_down, self.off = value.step, value.halted, value.shut_down, value.off
        self.inputs.state = value.inputs
        self.handlers.state = value.handlers
        self.pending_debug, self._again = value.pending_debug, value.again
        self._performer.model_specific.time_stamp_offset = value.time_stamp_offset
        self.activity = self.finished = None
        self._scrutiny.restart()


_AT_ONCE = frozenset((TrapKind.TIME_STAMP, TrapKind.CPUID, TrapKind.HALT))
_VMCALL = b"\x0f\x01\xc1"


def _ignore_note(_kind: str, _place: int, _text: str) -> None:
    """Nobody listens."""
