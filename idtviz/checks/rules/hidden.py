"""Faults that a processor raises, and that QEMU's TCG does not: why an instruction raised one."""

from __future__ import annotations

from idtviz.checks.interrupted import Interrupted
from idtviz.machine.decoding import Kind
from idtviz.machine.delivery.event import GENERAL_PROTECTION, STACK_FAULT
from idtviz.machine.events import Delivered
from idtviz.machine.operands import Operand
from idtviz.machine.registers import Segment

_CODE, _EXPAND_DOWN, _WRITABLE, _BIG = 1 << 11, 1 << 10, 1 << 9, 1 << 22
"""Bits of a descriptor's high doubleword (SDM 3A 3.4.5.1)."""


def hidden_from_tcg(delivered: Delivered, found: Interrupted, *, in_handler: bool) -> str | None:
    """What the instruction did, as the end of a sentence; None where TCG raises the fault as well.

    A misaligned stack in a handler is left to the rule about stacks.
    """
    event = delivered.event
    if event.vector not in (GENERAL_PROTECTION, STACK_FAULT) or event.error_code or found.decoded is None:
        return None
    for operand in found.operands:
        if operand.stack != (event.vector == STACK_FAULT) and found.registers.mode != "long":
            continue
        said = _segment(delivered, found, operand)
        if said is None and not (operand.stack and in_handler) and event.vector == GENERAL_PROTECTION:
            said = _alignment(found, operand)
        if said is not None:
            return said
    return None


def _alignment(found: Interrupted, operand: Operand) -> str | None:
    if found.decoded is None or not found.decoded.kind & Kind.ALIGNED or not operand.address % 16:
        return None
    return f"wants its operand aligned to 16 bytes, and it is at {operand.address:#x}"


def _segment(delivered: Delivered, found: Interrupted, operand: Operand) -> str | None:
    """What the operand's segment forbids."""
    mode = delivered.origin.mode
    if mode == "long":
        return None
    name, segment = operand.segment.upper(), getattr(found.registers, operand.segment)
    assert isinstance(segment, Segment)
    does = "writes" if operand.write else "reads"
    place = f"{does} {operand.size} byte{'s' * (operand.size != 1)} at offset {operand.offset:#x} of {name}"
    if mode not in ("real", "vm86"):
        if not segment.present:
            return None  # a null selector: whoever put it there is at fault
        if operand.write and (segment.flags & _CODE or not segment.flags & _WRITABLE):
            return f"{place} (selector {segment.selector:#x}), which is not a writable data segment"
    last = operand.offset + operand.size - 1
    if segment.flags & _EXPAND_DOWN and not segment.flags & _CODE and mode not in ("real", "vm86"):
        top = 0xFFFF_FFFF if segment.flags & _BIG else 0xFFFF
        if operand.offset <= segment.limit or last > top:
            return f"{place} (selector {segment.selector:#x}), which expands down from {top:#x} to {segment.limit:#x}"
        return None
    if last <= segment.limit:
        return None
    return f"{place} (selector {segment.selector:#x}), whose limit is {segment.limit:#x}"
