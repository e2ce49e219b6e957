"""What was interrupted: the instruction and the registers in front of a delivery, from what was noted behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from idtviz.debugger.disassembly import disassemble
from idtviz.debugger.observing import Situation, interrupted_at
from idtviz.machine.decoding import Decoded, code_bits, decode
from idtviz.machine.events import Delivered
from idtviz.machine.operands import Operand, operands_of
from idtviz.machine.registers import RSP, Registers, Segment
from idtviz.x86.descriptors import SegmentDescriptor
from idtviz.x86.selectors import Selector


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The instruction during which, or in front of which, an event came, at linear `address`.

    `registers` are those in front of it, as far as a delivery leaves them: RFLAGS are those that it saves.
    """

    address: int
    raw: bytes
    registers: Registers
    decoded: Decoded | None
    operands: tuple[Operand, ...]

    @property
    def text(self) -> str:
        """The instruction in Intel syntax; empty where its bytes cannot be read."""
        if not self.raw:
            return ""
        found = disassemble(self.raw, self.registers.rip, code_bits(self.registers))[0]
        return f"{found.mnemonic} {found.operands}".strip()


def interrupted(delivered: Delivered, behind: Situation) -> Interrupted:
    """What `delivered` interrupted; `behind` is the machine behind it."""
    at = _registers_before(delivered, behind)
    decoded = decode(behind.code, code_bits(at)) if behind.code else None
    operands = () if decoded is None else tuple(operands_of(decoded, at))
    raw = behind.code if decoded is None else behind.code[: decoded.length]
    return Interrupted(interrupted_at(delivered, behind.tables), raw, at, decoded, operands)


def _registers_before(delivered: Delivered, behind: Situation) -> Registers:
    """A delivery changes CS, SS, RIP, RSP and RFLAGS, and a task switch everything."""
    now, origin = behind.registers, delivered.origin
    general = (*now.general[:RSP], origin.rsp, *now.general[RSP + 1 :])
    return replace(
        now,
        general=general,
        rip=delivered.event.instruction_rip,
        rflags=origin.rflags,
        cpl=origin.cpl,
        cs=_segment(now.cs, origin.cs, origin.mode, behind),
        ss=_segment(now.ss, origin.ss, origin.mode, behind),
    )


def _segment(now: Segment, selector: int, mode: str, behind: Situation) -> Segment:
    """A segment register that held `selector`."""
    if selector == now.selector:
        return now
    if mode in ("real", "vm86"):
        return replace(now, selector=selector, base=selector << 4)
    named = Selector(selector)
    table = behind.tables.ldt if named.ti else behind.tables.gdt
    found = None if table is None or named.null else table.find(named)
    if not isinstance(found, SegmentDescriptor):
        return Segment(selector, 0, 0, 0)
    return Segment(selector, found.base, found.byte_limit, found.value >> 32 & 0xF0FF00)
