"""The addresses of a unit: `.debug_aranges`, `.debug_ranges` (DWARF 2 to 4) and `.debug_rnglists` (DWARF 5, 2.17.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from idtviz.debugger.symbols.dwarf.cursor import Cursor, DwarfError
from idtviz.debugger.symbols.dwarf.forms import Encoding
from idtviz.debugger.symbols.dwarf.sections import DwarfSections

_MOST_RANGES = 1 << 14  # of one unit
_MOST_SETS = 1 << 17
_END, _BASE_INDEX, _INDEX_INDEX, _INDEX_LENGTH, _OFFSETS, _BASE, _BEGIN_END, _BEGIN_LENGTH = range(8)  # DW_RLE_*

Range = tuple[int, int]
"""The first address, and the one behind the last."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses that a unit names by index. `base`: where its part of `.debug_addr` begins."""

    sections: DwarfSections
    base: int
    encoding: Encoding

    def at(self, index: int) -> int:
        """The address with that index. Raises DwarfError."""
        size = self.encoding.address_size
        raw = self.sections.get(".debug_addr")
        return Cursor(raw, self.base + index * size, self.sections.order).number(size)


def of_version_4(addresses: Addresses, offset: int, base: int) -> Iterator[Range]:
    """The list at `offset` of `.debug_ranges`; `base` is the unit's lowest address."""
    size = addresses.encoding.address_size
    highest = (1 << 8 * size) - 1
    cursor = Cursor(addresses.sections.get(".debug_ranges"), offset, addresses.sections.order)
    for _ in range(_MOST_RANGES):
        begin, end = cursor.number(size), cursor.number(size)
        if not begin and not end:
            return
        if begin == highest:
            base = end
        elif begin < end:
            yield base + begin, base + end


def list_offset(addresses: Addresses, base: int, index: int) -> int:
    """Where the list with that index begins in `.debug_rnglists`. Raises DwarfError."""
    size = addresses.encoding.offset_size
    raw = addresses.sections.get(".debug_rnglists")
    return base + Cursor(raw, base + index * size, addresses.sections.order).number(size)


def of_version_5(addresses: Addresses, offset: int, base: int) -> Iterator[Range]:
    """The list at `offset` of `.debug_rnglists`; `base` is the unit's lowest address."""
    size = addresses.encoding.address_size
    cursor = Cursor(addresses.sections.get(".debug_rnglists"), offset, addresses.sections.order)
    for _ in range(_MOST_RANGES):
        kind = cursor.number(1)
        if kind == _END:
            return
        if kind == _BASE_INDEX:
            base = addresses.at(cursor.leb128())
            continue
        if kind == _BASE:
            base = cursor.number(size)
            continue
        if kind == _OFFSETS:
            begin, end = base + cursor.leb128(), base + cursor.leb128()
        elif kind == _BEGIN_END:
            begin, end = cursor.number(size), cursor.number(size)
        elif kind == _BEGIN_LENGTH:
            begin = cursor.number(size)
            end = begin + cursor.leb128()
        elif kind in (_INDEX_INDEX, _INDEX_LENGTH):
            begin, last = addresses.at(cursor.leb128()), cursor.leb128()
            end = addresses.at(last) if kind == _INDEX_INDEX else begin + last
        else:
            raise DwarfError(f"unknown kind of range {kind}")
        if begin < end:
            yield begin, end


def of_sets(sections: DwarfSections) -> dict[int, list[Range]]:
    """The ranges of `.debug_aranges`, by the offset of their unit (DWARF 5, 6.1.2), up to what is broken."""
    raw = sections.get(".debug_aranges")
    found: dict[int, list[Range]] = {}
    cursor = Cursor(raw, 0, sections.order)
    try:
        for _ in range(_MOST_SETS):
            start = cursor.at
            following, offset_size = cursor.unit_length()
            cursor.take(2)  # the version
            unit = cursor.number(offset_size)
            size, segments = cursor.number(1), cursor.number(1)
            if size not in (2, 4, 8) or segments:
                cursor.at = following
                continue
            cursor.at += -(cursor.at - start) % (2 * size)
            listed = found.setdefault(unit, [])
            while cursor.at < following and len(listed) < _MOST_RANGES:
                begin, length = cursor.number(size), cursor.number(size)
                if not begin and not length:
                    break
                listed.append((begin, begin + length))
            cursor.at = following
    except DwarfError:
        return found
    return found
