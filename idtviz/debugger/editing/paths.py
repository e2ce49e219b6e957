"""Paths: what a person, a command line and a program call the things that can be edited."""

from __future__ import annotations

import re
from dataclasses import replace

from idtviz.debugger.editing import boards, expressions, processor, tables, walks
from idtviz.debugger.editing.cell import Cell
from idtviz.debugger.editing.in_memory import word
from idtviz.debugger.editing.problem import EditError
from idtviz.debugger.editing.slot import Slot, field_of, fields_of
from idtviz.debugger.editing.subject import Subject
from idtviz.debugger.inputs import Edit

GROUPS = (
    *("registers", "idt", "gdt", "ldt", "tss", "frame", "walk"),
    *("pic", "pit", "keyboard", "com1", "cmos", "a20", "lapic", "ioapic"),
)
"""What there are slots under, beside the registers themselves."""
_WORD = re.compile(r"\[(?P<address>.+)\]\s*(?::\s*(?P<size>\w+))?")
_PART = re.compile(r"\[[^\]]*\]|[^.\[\]]+")
_SIZES = (1, 2, 4, 8)
_KNOWN = (
    "rax, rflags.if, cr0.wp, idt[14].dpl, gdt[0x8].l, tss.rsp0, frame.rip, pte[0x600000].w, [0x600000], [rsp+8]:8, "
    "pic.master.imr"
)


def slot(session: Subject, path: str) -> Slot:
    """What `path` names. Raises EditError, which says what is there instead."""
    text = path.strip()
    memory = _WORD.fullmatch(text)
    if memory is not None:
        return Slot(_word(session, memory["address"], memory["size"]))
    cell, rest = _resolve(session, text)
    if not rest:
        return Slot(cell)
    if len(rest) > 1:
        raise EditError(f"{path!r} goes on behind a field: {cell.path}.{rest[0]} has no parts")
    return field_of(cell, rest[0])


def slots(session: Subject, prefix: str) -> tuple[Slot, ...]:
    """What there is to edit under `prefix`, in order: the fields of a structure, the entries of a table.

    What has no parts is itself. `walk[ADDRESS]` are the entries of its page walk. Raises EditError.
    """
    text = prefix.strip()
    parts = _split(text)
    match [parts[0].lower(), *parts[1:]] if parts else []:
        case ["registers"]:
            return tuple(Slot(found) for name in processor.names(session) if (found := processor.cell(session, name)))
        case ["idt" | "ivt"]:
            return tuple(Slot(tables.gate(session, vector)) for vector in tables.vectors(session))
        case ["gdt" | "ldt"]:
            table = parts[0].lower()
            return tuple(Slot(tables.descriptor(session, table, at)) for at in tables.selectors(session, table))
        case ["frame"]:
            return tuple(Slot(tables.frame_word(session, name)) for name in tables.frame_words(session))
        case ["walk", index]:
            return _walk(session, _inside(index))
    under = boards.names(session, text.lower())
    if under and under != [(text.lower(), "")]:
        return tuple(Slot(boards.cell(session, chip, register)) for chip, register in under)
    found_slot = slot(session, prefix)
    return (found_slot,) if found_slot.field else fields_of(found_slot.cell)


def edit_input(session: Subject, path: str, value: int | bytes) -> Edit:
    """The edit that gives what `path` names this value. Raises EditError."""
    return slot(session, path).input(value)


def _walk(session: Subject, index: str) -> tuple[Slot, ...]:
    found: list[Slot] = []
    for level in walks.entries(session, index):
        found += fields_of(walks.entry(session, level, index))
    return tuple(found)


def _resolve(session: Subject, text: str) -> tuple[Cell, list[str]]:  # noqa: C901 -- as many cases as kinds of paths
    """The cell that a path begins with, and what of the path is left."""
    parts = _split(text)
    if not parts:
        raise EditError(f"{text!r} names nothing that can be edited: expected a path such as {_KNOWN}")
    for count in (2, 1):
        register = processor.cell(session, ".".join(parts[:count]))
        if register is not None and len(parts) >= count:
            return register, parts[count:]
    head, rest = parts[0].lower(), parts[1:]
    indexed = bool(rest) and rest[0].startswith("[")
    match head:
        case "tss":
            return tables.task(session), rest
        case "frame":
            if not rest:
                raise EditError(f"frame has words: {', '.join(tables.frame_words(session))}")
            return tables.frame_word(session, rest[0]), rest[1:]
        case "idt" | "ivt" | "gdt" | "ldt" | "pml4e" | "pdpte" | "pde" | "pte" if not indexed:
            raise EditError(f"{head} needs an index: {_EXAMPLES.get(head, f'{head}[0x600000]')}")
        case "idt" | "ivt":
            return tables.gate(session, _inside(rest[0])), rest[1:]
        case "gdt" | "ldt":
            return tables.descriptor(session, head, _inside(rest[0])), rest[1:]
        case "pml4e" | "pdpte" | "pde" | "pte":
            return walks.entry(session, head, _inside(rest[0])), rest[1:]
    found = boards.find(session, [_index(part) for part in parts])
    if found is None and head in (*GROUPS, "cr8"):
        raise EditError(f"there is no {head} on this machine")
    if found is None:
        raise EditError(f"{text!r} names nothing that can be edited here: expected a path such as {_KNOWN}")
    return found


_EXAMPLES = {"idt": "idt[14]", "ivt": "ivt[8]", "gdt": "gdt[0x8]", "ldt": "ldt[0x4]"}


def _split(text: str) -> list[str]:
    """The names and indexes of a path; none where it is not written as one."""
    if re.sub(r"\[[^\]]*\]", "", text).strip(" .") == "" or not re.fullmatch(r"(\.?[^.\[\]]+|\[[^\]]*\])+", text):
        return []
    return [part.strip() for part in _PART.findall(text)]


def _inside(index: str) -> str:
    return index[1:-1].strip()


def _index(part: str) -> str:
    """An index as the chips write theirs: `[0x10]`, `[1]`."""
    if not part.startswith("["):
        return part.lower()
    value = expressions.number(_inside(part))
    return part if value is None else f"[{value}]"


def _word(session: Subject, address: str, size: str | None) -> Cell:
    count = 1 if size is None else expressions.number(size)
    if count not in _SIZES:
        raise EditError(f"a word has 1, 2, 4 or 8 bytes, not {size}")
    at = expressions.address(session, address)
    suffix = f":{count}" if count > 1 else ""
    cell = word(session, f"[{at:#x}]{suffix}", at, count, address=count >= 4)
    name = session.symbols.name(at)
    return cell if name is None else replace(cell, meaning=name)
