"""The GDT panel, with the LDT below it: descriptors by offset, and one of them bit by bit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from idtviz.debugger.tables import Descriptor, DescriptorTableView
from idtviz.debugger.view import View
from idtviz.view.layout import Line, line, raw_bytes, sentence, structure, table, touched
from idtviz.view.row import Panel, Role, Row, Rows, Span
from idtviz.x86.addresses import MASK64
from idtviz.x86.descriptors import SystemDescriptor64, TableEntry
from idtviz.x86.gates import Gate32, Gate64, IvtEntry
from idtviz.x86.selectors import Selector

_SEGMENTS = ("cs", "ss", "ds", "es", "fs", "gs")
_FLAT = 0xFFFF_FFFF
_WIDE = 52  # columns from which base and limit fit beside the rest
_TI = 4
_CALL_GATES, _TASK_GATE = (0x4, 0xC), 0x5
_PARAGRAPHS = "Real mode does not look here: a segment begins at sixteen times its selector."


def panel(view: View, before: View | None, width: int) -> Panel:
    """One row for each descriptor; `key` is its selector with RPL 0. Runs of null descriptors are folded."""
    gdt = view.gdt
    title = f"GDT  {gdt.base:#x} · limit {gdt.limit:#x}"
    missing = _missing(view, gdt, width)
    if missing:
        return Panel(title, missing)
    old = before.gdt if before is not None else None
    rows, focus = _rows(view, gdt, old, width)
    if view.mode == "real":
        note = sentence(_PARAGRAPHS, width)
        rows = [*note, *rows]
        focus = None if focus is None else focus + len(note)
    if view.ldt is not None:
        old = before.ldt if before is not None else None
        head = f"LDT  {view.ldt.base:#x} · limit {view.ldt.limit:#x} · selector {view.registers.ldtr.selector:#x}"
        rows.append(line(width, Span(head, Role.TITLE)))
        missing = _missing(view, view.ldt, width)
        local, local_focus = (list(missing), None) if missing else _rows(view, view.ldt, old, width)
        if focus is None and local_focus is not None:
            focus = len(rows) + local_focus
        rows += local
    used = sum(entry.descriptor.value != 0 for entry in gdt.entries)
    return Panel(title, tuple(rows), f"{used} descriptors", focus)


def detail(view: View, selector: int) -> Panel:
    """One descriptor: its bytes, every field with its meaning, and who uses it. Width: 80."""
    return detail_in(view, selector, 80)


def detail_in(view: View, selector: int, width: int) -> Panel:
    """As `detail`, for another width. Bit 2 of `selector` says LDT."""
    found = view.ldt if selector & _TI else view.gdt
    offset = selector & ~7
    if found is None:
        return Panel(f"LDT[{offset // 8}]", sentence("No LDT is loaded.", width, Role.WARNING))
    title = f"{found.name}[{offset // 8}]  {(found.base + offset) & MASK64:#x}"
    missing = _missing(view, found, width)
    if missing:
        return Panel(title, missing)
    entry = next((item for item in found.entries if item.offset <= offset < item.offset + item.size), None)
    if entry is None:
        return Panel(title, sentence(f"Offset {offset:#x} is beyond the limit {found.limit:#x}.", width, Role.BAD))
    address = (found.base + entry.offset) & MASK64
    descriptor = entry.descriptor
    gate = _as_gate(descriptor)
    key = entry.offset | selector & _TI
    rows: list[Row] = [
        line(width, Span(f"selector {key:#x}  ", Role.LABEL), Span(descriptor.summary)),
        *raw_bytes(address, descriptor.encode(), width),
        *structure(descriptor if gate is None else gate, width),
    ]
    users = _users(view).get(key)
    if users:
        rows.append(line(width, Span("used by  ", Role.LABEL), Span(users.removeprefix("← "))))
    if found.long and descriptor.is_code and descriptor.l:
        rows += sentence("64-bit code: base and limit are not used.", width)
    elif descriptor.expand_down:
        rows += sentence("Expands down: the valid offsets lie above the limit.", width)
    return Panel(f"{found.name}[{entry.offset // 8}]  {address:#x}", tuple(rows))


def _as_gate(descriptor: Descriptor) -> Gate32 | Gate64 | None:
    """The gate that a system descriptor is, if it is one."""
    if not descriptor.is_system or not descriptor.value:
        return None
    if isinstance(descriptor, SystemDescriptor64):
        return Gate64(descriptor.value) if descriptor.type in _CALL_GATES else None
    return Gate32(descriptor.value) if descriptor.type in (*_CALL_GATES, _TASK_GATE) else None


def _missing(view: View, found: DescriptorTableView, width: int) -> Rows:
    if view.mode == "real" and not found.entries:
        return sentence(f"{_PARAGRAPHS} LGDT loads a GDT on the way to protected mode.", width)
    if found.raw is None:
        place = f"The {found.name} is not mapped: no page at {found.base:#x}."
        return sentence(f"{place} A delivery that reads a descriptor ends in a page fault.", width, Role.WARNING)
    if not found.entries:
        text = f"There is no {found.name}: the limit {found.limit:#x} leaves no room for a descriptor."
        return sentence(text, width, Role.WARNING)
    return ()


def _rows(
    view: View, found: DescriptorTableView, before: DescriptorTableView | None, width: int
) -> tuple[list[Row], int | None]:
    """The descriptors of one table, and the row of the one that the last step touched."""
    old = {entry.offset: entry.descriptor for entry in before.entries} if before is not None else None
    users = _users(view)
    local = _TI if found.name == "LDT" else 0
    lines: list[Line] = []
    focus = None
    for run in _runs(found.entries):
        entry = run[0]
        lit = touched(view, (found.base + entry.offset) & MASK64, sum(item.size for item in run))
        changed = old is not None and any(old.get(item.offset) != item.descriptor for item in run)
        if lit:
            focus = len(lines)
        extent = _extent(entry, long=found.long) if width >= _WIDE else ""
        text = f"{extent} {users.get(entry.offset | local, '')}".strip()
        lines.append(_line(run, found, text, lit, changed=changed))
    rows = list(table(lines, width, least=6))
    if width < _WIDE:
        rows, focus = _with_extents(rows, found, width, focus)
    if found.limit >= len(found.raw or b""):
        rows.append(line(width, Span(f"beyond {len(found.raw or b''):#x}: not shown", Role.DIM)))
    return rows, focus


def _runs(entries: Sequence[TableEntry]) -> list[list[TableEntry]]:
    """Entries one by one, but null ones together."""
    runs: list[list[TableEntry]] = []
    for entry in entries:
        null = not entry.descriptor.value
        if null and len(runs) > 1 and not runs[-1][0].descriptor.value:
            runs[-1].append(entry)
        else:
            runs.append([entry])
    return runs


def _users(view: View) -> dict[int, str]:
    """For the selector of each descriptor in use: the segment registers, and how many gates lead there."""
    registers = view.registers
    if view.mode == "real":
        return {}
    found: dict[int, list[str]] = {}
    names = _SEGMENTS if view.mode != "vm86" else ()
    for name in (*names, "tr", "ldtr"):
        selector = Selector(getattr(registers, name).selector)
        if not selector.null:
            found.setdefault(selector.value & ~3, []).append(name)
    gates = Counter(gate.selector & ~3 for gate in view.idt.gates if not isinstance(gate, IvtEntry) and gate.present)
    for selector_of_gates, count in gates.items():
        found.setdefault(selector_of_gates, []).append(f"{count} gate{'s' if count > 1 else ''}")
    return {selector: "← " + " ".join(users) for selector, users in found.items()}


def _line(
    run: Sequence[TableEntry], found: DescriptorTableView, users: str, lit: Role | None, *, changed: bool
) -> Line:
    entry = run[0]
    local = _TI if found.name == "LDT" else 0
    descriptor = entry.descriptor
    role = Role.CHANGED if changed else Role.VALUE
    key = entry.offset | local
    offset = Span(f"{key:02x}", Role.ADDRESS)
    if len(run) > 1:
        offset = Span(f"{key:02x}…{run[-1].offset | local:02x}", Role.ADDRESS)
    if not descriptor.value:
        return Line((offset, Span("null", Role.CHANGED if changed else Role.DIM)), lit, changed, key)
    ring = "" if descriptor.is_system else f" ring {descriptor.dpl}"
    flags = [name for name, on in _flags(descriptor, long=found.long) if on]
    known = Role.BAD if "reserved" in descriptor.kind else role
    return Line(
        (
            offset,
            Span(descriptor.kind + ring, known),
            Span(" ".join(flags), role if descriptor.present else Role.BAD),
            Span(users),
        ),
        lit,
        changed,
        key,
    )


def _flags(descriptor: Descriptor, *, long: bool) -> list[tuple[str, bool]]:
    flags = [("P" if descriptor.present else "-", True)]
    if descriptor.is_code:
        flags += [("L", descriptor.l), ("D", descriptor.db), ("C", descriptor.conforming)]
    elif descriptor.is_data:
        flags += [("B", descriptor.db and not long), ("W", descriptor.writable), ("E", descriptor.expand_down)]
    return [*flags, ("A", descriptor.accessed)]


def _extent(entry: TableEntry, *, long: bool) -> str:
    """Base and limit, where they count and are not simply everything; what a gate leads to."""
    descriptor = entry.descriptor
    gate = _as_gate(descriptor)
    if gate is not None:
        return f"→ {gate.selector:02x}" + ("" if descriptor.type == _TASK_GATE else f":{gate.offset:x}")
    if descriptor.is_code and descriptor.l and long:
        return ""
    if not descriptor.is_system and descriptor.base == 0 and descriptor.byte_limit == _FLAT:
        return ""
    return f"base {descriptor.base:x} limit {descriptor.byte_limit:x}"


def _with_extents(
    rows: list[Row], table_view: DescriptorTableView, width: int, focus: int | None
) -> tuple[list[Row], int | None]:
    """The rows, with base and limit on rows of their own."""
    extents = {
        entry.offset: _extent(entry, long=table_view.long) for entry in table_view.entries if entry.descriptor.value
    }
    found: list[Row] = []
    new_focus = None
    for number, each in enumerate(rows):
        if number == focus:
            new_focus = len(found)
        found.append(each)
        extent = extents.get(each.key & ~7) if each.key is not None else None
        if extent:
            found.append(line(width, Span(f"   {extent}"), key=each.key))
    return found, new_focus
