"""From what the engine stopped for to the event that a processor raises there."""

from __future__ import annotations

from idtviz.machine import instructions, operands
from idtviz.machine.delivery.event import (
    DEBUG,
    GENERAL_PROTECTION,
    PAGE_FAULT,
    STACK_FAULT,
    UNDEFINED_OPCODE,
    Event,
    Fault,
    Source,
    exception,
)
from idtviz.machine.memory import LinearMemory
from idtviz.machine.registers import Registers
from idtviz.machine.trap import Trap, TrapKind
from idtviz.x86.addresses import MASK64, is_canonical
from idtviz.x86.error_codes import PageFaultCode


def event_of(trap: Trap, at: Registers, memory: LinearMemory) -> Event:
    """The event behind an EXCEPTION or SOFTWARE trap at `at`; what the engine raises alike is told apart here."""
    fault = _fault_of(trap, at, memory)
    if trap.kind is TrapKind.EXCEPTION and fault.vector not in (UNDEFINED_OPCODE, GENERAL_PROTECTION):
        return exception(fault, at.rip, real=at.mode == "real")
    raw = instructions.fetch(at, memory)
    if trap.kind is TrapKind.SOFTWARE or (fault.vector == UNDEFINED_OPCODE and instructions.is_int1(raw, at)):
        found = instructions.decode(raw, at)
        assert found.vector is not None
        # INT1 is a #DB of hardware to every check, though an instruction raises it (SDM 2A INT n).
        source = Source.EXCEPTION if found.vector == DEBUG and trap.kind is TrapKind.EXCEPTION else Source.SOFTWARE
        return Event(found.vector, source, (at.rip + found.length) & MASK64, at.rip, real=at.mode == "real")
    on_stack = fault.error_code == 0 and at.mode == "long" and operands.bad_address_is_on_stack(raw, at)
    if fault.vector == GENERAL_PROTECTION and on_stack:
        fault = Fault(STACK_FAULT, 0)
    return exception(fault, at.rip, real=at.mode == "real")


def _fault_of(trap: Trap, at: Registers, memory: LinearMemory) -> Fault:
    """The engine reads an operand that is read and written before it writes it; a processor asks for the write at once.

    So does Bochs; the SDM says of W/R only that it tells what the access was (SDM 3A 4.7).
    """
    if trap.vector != PAGE_FAULT:
        return Fault(trap.vector, trap.error_code)
    code = trap.error_code
    if not code & (PageFaultCode.write.mask | PageFaultCode.fetch.mask):
        operands_here = operands.memory_operands(instructions.code_at(at, memory), at)
        if any(found.modify and -found.size < found.address - at.cr2 <= 0 for found in operands_here):
            code |= PageFaultCode.write.mask
    return Fault(PAGE_FAULT, code, at.cr2)


def note_on(event: Event, at: Registers, memory: LinearMemory) -> str | None:
    """What a person should know about an exception: where it is the emulator's doing, or another processor's way."""
    if event.vector == GENERAL_PROTECTION and at.mode == "long" and not is_canonical(at.rip):
        return (
            f"a branch has gone to {at.rip:#x}, which is not canonical: #GP comes at the fetch, as on AMD's "
            "processors; Intel's raise it at the branch"
        )
    if event.vector != UNDEFINED_OPCODE or event.source is not Source.EXCEPTION:
        return None
    text = operands.not_implemented(instructions.fetch(at, memory), at)
    if text is None:
        return None
    return f"{text} is a valid instruction that the emulator does not implement; #UD is raised"
