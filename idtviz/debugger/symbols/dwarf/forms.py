"""The forms in which attributes and file tables hold their values (DWARF 5, 7.5.6)."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.debugger.symbols.dwarf.cursor import Cursor, DwarfError, text_at
from idtviz.debugger.symbols.dwarf.sections import DwarfSections

ADDR, INDIRECT, IMPLICIT_CONST = 0x01, 0x16, 0x21
STRING, STRP, LINE_STRP = 0x08, 0x0E, 0x1F
STRX, ADDRX, RNGLISTX = 0x1A, 0x1B, 0x23

_FIXED = {
    form: size
    for size, of_size in {
        1: (0x0B, 0x0C, 0x11, 0x25, 0x29),
        2: (0x05, 0x12, 0x26, 0x2A),
        3: (0x27, 0x2B),
        4: (0x06, 0x13, 0x1C, 0x28, 0x2C),
        8: (0x07, 0x14, 0x20, 0x24),
    }.items()
    for form in of_size
}
_OFFSETS = frozenset((STRP, 0x17, 0x10, 0x1D, LINE_STRP, 0x1F20, 0x1F21))
_LEB128 = frozenset((0x0D, 0x0F, 0x15, STRX, ADDRX, 0x22, RNGLISTX))
_BLOCKS = {0x0A: 1, 0x03: 2, 0x04: 4}
_BLOCK, _EXPRLOC, _FLAG_PRESENT, _DATA16 = 0x09, 0x18, 0x19, 0x1E
_STRX_FIXED, _ADDRX_FIXED = frozenset((0x25, 0x26, 0x27, 0x28)), frozenset((0x29, 0x2A, 0x2B, 0x2C))


@dataclass(frozen=True, slots=True)
class Encoding:
    """How many bytes offsets and addresses of a unit have."""

    offset_size: int
    address_size: int
    version: int


Value = int | bytes


def read(cursor: Cursor, form: int, encoding: Encoding) -> Value:
    """The value that stands at the cursor: a number, an offset, an index, or bytes. Raises DwarfError."""
    if form in _FIXED:
        return cursor.number(_FIXED[form])
    if form in _OFFSETS:
        return cursor.number(encoding.offset_size)
    if form == STRING:
        return cursor.text()
    if form in _LEB128:
        return cursor.leb128()
    if form == ADDR:
        return cursor.number(encoding.address_size)
    if form == _FLAG_PRESENT:
        return 1
    if form == _DATA16:
        return cursor.take(16)
    if form in (_BLOCK, _EXPRLOC):
        return cursor.take(cursor.leb128())
    if form in _BLOCKS:
        return cursor.take(cursor.number(_BLOCKS[form]))
    raise DwarfError(f"unknown form {form:#x}")


def is_text_index(form: int) -> bool:
    """Whether the value is an index of `.debug_str_offsets`."""
    return form == STRX or form in _STRX_FIXED


def is_address_index(form: int) -> bool:
    """Whether the value is an index of `.debug_addr`."""
    return form == ADDRX or form in _ADDRX_FIXED


def text(sections: DwarfSections, form: int, value: Value) -> str:
    """The text that a value of one of the forms of texts stands for; an empty one for others."""
    if isinstance(value, bytes):
        return value.decode(errors="replace") if form == STRING else ""
    if form == STRP:
        return text_at(sections.get(".debug_str"), value)
    return text_at(sections.get(".debug_line_str"), value) if form == LINE_STRP else ""
