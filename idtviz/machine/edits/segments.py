"""Segment registers, LDTR and TR, loaded from outside as MOV, far JMP, LLDT and LTR load them, with their checks.

Source: SDM 2B MOV; SDM 2A LLDT, LTR, JMP; SDM 3A 5.5 to 5.8.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from idtviz.machine.delivery.paragraphs import paragraph
from idtviz.machine.delivery.segments import descriptor_table, segment
from idtviz.machine.edits.refusal import RefusedError
from idtviz.machine.memory import LinearMemory
from idtviz.machine.registers import Registers, Segment
from idtviz.x86 import control
from idtviz.x86.addresses import MASK32, MASK64, is_canonical
from idtviz.x86.descriptors import LDT, TSS16_AVAILABLE, TSS_AVAILABLE, SegmentDescriptor, SystemDescriptor64
from idtviz.x86.selectors import Selector

NAMES = ("cs", "ss", "ds", "es", "fs", "gs")

_BUSY = 0x2
_ACCESSED = 0x1
_CACHED = 0x00F0FF00


class Loaded(NamedTuple):
    """The registers with the segment in them, and the byte of the table that marks it accessed or busy."""

    registers: Registers
    mark: tuple[int, int] | None = None
    """Linear address and value."""


def load(memory: LinearMemory, at: Registers, name: str, value: int) -> Loaded:
    """One of the six segment registers takes the selector `value`. Raises RefusedError."""
    if at.mode in ("real", "vm86"):
        return Loaded(replace(at, **_one(name, paragraph(at, getattr(at, name), value))))
    selector = Selector(value)
    if selector.null:
        return _load_null(at, name, selector)
    descriptor, address = _read(memory, at, name, selector)
    match name:
        case "cs":
            _check_code(at, selector, descriptor)
        case "ss":
            _check_stack(at, selector, descriptor)
        case _:
            _check_data(at, name, selector, descriptor)
    if not descriptor.present:
        raise RefusedError(f"{name} cannot be {value:#x}: that descriptor is not present (P=0)")
    mark = None if descriptor.accessed else (address + 5 & MASK64, (descriptor.value >> 40 & 0xFF) | _ACCESSED)
    return Loaded(replace(at, **_one(name, segment(value, descriptor))), mark)


def load_ldtr(memory: LinearMemory, at: Registers, value: int) -> Loaded:
    """As LLDT. Raises RefusedError."""
    _needs_protection(at, "LDTR")
    selector = Selector(value)
    if selector.null:
        return Loaded(replace(at, ldtr=Segment(value, 0, 0, 0)))
    descriptor, _ = _read_system(memory, at, "ldtr", selector)
    if not descriptor.is_system or descriptor.type != LDT:
        raise RefusedError(f"ldtr cannot be {value:#x}: that descriptor is {descriptor.kind}, not an LDT")
    return Loaded(replace(at, ldtr=_system_segment(value, descriptor, "ldtr")))


def load_tr(memory: LinearMemory, at: Registers, value: int) -> Loaded:
    """As LTR, which makes the TSS busy. Raises RefusedError."""
    _needs_protection(at, "TR")
    selector = Selector(value)
    if selector.null:
        raise RefusedError("tr cannot be null: LTR raises #GP(0)")
    descriptor, address = _read_system(memory, at, "tr", selector)
    allowed = (TSS_AVAILABLE,) if at.efer & control.EFER_LMA else (TSS_AVAILABLE, TSS16_AVAILABLE)
    if not descriptor.is_system or descriptor.type not in allowed:
        raise RefusedError(f"tr cannot be {value:#x}: that descriptor is {descriptor.kind}, not an available TSS")
    busy = descriptor.with_field("type", descriptor.type | _BUSY)
    return Loaded(
        replace(at, tr=_system_segment(value, busy, "tr")),
        (address + 5 & MASK64, busy.value >> 40 & 0xFF),
    )


def _one(name: str, found: Segment) -> dict[str, Any]:
    return {name: found}


def _load_null(at: Registers, name: str, selector: Selector) -> Loaded:
    if name == "cs":
        raise RefusedError("cs cannot be null")
    allowed = name != "ss" or (at.mode == "long" and at.cpl != 3 and selector.rpl == at.cpl)
    if not allowed:
        raise RefusedError("ss can be null only in 64-bit code of rings 0 to 2, with that ring as its RPL")
    flags = selector.rpl << 13 if name == "ss" else 0
    return Loaded(replace(at, **_one(name, Segment(selector.value, 0, 0, flags))))


def _read(memory: LinearMemory, at: Registers, name: str, selector: Selector) -> tuple[SegmentDescriptor, int]:
    raw, address = _raw(memory, at, name, selector, SegmentDescriptor.SIZE)
    return SegmentDescriptor.decode(raw), address


def _read_system(
    memory: LinearMemory, at: Registers, name: str, selector: Selector
) -> tuple[SegmentDescriptor | SystemDescriptor64, int]:
    if selector.ti:
        raise RefusedError(f"{name} cannot be {selector.value:#x}: its descriptor must be in the GDT (TI=0)")
    kind = SystemDescriptor64 if at.efer & control.EFER_LMA else SegmentDescriptor
    raw, address = _raw(memory, at, name, selector, kind.SIZE)
    return kind.decode(raw), address


def _raw(memory: LinearMemory, at: Registers, name: str, selector: Selector, size: int) -> tuple[bytes, int]:
    base, limit, table = descriptor_table(at, selector)
    if limit is None:
        raise RefusedError(f"{name} cannot be {selector.value:#x}: no LDT is loaded")
    last = selector.offset + size - 1
    if last > limit:
        text = f"byte {last:#x} is beyond the {table}'s limit {limit:#x}"
        raise RefusedError(f"{name} cannot be {selector.value:#x}: {text}")
    address = base + selector.offset & (MASK64 if at.efer & control.EFER_LMA else MASK32)
    raw = memory.peek(address, size)
    if raw is None:
        raise RefusedError(f"{name} cannot be {selector.value:#x}: its descriptor at {address:#x} is not mapped")
    return raw, address


def _system_segment(value: int, descriptor: SegmentDescriptor | SystemDescriptor64, name: str) -> Segment:
    if not descriptor.present:
        raise RefusedError(f"{name} cannot be {value:#x}: that descriptor is not present (P=0)")
    if not is_canonical(descriptor.base):
        raise RefusedError(f"{name} cannot be {value:#x}: its base {descriptor.base:#x} is not canonical")
    return Segment(value, descriptor.base, descriptor.byte_limit, descriptor.value >> 32 & _CACHED)


def _needs_protection(at: Registers, name: str) -> None:
    if at.mode in ("real", "vm86"):
        mode = "real mode" if at.mode == "real" else "virtual-8086 mode"
        raise RefusedError(f"{name} cannot be loaded in {mode}")


def _check_code(at: Registers, selector: Selector, found: SegmentDescriptor) -> None:
    value, long = selector.value, bool(at.efer & control.EFER_LMA)
    if not found.is_code:
        raise RefusedError(f"cs cannot be {value:#x}: that descriptor is {found.kind}, not code")
    if long and found.l and found.db:
        raise RefusedError(f"cs cannot be {value:#x}: L and D are both set")
    if selector.rpl != at.cpl:
        raise RefusedError(f"cs cannot be {value:#x}: its RPL is the ring, which is {at.cpl} and stays so")
    fits = found.dpl <= at.cpl if found.conforming else found.dpl == at.cpl
    if not fits:
        raise RefusedError(f"cs cannot be {value:#x}: code of DPL {found.dpl} does not run in ring {at.cpl}")
    if long and found.l:
        if not is_canonical(at.rip):
            raise RefusedError(f"cs cannot be {value:#x}: rip {at.rip:#x} would not be canonical")
    elif at.rip > found.byte_limit:
        raise RefusedError(f"cs cannot be {value:#x}: rip {at.rip:#x} is beyond its limit {found.byte_limit:#x}")


def _check_stack(at: Registers, selector: Selector, found: SegmentDescriptor) -> None:
    value = selector.value
    if not found.writable:
        raise RefusedError(f"ss cannot be {value:#x}: that descriptor is {found.kind}, not writable data")
    if not selector.rpl == found.dpl == at.cpl:
        rpl, dpl = selector.rpl, found.dpl
        raise RefusedError(f"ss cannot be {value:#x}: RPL {rpl} and DPL {dpl} must both be the ring, {at.cpl}")


def _check_data(at: Registers, name: str, selector: Selector, found: SegmentDescriptor) -> None:
    value = selector.value
    if not found.readable:
        raise RefusedError(f"{name} cannot be {value:#x}: that descriptor is {found.kind}, not data or readable code")
    if not found.conforming and found.dpl < max(at.cpl, selector.rpl):
        most = max(at.cpl, selector.rpl)
        raise RefusedError(f"{name} cannot be {value:#x}: its DPL {found.dpl} is below {most}, of the ring and the RPL")
