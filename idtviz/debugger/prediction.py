"""The event that the instruction at RIP is sure to raise, as far as its bytes and the page tables tell."""

from __future__ import annotations

from idtviz.debugger.code import CodeView
from idtviz.debugger.disassembly import Instruction
from idtviz.machine.close_look import fault_in_front
from idtviz.machine.decoding import decode
from idtviz.machine.delivery.event import GENERAL_PROTECTION, UNDEFINED_OPCODE, Event, Fault, Source, exception
from idtviz.machine.memory import LinearMemory
from idtviz.machine.regime import regime_of
from idtviz.machine.registers import Registers
from idtviz.x86 import flags
from idtviz.x86.control import CR4_VME

_NO_BREAKPOINTS = (0,) * 5
_IOPL_SENSITIVE = ("int", "iret", "iretd", "pushf", "pushfd", "popf", "popfd", "cli", "sti")


def raised(at: Registers, code: CodeView, memory: LinearMemory) -> Event | None:
    """INT n, INT3, UD2, what a segment or page does not allow; in virtual-8086 mode what IOPL forbids. Else None."""
    here = code.here
    if here is None:
        return None
    real = at.mode == "real"
    fault = _fault(at, code, here, memory)
    if fault is not None:
        return exception(fault, at.rip, real=real)
    if here.mnemonic in ("int", "int3"):
        vector = 3 if here.mnemonic == "int3" else int(here.operands, 0)
        return Event(vector, Source.SOFTWARE, here.end, at.rip, real=real)
    return None


def _fault(at: Registers, code: CodeView, here: Instruction, memory: LinearMemory) -> Fault | None:
    if here.mnemonic == "ud2":
        return Fault(UNDEFINED_OPCODE, 0)
    if _is_forbidden(at, here):
        return Fault(GENERAL_PROTECTION, 0)
    found = decode(here.raw, code.bits)
    fault = fault_in_front(found, at, regime_of(at, _NO_BREAKPOINTS), memory) if found is not None else None
    return fault or (code.access.fault if code.access is not None else None)


def _is_forbidden(at: Registers, here: Instruction) -> bool:
    """Whether virtual-8086 mode leaves the instruction to the monitor: IOPL below 3, and no VME (SDM 3B 20.2.7)."""
    sensitive = at.mode == "vm86" and at.rflags & flags.IOPL != flags.IOPL and not at.cr4 & CR4_VME
    return sensitive and here.mnemonic in _IOPL_SENSITIVE
