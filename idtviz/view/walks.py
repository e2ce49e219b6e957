"""A page walk bit by bit: how the linear address in a register becomes a physical one."""

from __future__ import annotations

from idtviz.debugger.view import View
from idtviz.view.layout import line, printable, raw_bytes, sentence, structure
from idtviz.view.row import Panel, Role, Row, Span
from idtviz.x86.paging import PageEntry, Walk


def detail(view: View, linear: int) -> Panel | None:
    """The walk of `linear`, one of the addresses that the view has walked; None for any other. Width: 80."""
    return detail_in(view, linear, 80)


def detail_in(view: View, linear: int, width: int) -> Panel | None:
    """As `detail`, for another width."""
    walk = next((found for found in view.paging if found.linear == linear), None)
    if walk is None:
        return None
    name = view.name(linear)
    rows: list[Row] = [line(width, Span("linear   ", Role.LABEL), Span(f"{linear:#x} {printable(name or '')}"))]
    if not walk.entries:
        rows += sentence("Paging is off: the physical address is the linear one.", width)
    else:
        mode = f" · {walk.entries[0].mode.value}"
        rows.append(line(width, Span("CR3      ", Role.LABEL), Span(f"{view.registers.cr3:#x}", Role.VALUE), mode))
    for entry in walk.entries:
        rows += _entry(entry, width)
    rows.append(Row())
    rows += _end(walk, width)
    return Panel(f"Page walk of {linear:#x}", tuple(rows))


def _entry(entry: PageEntry, width: int) -> list[Row]:
    """One entry: where it was read, its bytes and every field."""
    index = entry.address % 4096 // entry.size
    place = f"{entry.level.name}[{index:#x}]"
    head = line(width, Span(f"{place}  ", Role.TITLE), Span("at physical address", Role.DIM))
    found = entry.structure
    return [Row(), head, *raw_bytes(entry.address, found.encode(), width), *structure(found, width)]


def _end(walk: Walk, width: int) -> tuple[Row, ...]:
    if walk.fault is not None:
        return sentence(f"✗ page fault: {walk.fault.explain()}", width, Role.BAD)
    rights = ["writable" if walk.writable else "read-only", "user" if walk.user else "supervisor"]
    rights += ["no execute"] if walk.nx else []
    text = f"{walk.physical:#x}"
    if walk.entries:
        text += f" in a page of {_size(walk.page_size)}: {', '.join(rights)}"
    return (line(width, Span("physical ", Role.LABEL), Span(text, Role.VALUE)),)


def _size(size: int) -> str:
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size // unit} {name}"
    return f"{size} bytes"
