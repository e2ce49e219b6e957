"""Compiled files: what the first entry of each unit of `.debug_info` says, and which addresses are its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from idtviz.debugger.symbols.dwarf import forms, ranges
from idtviz.debugger.symbols.dwarf.cursor import Cursor, DwarfError, text_at
from idtviz.debugger.symbols.dwarf.forms import Encoding, Value
from idtviz.debugger.symbols.dwarf.sections import DwarfSections

_NAME, _STMT_LIST, _LOW_PC, _HIGH_PC, _COMP_DIR, _RANGES = 0x03, 0x10, 0x11, 0x12, 0x1B, 0x55
_STR_OFFSETS_BASE, _ADDR_BASE, _RNGLISTS_BASE = 0x72, 0x73, 0x74
_COMPILE, _PARTIAL, _SKELETON = 1, 3, 4  # DW_UT_*
_MOST_UNITS = 1 << 17
_MOST_ABBREVIATIONS = 512  # in front of that of the first entry
_MOST_ATTRIBUTES = 128

_Attributes = dict[int, tuple[int, Value]]


@dataclass(frozen=True, slots=True)
class Unit:
    """A compiled file. `lines`: the offset of its line program in `.debug_line`."""

    offset: int
    encoding: Encoding
    name: str
    folder: str
    lines: int
    ranges: tuple[tuple[int, int], ...]
    """Addresses, each range up to its second number; none where the unit does not say."""


def units(sections: DwarfSections) -> Iterator[Unit]:
    """The units that have a line program; what cannot be read is left out."""
    info = sections.get(".debug_info")
    at = 0
    for _ in range(_MOST_UNITS):
        cursor = Cursor(info, at, sections.order)
        try:
            following, offset_size = cursor.unit_length()
        except DwarfError:
            return
        cursor.end = min(following, cursor.end)
        try:
            unit = _unit(sections, cursor, at, offset_size)
        except DwarfError:
            unit = None
        if unit is not None:
            yield unit
        at = following


def _unit(sections: DwarfSections, cursor: Cursor, offset: int, offset_size: int) -> Unit | None:
    version = cursor.number(2)
    if not 2 <= version <= 5:
        return None
    if version == 5:
        kind, address_size = cursor.number(1), cursor.number(1)
        abbreviations = cursor.number(offset_size)
        if kind not in (_COMPILE, _PARTIAL, _SKELETON):
            return None
        if kind == _SKELETON:
            cursor.take(8)
    else:
        abbreviations, address_size = cursor.number(offset_size), cursor.number(1)
    if address_size not in (2, 4, 8):
        return None
    encoding = Encoding(offset_size, address_size, version)
    found = _attributes(sections, cursor, abbreviations, encoding)
    _, lines = found.get(_STMT_LIST, (0, None))
    if not isinstance(lines, int):
        return None
    name, folder = _text(sections, found, _NAME, encoding), _text(sections, found, _COMP_DIR, encoding)
    return Unit(offset, encoding, name, folder, lines, _ranges(sections, found, encoding))


def _attributes(sections: DwarfSections, cursor: Cursor, abbreviations: int, encoding: Encoding) -> _Attributes:
    """The attributes of the first entry, by number, with their forms."""
    found: _Attributes = {}
    for attribute, form, constant in _abbreviation(sections, abbreviations, cursor.leb128()):
        if form == forms.INDIRECT:
            form = cursor.leb128()  # noqa: PLW2901 -- the form stands in front of the value
        found[attribute] = form, constant if constant is not None else forms.read(cursor, form, encoding)
    return found


def _abbreviation(sections: DwarfSections, at: int, wanted: int) -> list[tuple[int, int, int | None]]:
    """Attribute, form and constant of what the abbreviation with the number `wanted` describes."""
    cursor = Cursor(sections.get(".debug_abbrev"), at, sections.order)
    for _ in range(_MOST_ABBREVIATIONS):
        code = cursor.leb128()
        if not code:
            break
        cursor.leb128()  # the tag
        cursor.number(1)  # whether there are children
        described = []
        for _ in range(_MOST_ATTRIBUTES):
            attribute, form = cursor.leb128(), cursor.leb128()
            constant = cursor.leb128() if form == forms.IMPLICIT_CONST else None
            if not attribute and not form:
                break
            described.append((attribute, form, constant))
        if code == wanted:
            return described
    raise DwarfError(f"no abbreviation {wanted}")


def _text(sections: DwarfSections, found: _Attributes, attribute: int, encoding: Encoding) -> str:
    form, value = found.get(attribute, (0, b""))
    if forms.is_text_index(form) and isinstance(value, int):
        raw, size = sections.get(".debug_str_offsets"), encoding.offset_size
        at = _base(found, _STR_OFFSETS_BASE, 2 * size) + value * size
        return text_at(sections.get(".debug_str"), Cursor(raw, at, sections.order).number(size))
    return forms.text(sections, form, value)


def _base(found: _Attributes, attribute: int, default: int) -> int:
    _, value = found.get(attribute, (0, default))
    return value if isinstance(value, int) else default


def _ranges(sections: DwarfSections, found: _Attributes, encoding: Encoding) -> tuple[tuple[int, int], ...]:
    addresses = ranges.Addresses(sections, _base(found, _ADDR_BASE, 8), encoding)
    form, low = found.get(_LOW_PC, (forms.ADDR, 0))
    begin = addresses.at(low) if forms.is_address_index(form) and isinstance(low, int) else low
    if not isinstance(begin, int):
        return ()
    form, listed = found.get(_RANGES, (0, None))
    if isinstance(listed, int):
        if encoding.version < 5:
            return tuple(ranges.of_version_4(addresses, listed, begin))
        if form == forms.RNGLISTX:
            listed = ranges.list_offset(addresses, _base(found, _RNGLISTS_BASE, 12), listed)
        return tuple(ranges.of_version_5(addresses, listed, begin))
    form, high = found.get(_HIGH_PC, (0, None))
    if not isinstance(high, int):
        return ()
    end = addresses.at(high) if forms.is_address_index(form) else high if form == forms.ADDR else begin + high
    return ((begin, end),) if begin < end else ()
