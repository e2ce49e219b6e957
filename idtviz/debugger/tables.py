"""The tables that an interrupt goes through, as the processor's mode reads them: IDT or IVT, GDT, LDT, TSS."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from idtviz.machine.delivery.delivery import Gate
from idtviz.machine.memory import LinearMemory
from idtviz.machine.registers import Registers, Segment
from idtviz.x86.addresses import MASK32, MASK64
from idtviz.x86.control import EFER_LMA
from idtviz.x86.descriptors import (
    TSS16_AVAILABLE,
    TSS16_BUSY,
    SegmentDescriptor,
    SystemDescriptor64,
    TableEntry,
    decode_table,
)
from idtviz.x86.gates import Gate32, Gate64, IvtEntry
from idtviz.x86.selectors import Selector
from idtviz.x86.tss import Tss16, Tss32, Tss64

VECTORS = 256
_TABLE_BYTES = 4096  # of the 64 KiB that a GDT may have: more than a person can read

Tss = Tss64 | Tss32 | Tss16
Descriptor = SegmentDescriptor | SystemDescriptor64

_ENTRIES: dict[str, type[Gate64 | Gate32 | IvtEntry]] = {
    "long": Gate64,
    "compatibility": Gate64,
    "protected": Gate32,
    "vm86": Gate32,
    "real": IvtEntry,
}


@dataclass(frozen=True)
class IdtView:
    """What vectors select: linear base, inclusive limit, and the table's bytes (None where it is not mapped).

    `kind` is what an entry is in the processor's mode: a 16-byte gate, an 8-byte gate, an entry of the IVT.
    """

    base: int
    limit: int
    raw: bytes | None
    kind: type[Gate64 | Gate32 | IvtEntry] = Gate64

    @property
    def entry_size(self) -> int:
        """16, 8 or 4 bytes."""
        return self.kind.SIZE

    @property
    def name(self) -> str:
        """`IDT`, or in real mode `IVT`."""
        return "IVT" if self.kind is IvtEntry else "IDT"

    @cached_property
    def gates(self) -> tuple[Gate, ...]:
        """The entries that lie wholly within the limit."""
        raw, size = self.raw or b"", self.entry_size
        return tuple(self.kind.decode(raw[at : at + size]) for at in range(0, len(raw) - size + 1, size))

    def address(self, vector: int) -> int:
        """Linear address of an entry."""
        return (self.base + vector * self.entry_size) & MASK64


@dataclass(frozen=True)
class DescriptorTableView:
    """The GDT or an LDT: linear base, inclusive limit, and its first bytes.

    `long`: as IA-32e mode reads it, where descriptors of a TSS, an LDT and a call gate take 16 bytes.
    """

    name: str
    base: int
    limit: int
    raw: bytes | None
    long: bool = True

    @cached_property
    def entries(self) -> tuple[TableEntry, ...]:
        """The descriptors, in order."""
        return decode_table(self.raw or b"", long=self.long)

    def find(self, selector: Selector) -> Descriptor | None:
        """The descriptor that begins where `selector` points, if the table has one there."""
        return next((entry.descriptor for entry in self.entries if entry.offset == selector.offset), None)


@dataclass(frozen=True)
class TssView:
    """A TSS: the selector that names it, base, limit, and its contents where all of its bytes are there.

    `kind` is its format: that of 64-bit mode, the 32-bit one, or the 80286's.
    """

    selector: int
    base: int
    limit: int
    tss: Tss | None
    kind: type[Tss64 | Tss32 | Tss16] = Tss64


def idt_view(memory: LinearMemory, at: Registers) -> IdtView:
    """The IDT or IVT that IDTR names."""
    kind = _ENTRIES[at.mode]
    limit = min(at.idtr.limit, VECTORS * kind.SIZE - 1)
    return IdtView(at.idtr.base, at.idtr.limit, _table(memory, at.idtr.base, limit), kind)


def gdt_view(memory: LinearMemory, at: Registers) -> DescriptorTableView:
    """The GDT that GDTR names."""
    raw = _table(memory, at.gdtr.base, at.gdtr.limit)
    return DescriptorTableView("GDT", at.gdtr.base, at.gdtr.limit, raw, _is_long(at))


def ldt_view(memory: LinearMemory, at: Registers) -> DescriptorTableView | None:
    """The LDT that LDTR names; None where none is loaded."""
    if not at.ldtr.selector & ~3 or not at.ldtr.present or at.mode == "real":
        return None
    raw = _table(memory, at.ldtr.base, at.ldtr.limit)
    return DescriptorTableView("LDT", at.ldtr.base, at.ldtr.limit, raw, _is_long(at))


def tss_view(memory: LinearMemory, at: Registers) -> TssView:
    """The TSS that TR names."""
    return _tss(memory, at.tr, _is_long(at))


def other_tss_view(memory: LinearMemory, at: Registers, tr: Segment) -> TssView:
    """The TSS that `tr` names: what TR holds, or will hold, when the processor is in that task."""
    return _tss(memory, tr, _is_long(at))


def _tss(memory: LinearMemory, found: Segment, long: bool) -> TssView:
    narrow = found.flags >> 8 & 0xF in (TSS16_AVAILABLE, TSS16_BUSY)
    kind: type[Tss64 | Tss32 | Tss16] = Tss64 if long else Tss16 if narrow else Tss32
    loaded = found.selector & ~3 and found.limit + 1 >= kind.SIZE
    raw = memory.peek(found.base, kind.SIZE) if loaded else None
    return TssView(found.selector, found.base, found.limit, kind.decode(raw) if raw else None, kind)


def _table(memory: LinearMemory, base: int, limit: int) -> bytes | None:
    return memory.peek(base, min(limit + 1, _TABLE_BYTES)) if limit else b""


def _is_long(at: Registers) -> bool:
    return bool(at.efer & EFER_LMA)


def handler_address(gate: Gate, gdt: DescriptorTableView, ldt: DescriptorTableView | None) -> int | None:
    """Linear address of a gate's handler; None for a task gate, and where its selector names no code segment."""
    if isinstance(gate, IvtEntry):
        return gate.linear
    if isinstance(gate, Gate64):
        return gate.offset
    if gate.kind == "task":
        return None
    selector = Selector(gate.selector)
    table = ldt if selector.ti else gdt
    found = table.find(selector) if table is not None and not selector.null else None
    return (found.base + gate.offset) & MASK32 if found is not None and found.is_code else None
