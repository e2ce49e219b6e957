"""The bytes of tables behind a step: which entry was read, where it lies, and what it says."""

from __future__ import annotations

from collections.abc import Iterable

from idtviz.checks.why.values import Entry, Part
from idtviz.debugger.observing import Tables
from idtviz.debugger.tables import DescriptorTableView
from idtviz.machine.delivery.procedure import Span, Step
from idtviz.x86.error_codes import SelectorErrorCode
from idtviz.x86.fields import Reserved, Structure
from idtviz.x86.paging import Walk
from idtviz.x86.selectors import Selector


def parts_of(structure: Structure) -> tuple[Part, ...]:
    """Its fields, split ones as one; reserved bits only where they are not zero."""
    found = []
    for bits in structure.WHOLE:
        value = bits.extract(structure.value)
        if value or not isinstance(bits, Reserved):
            found.append(Part(bits.name, bits.bits, value, bits.explain(structure)))
    return tuple(found)


def entries_read(steps: Iterable[Step], tables: Tables) -> tuple[Entry, ...]:
    """The entries of IDT, GDT, LDT and TSS that `steps` read, each once, in order."""
    found: dict[str, Entry] = {}
    for step in steps:
        for span in step.reads:
            entry = _entry(span, tables)
            if entry is not None:
                found.setdefault(entry.name, entry)
    return tuple(found.values())


def named_by(error_code: int, tables: Tables) -> Entry | None:
    """The entry that the error code of #TS, #NP, #SS or #GP names; None where it names none."""
    code = SelectorErrorCode(error_code & 0xFFFF)
    if not error_code & 0xFFFC and not code.idt:
        return None
    if code.idt:
        return gate(code.index, tables)
    table = tables.ldt if code.ti else tables.gdt
    return None if table is None else _descriptor(table, code.selector.offset)


def gate(vector: int, tables: Tables) -> Entry | None:
    """What a vector selects; None where the table does not reach that far, or cannot be read."""
    idt = tables.idt
    if vector >= len(idt.gates) or idt.raw is None:
        return None
    at = vector * idt.entry_size
    raw = idt.raw[at : at + idt.entry_size]
    return Entry(f"{idt.name}[{vector}]", idt.address(vector), raw, parts_of(idt.gates[vector]))


def descriptor(selector: int, tables: Tables) -> Entry | None:
    """What a selector names; None where it is null, or beyond the table."""
    named = Selector(selector)
    table = tables.ldt if named.ti else tables.gdt
    return None if table is None or named.null else _descriptor(table, named.offset)


def last_of_walk(walk: Walk) -> Entry | None:
    """The page-table entry at which a walk of the page tables ended."""
    if not walk.entries:
        return None
    last = walk.entries[-1]
    size = last.mode.entry_size
    name = f"{last.level} entry of {walk.linear:#x}"
    raw = (last.value & (1 << 8 * size) - 1).to_bytes(size, "little")
    fields = tuple(Part(it.name, it.bits, it.value, it.meaning) for it in last.fields)
    return Entry(name, last.address, raw, tuple(it for it in fields if it.value or it.name in _ALWAYS), physical=True)


def _entry(span: Span, tables: Tables) -> Entry | None:
    idt = tables.idt
    if idt.raw and 0 <= span.address - idt.base < len(idt.raw):
        return gate((span.address - idt.base) // idt.entry_size, tables)
    for table in (tables.gdt, tables.ldt):
        if table is not None and table.raw and 0 <= span.address - table.base < len(table.raw):
            return _descriptor(table, span.address - table.base)
    return _tss_field(span, tables)


def _descriptor(table: DescriptorTableView, offset: int) -> Entry | None:
    found = next((it for it in table.entries if it.offset <= offset < it.offset + it.descriptor.SIZE), None)
    if found is None:
        return None
    raw = found.descriptor.encode()
    name = f"{table.name}[{found.offset // 8}] (selector {found.offset | 4 * (table.name == 'LDT'):#x})"
    return Entry(name, table.base + found.offset, raw, parts_of(found.descriptor))


def _tss_field(span: Span, tables: Tables) -> Entry | None:
    view = tables.tss
    if view.tss is None or not 0 <= span.address - view.base < view.tss.SIZE:
        return None
    offset = span.address - view.base
    names = [bits for bits in view.tss.WHOLE if bits.byte_offset == offset]
    name = f"TSS.{names[0].name}" if names else f"TSS+{offset:#x}"
    raw = view.tss.encode()[offset : offset + span.size]
    parts = tuple(Part(it.name, it.bits, it.extract(view.tss.value), it.explain(view.tss)) for it in names)
    return Entry(name, span.address, raw, parts)


_ALWAYS = ("P", "R/W", "U/S")
