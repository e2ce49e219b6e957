"""The faults that an instruction raises and that the engine does not know: found in front of it."""

from __future__ import annotations

from collections.abc import Callable

from idtviz.machine import control_registers, instructions
from idtviz.machine.decoding import Decoded, Kind
from idtviz.machine.delivery.event import ALIGNMENT_CHECK, GENERAL_PROTECTION, STACK_FAULT, Fault
from idtviz.machine.io_permission import permission
from idtviz.machine.memory import AccessFault, LinearMemory
from idtviz.machine.operands import Operand, operands_of
from idtviz.machine.regime import FLAT_LIMIT, Breakpoint, Regime, is_allowed
from idtviz.machine.registers import RSP, Registers, Segment
from idtviz.machine.segmentation import contains, offset_mask
from idtviz.x86 import control, flags
from idtviz.x86.addresses import is_canonical

_RCX = 1
_ALIGNMENTS = {2: 2, 4: 4, 8: 8, 10: 8}
"""Operand size to the alignment that AC asks for (SDM 3A table 6-7)."""


def fault_in_front(found: Decoded, at: Registers, regime: Regime, memory: LinearMemory) -> Fault | None:
    """What the instruction at RIP raises before it does anything, of those faults that the engine does not raise."""
    protection = Fault(GENERAL_PROTECTION, 0)
    if regime.code_limit < FLAT_LIMIT and at.rip + found.length - 1 > regime.code_limit:
        return protection
    if Kind.SYSTEM_RETURN in found.kind and not _returns_to_canonical(found, at):
        return protection
    if (Kind.FLOATING | Kind.ALIGNED) & found.kind and not _runs(found, at):
        return None
    earlier: list[Operand] = []
    for operand in operands_of(found, at):
        fault = _refusal(found, operand, regime)
        if fault is not None:
            return fault if _touch(earlier, memory, user=at.cpl == 3) else None
        earlier.append(operand)
    if Kind.BRANCH in found.kind and regime.code_limit < FLAT_LIMIT:
        return protection if _leaves(found, at, regime.code_limit, memory) else None
    return None


def _refusal(found: Decoded, operand: Operand, regime: Regime) -> Fault | None:
    for name, segment in regime.segments:
        if name == operand.segment and not _allows(segment, operand, protected=regime.protected):
            return Fault(STACK_FAULT if operand.stack else GENERAL_PROTECTION, 0)
    if Kind.ALIGNED in found.kind and operand.address % 16:
        return Fault(GENERAL_PROTECTION, 0)
    if regime.alignment and _is_misaligned(operand):
        return Fault(ALIGNMENT_CHECK, 0)
    return None


def _touch(operands: list[Operand], memory: LinearMemory, *, user: bool) -> bool:
    """Read the operands that come before the one at fault; False: one of them is a page fault, which comes first."""
    try:
        for operand in operands:
            memory.read(operand.address, operand.size, user=user)
    except AccessFault:
        return False
    return True


def port_fault(at: Registers, memory: LinearMemory, note: Callable[[str, int, str], None]) -> Fault | None:
    """#GP where an I/O instruction may not touch its port, with a note that says why; or #PF of the bitmap's page."""
    port, size = instructions.port_of(instructions.fetch(at, memory), at)
    try:
        answer = permission(at, memory, port, size)
    except AccessFault as fault:
        return Fault(fault.vector, fault.error_code, fault.linear)
    if answer.granted:
        return None
    note("io", at.rip, f"port {port:#x} is refused: {answer.why}")
    return Fault(GENERAL_PROTECTION, 0)


def control_fault(
    found: Decoded, at: Registers, memory: LinearMemory, note: Callable[[str, int, str], None]
) -> Fault | None:
    """#GP where MOV may not put its value into CR0 or CR4, with a note that says why."""
    if found.mnemonic != "mov":
        return None
    why = control_registers.refuses(instructions.fetch(at, memory), at)
    if why is None:
        return None
    note("control", at.rip, f"{why}: #GP(0)")
    return Fault(GENERAL_PROTECTION, 0)


def hits(found: Decoded, at: Registers, breakpoints: tuple[Breakpoint, ...], memory: LinearMemory) -> int:
    """Bits B0-B3 of DR6 for the data and I/O breakpoints that the instruction will meet (SDM 3B 17.2.4)."""
    if not breakpoints:
        return 0
    met = 0
    for operand in operands_of(found, at):
        for point in breakpoints:
            watched = point.kind == Breakpoint.ACCESS or (operand.write and point.kind == Breakpoint.WRITE)
            if watched and point.covers(operand.address, operand.size):
                met |= 1 << point.number
    if Kind.PORT in found.kind:
        port, size = instructions.port_of(instructions.fetch(at, memory), at)
        for point in breakpoints:
            if point.kind == Breakpoint.PORT and point.covers(port, size):
                met |= 1 << point.number
    return met


def instruction_hits(breakpoints: tuple[Breakpoint, ...], at: Registers) -> int:
    """Bits B0-B3 of DR6 for the instruction breakpoints at RIP; RF holds them off (SDM 3B 17.3.1.1)."""
    if at.rflags & flags.RF:
        return 0
    return sum(
        1 << point.number
        for point in breakpoints
        if point.kind == Breakpoint.EXECUTE and point.address == at.linear_rip
    )


def _allows(segment: Segment, operand: Operand, *, protected: bool) -> bool:
    if protected and not (segment.present and is_allowed(segment, write=operand.write)):
        return False
    return contains(segment, operand.offset, operand.size)


def _leaves(found: Decoded, at: Registers, limit: int, memory: LinearMemory) -> bool:
    """Whether a near branch goes behind the limit of CS (SDM 2A JMP, CALL; 2B RET); if it is taken."""
    mask = 0xFFFF if found.operand_size == 2 else 0xFFFFFFFF
    if found.displacement is not None:
        return _is_taken(found, at) and (at.rip + found.displacement) & mask > limit
    if found.target_register is not None:
        return at.general[found.target_register] & mask > limit
    if found.mnemonic.startswith("ret"):
        address = at.ss.base + (at.general[RSP] & offset_mask(at.ss))
    else:
        operand = next(operands_of(found, at), None)
        if operand is None:
            return False
        address = operand.address
    raw = memory.peek(address & 0xFFFFFFFF, found.operand_size)
    return raw is not None and int.from_bytes(raw, "little") > limit


def _is_taken(found: Decoded, at: Registers) -> bool:
    """Whether a conditional branch is taken (SDM 2A Jcc, LOOP)."""
    name = found.mnemonic
    if name in ("jmp", "call"):
        return True
    counter = at.general[_RCX] & found.address_mask
    if name in ("jcxz", "jecxz", "jrcxz"):
        return counter == 0
    zero = bool(at.rflags & flags.ZF)
    if name.startswith("loop"):
        wanted = {"loop": True, "loope": zero, "loopne": not zero}[name]
        return wanted and counter != 1
    less = bool(at.rflags & flags.SF) != bool(at.rflags & flags.OF)
    holds = {
        "o": bool(at.rflags & flags.OF),
        "b": bool(at.rflags & flags.CF),
        "e": zero,
        "be": zero or bool(at.rflags & flags.CF),
        "s": bool(at.rflags & flags.SF),
        "p": bool(at.rflags & flags.PF),
        "l": less,
        "le": zero or less,
    }
    opposite = {"no": "o", "ae": "b", "ne": "e", "a": "be", "ns": "s", "np": "p", "ge": "l", "g": "le"}
    condition = name[1:]
    return not holds[opposite[condition]] if condition in opposite else holds[condition]


def _returns_to_canonical(found: Decoded, at: Registers) -> bool:
    """SYSRET and SYSEXIT to 64-bit code refuse a non-canonical RIP while still in ring 0 (SDM 2B SYSRET)."""
    if found.operand_size != 8 or not found.wide or at.cpl != 0:
        return True
    source = _RCX if found.mnemonic.startswith("sysret") else 2
    return is_canonical(at.general[source])


def _runs(found: Decoded, at: Registers) -> bool:
    """Whether a floating-point or SSE instruction executes, and raises neither #UD nor #NM (SDM 2A 2.4)."""
    if at.cr0 & (control.CR0_EM | control.CR0_TS):
        return False
    return Kind.ALIGNED not in found.kind or bool(at.cr4 & control.CR4_OSFXSR) or found.mnemonic.startswith("fx")


def _is_misaligned(operand: Operand) -> bool:
    aligned = operand.size not in _ALIGNMENTS or operand.address % _ALIGNMENTS[operand.size] == 0
    return not aligned and is_canonical(operand.address)
