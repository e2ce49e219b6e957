"""The GDT panel: descriptors by offset, and one of them bit by bit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from idtviz.debugger.view import View
from idtviz.view.layout import Line, line, raw_bytes, sentence, structure, table, touched
from idtviz.view.row import Panel, Role, Row, Rows, Span
from idtviz.x86.addresses import MASK64
from idtviz.x86.descriptors import TableEntry

_NAMES = ("cs", "ss", "ds", "es", "fs", "gs")
_FLAT = 0xFFFF_FFFF
_WIDE = 52  # columns from which base and limit fit beside the rest


def panel(view: View, before: View | None, width: int) -> Panel:
    """One row for each descriptor; `key` is its offset. Runs of null descriptors are folded."""
    gdt = view.gdt
    title = f"GDT  {gdt.base:#x} · limit {gdt.limit:#x}"
    missing = _missing(view, width)
    if missing:
        return Panel(title, missing)
    old = {entry.offset: entry.descriptor for entry in before.gdt.entries} if before is not None else None
    users = _users(view)
    lines: list[Line] = []
    focus = None
    for run in _runs(gdt.entries):
        entry = run[0]
        lit = touched(view, (gdt.base + entry.offset) & MASK64, sum(item.size for item in run))
        changed = old is not None and any(old.get(item.offset) != item.descriptor for item in run)
        if lit:
            focus = len(lines)
        extent = _extent(entry) if width >= _WIDE else ""
        lines.append(_line(run, f"{extent} {users.get(entry.offset, '')}".strip(), lit, changed=changed))
    rows = list(table(lines, width, least=6))
    if width < _WIDE:
        rows, focus = _with_extents(rows, gdt.entries, width, focus)
    if gdt.limit >= len(gdt.raw or b""):
        rows.append(line(width, Span(f"beyond {len(gdt.raw or b''):#x}: not shown", Role.DIM)))
    used = sum(entry.descriptor.value != 0 for entry in gdt.entries)
    return Panel(title, tuple(rows), f"{used} descriptors", focus)


def detail(view: View, offset: int) -> Panel:
    """One descriptor: its bytes, every field with its meaning, and who uses it. Width: 80."""
    return detail_in(view, offset, 80)


def detail_in(view: View, offset: int, width: int) -> Panel:
    """As `detail`, for another width."""
    gdt = view.gdt
    address = (gdt.base + offset) & MASK64
    title = f"GDT[{offset // 8}]  {address:#x}"
    missing = _missing(view, width)
    if missing:
        return Panel(title, missing)
    entry = next((item for item in gdt.entries if item.offset <= offset < item.offset + item.size), None)
    if entry is None:
        return Panel(title, sentence(f"Offset {offset:#x} is beyond the limit {gdt.limit:#x}.", width, Role.BAD))
    address = (gdt.base + entry.offset) & MASK64
    descriptor = entry.descriptor
    rows: list[Row] = [
        line(width, Span(f"selector {entry.offset:#x}  ", Role.LABEL), Span(descriptor.summary)),
        *raw_bytes(address, descriptor.encode(), width),
        *structure(descriptor, width),
    ]
    users = _users(view).get(entry.offset)
    if users:
        rows.append(line(width, Span("used by  ", Role.LABEL), Span(users.removeprefix("← "))))
    if descriptor.is_code and descriptor.l:
        rows += sentence("64-bit code: base and limit are not used.", width)
    return Panel(f"GDT[{entry.offset // 8}]  {address:#x}", tuple(rows))


def _missing(view: View, width: int) -> Rows:
    gdt = view.gdt
    if gdt.raw is None:
        text = (
            f"The GDT is not mapped: no page at {gdt.base:#x}. A delivery that reads a descriptor ends in a page fault."
        )
        return sentence(text, width, Role.WARNING)
    if not gdt.entries:
        return sentence(
            f"There is no GDT: the limit {gdt.limit:#x} leaves no room for a descriptor.", width, Role.WARNING
        )
    return ()


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
    """For the offset of each descriptor that is in use: the segment registers, and how many gates lead there."""
    registers = view.registers
    found: dict[int, list[str]] = {}
    selectors = [(name, getattr(registers, name).selector) for name in _NAMES]
    for name, selector in (*selectors, ("tr", registers.tr.selector), ("ldtr", registers.ldtr.selector)):
        if selector & ~3 and not selector & 4:
            found.setdefault(selector & ~7, []).append(name)
    gates = Counter(gate.selector & ~7 for gate in view.idt.gates if gate.present and not gate.selector & 4)
    for offset, count in gates.items():
        found.setdefault(offset, []).append(f"{count} gate{'s' if count > 1 else ''}")
    return {offset: "← " + " ".join(names) for offset, names in found.items()}


def _line(run: Sequence[TableEntry], users: str, lit: Role | None, *, changed: bool) -> Line:
    entry = run[0]
    descriptor = entry.descriptor
    role = Role.CHANGED if changed else Role.VALUE
    offset = Span(f"{entry.offset:02x}", Role.ADDRESS)
    if len(run) > 1:
        offset = Span(f"{entry.offset:02x}…{run[-1].offset:02x}", Role.ADDRESS)
    if not descriptor.value:
        return Line((offset, Span("null", Role.CHANGED if changed else Role.DIM)), lit, changed, entry.offset)
    ring = "" if descriptor.is_system else f" ring {descriptor.dpl}"
    present = "P" if descriptor.present else "-"
    flags = [present]
    if descriptor.is_code:
        flags += [name for name, on in (("L", descriptor.l), ("D", descriptor.db), ("C", descriptor.conforming)) if on]
    elif descriptor.is_data:
        flags += [name for name, on in (("W", descriptor.writable), ("E", descriptor.expand_down)) if on]
    if descriptor.accessed:
        flags.append("A")
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
        entry.offset,
    )


def _extent(entry: TableEntry) -> str:
    """Base and limit, where they count and are not simply everything."""
    descriptor = entry.descriptor
    if descriptor.is_code and descriptor.l:
        return ""
    if not descriptor.is_system and descriptor.base == 0 and descriptor.byte_limit == _FLAT:
        return ""
    return f"base {descriptor.base:x} limit {descriptor.byte_limit:x}"


def _with_extents(
    rows: list[Row], entries: Sequence[TableEntry], width: int, focus: int | None
) -> tuple[list[Row], int | None]:
    """The rows, with base and limit on rows of their own."""
    extents = {entry.offset: _extent(entry) for entry in entries if entry.descriptor.value}
    found: list[Row] = []
    new_focus = None
    for number, each in enumerate(rows):
        if number == focus:
            new_focus = len(found)
        found.append(each)
        extent = extents.get(each.key) if each.key is not None else None
        if extent:
            found.append(line(width, Span(f"   {extent}"), key=each.key))
    return found, new_focus
