"""One instruction on a row: its address, bytes and text, with names for the addresses in it."""

from __future__ import annotations

import re

from idtviz.debugger.disassembly import Instruction
from idtviz.debugger.view import View
from idtviz.view.fitting import clip, fitted
from idtviz.view.layout import printable
from idtviz.view.row import Role, Row, Rows, Span, row

_BYTES = 20  # columns for the bytes, where there is room for them
_LEAST_TEXT = 24
_RELATIVE = re.compile(r"\[rip ([+-]) (0x[0-9a-f]+|\d+)\]")
_CONSTANT = re.compile(r"(?:^|[\s,\[])(0x[0-9a-f]{4,16})\]?$")


def instruction(
    view: View,
    item: Instruction,
    current: bool,
    width: int,
    *,
    indent: str,
    lit: bool = False,
    flag: Span | None = None,
) -> Row:
    """The row; `key` is the instruction's offset in CS. Bytes are left out where there is little room.

    `flag`: a sign for the column behind the address.
    """
    raw = item.raw.hex(" ")
    if len(raw) > _BYTES:
        raw = clip(raw, _BYTES)
    target = view.name(view.code.linear(item.target)) if item.target is not None else None
    text = f"{item.mnemonic:<6} {printable(target) if target else item.operands}"
    address, columns = address_text(view, item.address), " "
    if width - len(indent) - len(address) - _BYTES - 4 >= _LEAST_TEXT:
        columns += f"{raw:<{_BYTES}}  "
    room = max(8, width - len(indent) - len(address) - 1 - len(columns))
    name = _operand_name(view, item)
    fits = name and len(text) + len(name) + 2 <= room
    return row(
        (indent, Role.CURRENT),
        (address, Role.ADDRESS),
        flag or Span(" ", Role.ADDRESS),
        (columns, Role.ADDRESS),
        (clip(text, room), Role.CURRENT if current else Role.CODE),
        *(((f"  {name}", Role.SYMBOL),) if fits else ()),
        lit=Role.CURRENT if lit else None,
        key=item.address,
    )


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
    name = printable(view.name(operand.address) or "")
    if access.fault is None:
        return (fitted(row((what, Role.DIM), (f" {name}" if name else "", Role.DIM)), width),)
    why = f"✗ {access.why}"
    if name and len(what) + len(name) + len(why) + 2 <= width:
        what += f" {name}"
    if len(what) + 1 + len(why) <= width:
        return (row((f"{what} ", Role.TEXT), (why, Role.BAD)),)
    return fitted(row((what, Role.TEXT)), width), fitted(row((f"       {why}", Role.BAD)), width)


def address_text(view: View, offset: int) -> str:
    """`0x100000`; with the segment in front where its base is not 0."""
    code = view.code
    if not code.base:
        return f"{offset:#x}"
    return f"{code.selector:04x}:{offset:0{4 if offset <= 0xFFFF else 8}x}"


def _operand_name(view: View, item: Instruction) -> str:
    """The symbol at an address in the instruction: one relative to RIP, or a constant that is exactly a symbol's."""
    if item.target is not None:
        return ""
    relative = _RELATIVE.search(item.operands)
    if relative is not None:
        distance = int(relative[2], 0)
        address = item.end + distance if relative[1] == "+" else item.end - distance
        return printable(view.name(address) or "")
    constant = _CONSTANT.search(item.operands)
    if constant is None:
        return ""
    symbol = view.symbols.at(int(constant[1], 16))
    return printable(symbol.shown) if symbol is not None and symbol.address == int(constant[1], 16) else ""
