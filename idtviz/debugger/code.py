"""The code around CS:RIP, and the memory that the next instruction is about to touch."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.debugger.disassembly import LONGEST, Instruction, disassemble
from idtviz.debugger.symbols import Symbols
from idtviz.machine.decoding import code_bits
from idtviz.machine.delivery.event import GENERAL_PROTECTION, PAGE_FAULT, STACK_FAULT, Fault
from idtviz.machine.memory import LinearMemory
from idtviz.machine.operands import Operand, memory_operands
from idtviz.machine.pc import Machine
from idtviz.machine.regime import is_allowed
from idtviz.machine.registers import Registers, Segment
from idtviz.machine.segmentation import contains
from idtviz.x86.addresses import MASK32, MASK64, is_canonical

_BEFORE, _AFTER = 512, 384
_MOVE_THE_STACK = ("push", "pop", "call", "ret", "leave", "enter")


@dataclass(frozen=True, slots=True)
class Access:
    """A memory operand of the next instruction; the exception that it will raise, if any, and why in a few words."""

    operand: Operand
    fault: Fault | None = None
    why: str = ""


@dataclass(frozen=True)
class CodeView:
    """The code around RIP. `before` ends where RIP begins; `here` is None where RIP cannot be read.

    Instructions have offsets in CS, whose base is `base`; `bits` says how they are read: 64, 32 or 16.
    """

    selector: int
    base: int
    rip: int
    bits: int
    before: tuple[Instruction, ...]
    here: Instruction | None
    after: tuple[Instruction, ...]
    access: Access | None
    """The operand that will raise an exception; else the first that the instruction names."""

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """All of them, in order."""
        return (*self.before, *((self.here,) if self.here else ()), *self.after)

    def linear(self, offset: int) -> int:
        """Linear address of an offset in CS."""
        return (self.base + offset) & (MASK64 if self.bits == 64 else MASK32)


def code_view(memory: LinearMemory, at: Registers, symbols: Symbols) -> CodeView:
    """The code that CS:RIP names."""
    rip, bits = at.rip, code_bits(at)
    base = 0 if bits == 64 else at.cs.base
    raw = readable(memory, base + rip, _AFTER)
    if not raw:
        return CodeView(at.cs.selector, base, rip, bits, (), None, (), None)
    onward = disassemble(raw, rip, bits)
    before = _before(memory, base, rip, bits, symbols)
    access = _access(memory, at, onward[0], raw[:LONGEST])
    return CodeView(at.cs.selector, base, rip, bits, before, onward[0], onward[1:], access)


def _access(memory: LinearMemory, at: Registers, here: Instruction, raw: bytes) -> Access | None:
    found = [_judged(memory, at, operand) for operand in memory_operands(raw, at)]
    for access in found:
        if access.fault is not None:
            return access
    moves_the_stack = here.mnemonic.startswith(_MOVE_THE_STACK)
    named = (access for access in found if not (moves_the_stack and access.operand.stack))
    return next(named, None)


def _judged(memory: LinearMemory, at: Registers, operand: Operand) -> Access:
    """Whether segment and page tables let the access through."""
    vector = STACK_FAULT if operand.stack else GENERAL_PROTECTION
    if at.mode == "long":
        if not is_canonical(operand.address):
            return Access(operand, Fault(vector, 0), "not canonical")
    else:
        segment: Segment = getattr(at, operand.segment)
        why = _refused(at, segment, operand)
        if why:
            return Access(operand, Fault(vector, 0), why)
    walk = memory.walk(operand.address, write=operand.write, user=at.cpl == 3)
    if walk.fault is None:
        return Access(operand)
    fault = Fault(PAGE_FAULT, walk.fault.value, operand.address)
    return Access(operand, fault, walk.fault.explain().rsplit(" · ", 1)[-1])


def _refused(at: Registers, segment: Segment, operand: Operand) -> str:
    """Why the segment does not let the access through (SDM 3A 5.3, 5.5); empty if it does."""
    name = operand.segment.upper()
    if at.mode in ("protected", "compatibility"):
        if not segment.present:
            return f"{name} is null"
        if not is_allowed(segment, write=operand.write):
            return f"{name} may not be {'written' if operand.write else 'read'}"
    return "" if contains(segment, operand.offset, operand.size) else f"beyond the limit {segment.limit:#x} of {name}"


def call_return_address(machine: Machine, at: Registers) -> int | None:
    """Linear address behind the call or repeated string instruction that is next; None for any other instruction."""
    raw = readable(machine.linear(at), at.linear_rip, LONGEST)
    if not raw:
        return None
    here = disassemble(raw, at.rip, code_bits(at))[0]
    return at.linear_rip + len(here.raw) if here.is_call or here.repeats else None


def _before(memory: LinearMemory, base: int, rip: int, bits: int, symbols: Symbols) -> tuple[Instruction, ...]:
    """The instructions from the start of the symbol that RIP lies in, if they meet RIP."""
    symbol = symbols.at(base + rip)
    if symbol is None:
        return ()
    distance = base + rip - symbol.address
    if not 0 < distance <= min(_BEFORE, rip):
        return ()
    raw = memory.peek(symbol.address, distance)
    found = disassemble(raw, rip - distance, bits) if raw else ()
    return found if found and found[-1].end == rip else ()


def readable(memory: LinearMemory, address: int, size: int) -> bytes:
    """Up to `size` bytes, as far as they are mapped."""
    raw = memory.peek(address & MASK64, size)
    while raw is None and size > 1:
        size = min(size - 1, 4096 - address % 4096) if address % 4096 + size > 4096 else 1
        raw = memory.peek(address & MASK64, size)
    return raw or b""
