"""The GDT that a loader leaves the processor with, and the death of kernels that rely on the wrong one.

Multiboot promises flat segments and no selectors, and says that GDTR may be invalid (0.6.96 3.2). Both loaders have a
real table, at different selectors: a kernel without a GDT of its own works with one and dies with the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from idtviz.machine.delivery.event import GENERAL_PROTECTION, INVALID_TSS, NOT_PRESENT, STACK_FAULT
from idtviz.machine.events import Delivered, Happened
from idtviz.machine.pc import Machine
from idtviz.machine.registers import Registers, Table
from idtviz.x86.descriptors import SegmentDescriptor

_CODE, _DATA = 0x00CF9B000000FFFF, 0x00CF93000000FFFF
_CODE16, _DATA16 = 0x00009E000000FFFF, 0x000092000000FFFF
_SEGMENT_FAULTS = frozenset((GENERAL_PROTECTION, NOT_PRESENT, STACK_FAULT, INVALID_TSS))
_SELECTOR = 0xFFF8
_NOT_IN_GDT = 0x6  # the TI and IDT bits of an error code
_REAL_MODE_IDTR = Table(0, 0x3FF)


@dataclass(frozen=True, slots=True)
class LoaderGdt:
    """A loader's table: which selectors it enters with, and where the table lies; None: in low memory."""

    loader: str
    shown: str
    code: int
    data: int
    descriptors: tuple[int, ...]
    address: int | None = None

    @property
    def raw(self) -> bytes:
        """The table in memory."""
        return b"".join(value.to_bytes(8, "little") for value in self.descriptors)

    def role(self, selector: int) -> str | None:
        """What the loader enters the kernel with in `selector`; None: nothing."""
        return {self.code: "code", self.data: "data"}.get(selector)

    def enter(self, state: Registers, at: int) -> Registers:
        """`state` with flat segments from this table, which lies at `at`; IDTR is as real mode had it."""
        data = replace(state.ds, selector=self.data)
        return replace(
            state,
            cs=replace(state.cs, selector=self.code),
            ds=data,
            es=data,
            fs=data,
            gs=data,
            ss=data,
            gdtr=Table(at, len(self.descriptors) * 8 - 1),
            idtr=_REAL_MODE_IDTR,
        )


QEMU: Final = LoaderGdt("qemu", "QEMU", 0x08, 0x10, (0, _CODE, _DATA, _CODE16, _DATA16), 0xCB2B8)
"""Measured with QEMU 7.2: the table lies in the option ROM that loads the kernel."""
GRUB: Final = LoaderGdt("grub", "GRUB", 0x10, 0x18, (0, 0, _CODE, _DATA))
"""The table of GRUB 2's relocator, in a piece of low memory that is the kernel's to use."""
LINUX: Final = LoaderGdt("bzimage", "the Linux boot protocol", 0x10, 0x18, (0, 0, _CODE, _DATA))
"""__BOOT_CS and __BOOT_DS (Documentation/x86/boot.rst, 32-bit boot protocol)."""
MULTIBOOT: Final = {gdt.loader: gdt for gdt in (QEMU, GRUB)}


def explainer(gdt: LoaderGdt, at: int, machine: Machine) -> Callable[[Happened], None]:
    """Watches for faults of `machine` over selectors of a loader's GDT, which lies at `at`.

    It notes each selector once: whose it was, and what stands in its place.
    """
    other = next(each for each in MULTIBOOT.values() if each is not gdt)

    def explain(event: Happened) -> None:
        if isinstance(event, Delivered):
            for selector in _selectors(event):
                text = _text(selector, gdt, other, _Present.of(machine, selector, gdt, at))
                if text is not None:
                    machine.processor.note("selector", selector, text)

    return explain


@dataclass(frozen=True, slots=True)
class _Present:
    """The GDT at the moment of a fault, and what it has at one selector (None: the table ends before)."""

    ours: bool
    intact: bool
    descriptor: SegmentDescriptor | None

    @classmethod
    def of(cls, machine: Machine, selector: int, gdt: LoaderGdt, at: int) -> _Present:
        registers = machine.cpu.registers()
        memory, table = machine.linear(registers), registers.gdtr
        ours = table == Table(at, len(gdt.raw) - 1)
        raw = memory.peek(table.base + selector, 8) if selector + 7 <= table.limit else None
        intact = ours and memory.peek(at, len(gdt.raw)) == gdt.raw
        return cls(ours, intact, None if raw is None else SegmentDescriptor.decode(raw))

    @property
    def shown(self) -> str:
        """What the selector names now."""
        if self.descriptor is None:
            return "lies behind the end of the table"
        if not self.descriptor.value:
            return "is empty"
        return f"is {self.descriptor.summary}"


def _selectors(delivered: Delivered) -> list[int]:
    """The selectors that a fault names: one that was delivered, and one that its delivery met."""
    what = delivered.event
    found = [(what.vector, what.error_code)]
    if delivered.fault is not None:
        found.append((delivered.fault.vector, delivered.fault.error_code))
    return [
        code & _SELECTOR
        for vector, code in found
        if vector in _SEGMENT_FAULTS and code is not None and code & _SELECTOR and not code & _NOT_IN_GDT
    ]


def _text(selector: int, gdt: LoaderGdt, other: LoaderGdt, present: _Present) -> str | None:
    mine, theirs = gdt.role(selector), other.role(selector)
    advice = f'loader = "{other.loader}" enters with CS={other.code:#04x} and DS={other.data:#04x}'
    if present.ours and not present.intact:
        return (
            f"the kernel has no GDT of its own, and has overwritten the one that {gdt.shown}'s loader left in memory: "
            f"selector {selector:#04x} {present.shown} now"
        )
    if present.ours and theirs is not None:
        return (
            f"selector {selector:#04x} is the {theirs} segment where {other.shown} loads the kernel; "
            f"this is {gdt.shown}'s loader, in whose GDT it {present.shown}, "
            f"and the kernel has brought no GDT of its own; {advice}"
        )
    if present.ours or mine is None or _still(present, mine):
        return None
    return (
        f"selector {selector:#04x} is the {mine} segment of the GDT that {gdt.shown}'s loader entered the kernel with; "
        f"the kernel has loaded a GDT of its own, in which it {present.shown}, "
        f"and something still has the loader's selector; {advice}"
    )


def _still(present: _Present, role: str) -> bool:
    """Whether the kernel's own GDT has there what the loader's had."""
    found = present.descriptor
    return found is not None and bool(found.present) and (found.is_code if role == "code" else found.is_data)
