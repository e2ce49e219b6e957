"""The code around RIP: source lines with the instructions of the current one, or plain disassembly."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from idtviz.debugger.disassembly import Instruction
from idtviz.debugger.symbols import Line
from idtviz.debugger.view import View
from idtviz.view.row import Panel, Role, Row, Rows, row

Source = Callable[[str], Sequence[str] | None]
"""The lines of a source file, None where it is not at hand."""

_LINES_AROUND = 40
_SHORTEST_COMMENT = 16
_POINTERS = {64: "RIP", 32: "CS:EIP", 16: "CS:IP"}


def panel(view: View, _before: View | None, width: int, source: Source, breakpoints: Collection[int] = ()) -> Panel:
    """Source where there is some, else disassembly. `breakpoints` are addresses, marked ■."""
    code = view.code
    note = "" if code.bits == 64 else f"{code.bits}-bit code"
    linear = code.linear(code.rip)
    if code.here is None:
        place = f"{code.rip:#x}" if linear == code.rip else f"{_address(view, code.rip)} = {linear:#x}"
        text = f"{_POINTERS[code.bits]} {place} cannot be read: no page is mapped there"
        return Panel("Code", (row((text, Role.BAD)),), note)
    line = view.line(linear)
    text_lines = source(line.file) if line is not None else None
    name = view.name(linear) or f"{linear:#x}"
    if line is not None and text_lines is not None:
        rows, focus = _source(view, line, text_lines, width, breakpoints)
        return Panel(f"Code  {line.file} · {name}", rows, note, focus)
    rows, focus = _disassembly(view, width, breakpoints)
    return Panel(f"Code  {name}", rows, note, focus)


def operand_note(view: View, width: int) -> Rows:
    """What the instruction at RIP is about to touch: `writes 0x600000 (1 byte) ✗ page not present`."""
    access = view.code.access
    if access is None or (view.procedure is not None and view.procedure.active):
        return ()
    operand = access.operand
    verb = "writes" if operand.write else "reads"
    unit = "byte" if operand.size == 1 else "bytes"
    where = f"{operand.address:#x}"
    if operand.address != operand.offset:
        where = f"{operand.segment}:{operand.offset:x} = {where}"
    what = f"       {verb} {where} ({operand.size} {unit})"
    if access.fault is None:
        return (row((f"{what} {view.name(operand.address) or ''}"[:width], Role.DIM)),)
    why = f"✗ {access.why}"
    if len(what) + 1 + len(why) <= width:
        return (row((f"{what} ", Role.TEXT), (why, Role.BAD)),)
    return row((what[:width], Role.TEXT)), row((f"       {why}"[:width], Role.BAD))


def _address(view: View, offset: int) -> str:
    """`0x100000`; with the segment in front where its base is not 0."""
    code = view.code
    if not code.base:
        return f"{offset:#x}"
    return f"{code.selector:04x}:{offset:0{4 if offset <= 0xFFFF else 8}x}"


def _source(view: View, line: Line, lines: Sequence[str], width: int, breakpoints: Collection[int]) -> tuple[Rows, int]:
    here = view.code.here
    assert here is not None
    rows: list[Row] = []
    focus = 0
    by_line: dict[int, list[Instruction]] = {}
    for item in view.code.instructions:
        found = view.line(view.code.linear(item.address))
        if found is not None and found.file == line.file:
            by_line.setdefault(found.number, []).append(item)
    first = max(1, line.number - _LINES_AROUND)
    for number in range(first, min(len(lines), line.number + _LINES_AROUND) + 1):
        text = _fit(lines[number - 1].expandtabs(4), max(0, width - 7))
        items = by_line.get(number, [])
        current = number == line.number
        stops = any(item.address in breakpoints for item in items)
        gutter = ("▶" if current else " ") + ("■" if stops else " ")
        key = items[0].address if items else None
        role = Role.CURRENT if current else Role.SOURCE if items else Role.DIM
        rows.append(
            row(
                (gutter, Role.BAD if stops and not current else Role.CURRENT),
                (f"{number:4} ", Role.DIM),
                (text, role),
                lit=Role.CURRENT if current else None,
                key=key,
            )
        )
        if current:
            focus = len(rows) - 1
            rows += [_instruction(view, item, item is here, width, indent="       ") for item in items]
            if here not in items:
                rows.append(_instruction(view, here, current=True, width=width, indent="       "))
            rows += operand_note(view, width)
    return tuple(rows), focus


def _fit(text: str, room: int) -> str:
    """The line cut to `room`; a comment of which only the beginning would be left goes altogether."""
    if len(text) <= room:
        return text
    comment = max(text.find(" //"), text.find(" # "))
    if text[:comment].strip() and comment > room - _SHORTEST_COMMENT:
        text = text[:comment].rstrip()
    return text if len(text) <= room else text[: max(0, room - 1)] + "…"


def _disassembly(view: View, width: int, breakpoints: Collection[int]) -> tuple[Rows, int]:
    rows: list[Row] = []
    focus = 0
    for item in view.code.instructions:
        current = item is view.code.here
        linear = view.code.linear(item.address)
        symbol = view.symbols.at(linear)
        if symbol is not None and symbol.address == linear and symbol.code:
            rows.append(row((f"  {symbol.name}:", Role.SYMBOL)))
        if current:
            focus = len(rows)
        mark = "▶" if current else " "
        mark += "■" if item.address in breakpoints else " "
        rows.append(_instruction(view, item, current, width, indent=mark, lit=current))
        if current:
            rows += operand_note(view, width)
    return tuple(rows), focus


def _instruction(view: View, item: Instruction, current: bool, width: int, *, indent: str, lit: bool = False) -> Row:
    raw = item.raw.hex(" ")
    if len(raw) > 20:
        raw = raw[:19] + "…"
    target = view.name(view.code.linear(item.target)) if item.target is not None else None
    operands = f"{target}" if target else item.operands
    text = f"{item.mnemonic:<6} {operands}"
    columns = f"{_address(view, item.address)}  "
    if width - len(indent) - len(columns) - 22 >= 24:
        columns += f"{raw:<20}  "
    room = max(8, width - len(indent) - len(columns))
    return row(
        (indent, Role.CURRENT),
        (columns, Role.ADDRESS),
        (text[:room], Role.CURRENT if current else Role.CODE),
        lit=Role.CURRENT if lit else None,
        key=item.address,
    )
