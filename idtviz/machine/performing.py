"""The instructions that idtviz performs at once, in place of the engine: RDTSC, CPUID, RDMSR, MOV DR and the like."""

from __future__ import annotations

from idtviz.machine import cpuid, debug_registers, instructions
from idtviz.machine.board import Board
from idtviz.machine.clock import Clock
from idtviz.machine.cpu import Cpu
from idtviz.machine.decoding import Decoded, Kind
from idtviz.machine.delivery.event import UNDEFINED_OPCODE, Fault
from idtviz.machine.model_specific import ModelSpecific, Note
from idtviz.machine.registers import RAX, RBX, RCX, RDX, Registers
from idtviz.machine.trap import TrapKind
from idtviz.x86.addresses import MASK32

PERFORMED = Kind.DEBUG_REGISTER | Kind.MODEL_SPECIFIC | Kind.TASK_PRIORITY | Kind.ABSENT
"""The kinds of instructions that `Performer.replace` performs."""

_TSC_AUX = 0xC000_0103


class Performer:
    """Performs an instruction, all but the step to the next one, or names the fault that it raises."""

    def __init__(self, cpu: Cpu, board: Board, clock: Clock, note: Note) -> None:
        self._cpu = cpu
        self._lapic = board.lapic
        self.model_specific = ModelSpecific(cpu, board, clock, note)

    def replace(self, found: Decoded, raw: bytes, at: Registers) -> Fault | None:
        """An instruction of one of the kinds `PERFORMED`, whose bytes are `raw`."""
        if Kind.DEBUG_REGISTER in found.kind:
            return debug_registers.move(raw, at, self._cpu)
        if Kind.MODEL_SPECIFIC in found.kind:
            return self.model_specific.perform(found.mnemonic, at)
        if Kind.TASK_PRIORITY in found.kind:
            return self.model_specific.move_task_priority(raw, at)
        return Fault(UNDEFINED_OPCODE, 0)

    def intercepted(self, kind: TrapKind, raw: bytes) -> None:
        """RDTSC, RDTSCP or CPUID, in front of which the engine has stopped, at the start of `raw`."""
        if kind is TrapKind.CPUID:
            self._cpuid()
        elif kind is TrapKind.TIME_STAMP:
            self._set(self.model_specific.time_stamp & MASK32, RAX)
            self._set(self.model_specific.time_stamp >> 32, RDX)
            if instructions.is_rdtscp(raw):
                self._set(self._cpu.read_msr(_TSC_AUX) & MASK32, RCX)

    def _cpuid(self) -> None:
        at = self._cpu.registers()
        leaf, subleaf = at.general[RAX] & MASK32, at.general[RCX] & MASK32
        found = cpuid.answer(leaf, subleaf, cr4=at.cr4, apic=self._lapic is not None and self._lapic.state.enabled)
        for value, register in zip(found, (RAX, RBX, RCX, RDX), strict=True):
            self._set(value, register)

    def _set(self, value: int, register: int) -> None:
        self._cpu.set_general(register, value)
