"""The entries of the IDT, GDT and LDT, the TSS, and the frame of the innermost handler, as cells."""

from __future__ import annotations

import re
from dataclasses import replace

from idtviz.debugger.editing import expressions
from idtviz.debugger.editing.cell import Cell
from idtviz.debugger.editing.in_memory import linear_cell, word
from idtviz.debugger.editing.problem import EditError
from idtviz.debugger.editing.subject import Subject, registers_of
from idtviz.debugger.tables import DescriptorTableView, gdt_view, idt_view, ldt_view, tss_view
from idtviz.x86.addresses import MASK64
from idtviz.x86.descriptors import SystemDescriptor64
from idtviz.x86.fields import Structure
from idtviz.x86.flags import RFlags
from idtviz.x86.frames import FrameWord
from idtviz.x86.gates import Gate32, Gate64, IvtEntry
from idtviz.x86.vectors import by_name

_CALL_GATES, _TASK_GATE = (0x4, 0xC), 0x5
_SAME = {"eip": "rip", "ip": "rip", "esp": "rsp", "sp": "rsp", "eflags": "rflags", "flags": "rflags"}


def gate(session: Subject, index: str) -> Cell:
    """The entry of the IDT or IVT that a vector selects. Raises EditError."""
    try:
        vector = by_name(index).number
    except ValueError as error:
        raise EditError(f"idt[{index}]: {error}") from error
    table = idt_view(session.machine.linear(), registers_of(session))
    name, size = table.name.lower(), table.entry_size
    last = (vector + 1) * size - 1
    if last > table.limit:
        raise EditError(f"{name}[{vector}] would end at byte {last:#x}, beyond the limit {table.limit:#x}")
    cell = linear_cell(session, f"{name}[{vector}]", table.address(vector), size, structure=table.kind)
    return replace(cell, label=by_name(index).mnemonic, meaning=_kind(cell))


def vectors(session: Subject) -> list[str]:
    """The vectors whose gates are not all zero."""
    table = idt_view(session.machine.linear(), registers_of(session))
    return [str(vector) for vector, gate in enumerate(table.gates) if gate.value]


def descriptor(session: Subject, table: str, index: str) -> Cell:
    """The descriptor of the GDT or LDT that a selector names; its RPL and TI do not count. Raises EditError."""
    selector = expressions.address(session, index) & ~7
    found = _table(session, table)
    entry = next((entry for entry in found.entries if entry.offset == selector), None)
    path = f"{table}[{selector:#x}]"
    if entry is None:
        inside = next((item for item in found.entries if item.offset < selector < item.offset + item.size), None)
        if inside is not None:
            raise EditError(f"{path} is the second half of {table}[{inside.offset:#x}]")
        raise EditError(f"{path} is not in the {found.name}: its limit is {found.limit:#x}")
    kind = _format(entry.descriptor)
    cell = linear_cell(session, path, found.base + selector & MASK64, entry.size, structure=kind)
    return replace(cell, label=f"{found.name} {selector:#x}", meaning=entry.descriptor.summary)


def selectors(session: Subject, table: str) -> list[str]:
    """The offsets of the descriptors of the GDT or LDT that are not null."""
    return [f"{entry.offset:#x}" for entry in _table(session, table).entries if entry.descriptor.value]


def _table(session: Subject, table: str) -> DescriptorTableView:
    memory, at = session.machine.linear(), registers_of(session)
    found = gdt_view(memory, at) if table == "gdt" else ldt_view(memory, at)
    if found is None:
        raise EditError("no LDT is loaded")
    if found.raw is None:
        raise EditError(f"the {found.name} is not mapped: no page at {found.base:#x}")
    return found


def _format(found: Structure) -> type[Structure]:
    """A call or task gate lies under the same bits as another descriptor."""
    kind = getattr(found, "type", None)
    if found.value and getattr(found, "is_system", False):
        if isinstance(found, SystemDescriptor64):
            return Gate64 if kind in _CALL_GATES else SystemDescriptor64
        if kind in (*_CALL_GATES, _TASK_GATE):
            return Gate32
    return type(found)


def _kind(cell: Cell) -> str:
    found = cell.decoded
    if isinstance(found, IvtEntry):
        return f"{found.segment:04x}:{found.offset:04x}"
    assert isinstance(found, Gate32 | Gate64)
    return f"{found.kind}{'' if found.present else ', not present'}"


def task(session: Subject) -> Cell:
    """The TSS that TR names. Raises EditError."""
    at = registers_of(session)
    if at.mode == "real":
        raise EditError("real mode has no TSS")
    found = tss_view(session.machine.linear(), at)
    if found.tss is None:
        raise EditError(
            f"there is no TSS to edit: TR holds {found.selector:#x}, base {found.base:#x}, limit {found.limit:#x}"
        )
    cell = linear_cell(session, "tss", found.base, found.kind.SIZE, structure=found.kind)
    return replace(cell, label="TSS", meaning=f"selector {found.selector:#x}")


def frame_words(session: Subject) -> dict[str, FrameWord]:
    """The words of the innermost interrupt frame by name, lowest address first. Raises EditError."""
    frame = session.view.frame
    if frame is None:
        raise EditError("no handler is running: there is no interrupt frame")
    return {re.sub(r"[^a-z]+", "_", word.name.lower()): word for word in frame.words}


def frame_word(session: Subject, name: str) -> Cell:
    """A word of the innermost interrupt frame. Raises EditError."""
    words = frame_words(session)
    wanted = name.lower()
    for known, found in words.items():
        if wanted == known or _SAME.get(wanted, wanted) == _SAME.get(known, known):
            structure = RFlags if _SAME.get(known, known) == "rflags" else None
            cell = word(session, f"frame.{known}", found.address, found.size, address=True)
            return replace(cell, label=found.name, meaning=found.meaning, structure=structure)
    raise EditError(f"the interrupt frame has no word {name!r}: it has {', '.join(words)}")
