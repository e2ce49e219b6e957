"""The page tables in which an image is entered in long mode (SDM 3A 4.5).

The first GiB is mapped to itself by pages of 2 MiB. A part of the image that is linked elsewhere is mapped there as
well: by pages of 2 MiB where the two addresses agree in their lowest 21 bits, else by pages of 4 KiB.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from idtviz.machine.boot.problem import ImageError
from idtviz.machine.memory import PAGE, Memory
from idtviz.x86.addresses import is_canonical

IDENTITY: Final = 1 << 30
"""Bytes from address 0 on that are mapped to themselves."""
IDENTITY_TABLES: Final = 3
"""PML4, PDPT and page directory of these."""

_PRESENT_WRITABLE, _LARGE = 0x3, 0x80
_LARGE_SIZE = 1 << 21
_SHIFTS = (39, 30, 21, 12)

_Table = dict[int, int]


class Window(NamedTuple):
    """`size` bytes of physical memory that are to be seen at another linear address."""

    linear: int
    physical: int
    size: int


def size(windows: Iterable[Window] = ()) -> int:
    """Bytes that the tables take. Raises ImageError for windows that no tables can show."""
    return len(_entries(windows)) * PAGE


def write(memory: Memory, windows: Iterable[Window] = ()) -> int:
    """Write the tables to the top of RAM; returns the physical address of the PML4.

    The tables of the identity map are the last three pages; those of the windows lie below.
    """
    tables = _entries(windows)
    first = memory.size - IDENTITY_TABLES * PAGE
    places = {
        key: first + index * PAGE if index < IDENTITY_TABLES else first - (index - IDENTITY_TABLES + 1) * PAGE
        for index, key in enumerate(tables)
    }
    for key, table in tables.items():
        raw = bytearray(PAGE)
        for index, entry in table.items():
            raw[index * 8 : index * 8 + 8] = entry.to_bytes(8, "little")
        for child in tables:
            if child and child[:-1] == key:
                raw[child[-1] * 8 : child[-1] * 8 + 8] = (places[child] | _PRESENT_WRITABLE).to_bytes(8, "little")
        memory.write(places[key], bytes(raw))
    return first


def _entries(windows: Iterable[Window]) -> dict[tuple[int, ...], _Table]:
    """The pages that each table maps, by the indices that lead to the table; a table's own place is not known yet."""
    pages = {index: index * _LARGE_SIZE | _LARGE | _PRESENT_WRITABLE for index in range(IDENTITY // _LARGE_SIZE)}
    tables: dict[tuple[int, ...], _Table] = {(): {}, (0,): {}, (0, 0): pages}
    for window in windows:
        _add(tables, window)
    return tables


def _add(tables: dict[tuple[int, ...], _Table], window: Window) -> None:
    last = window.linear + window.size - 1
    if not (is_canonical(window.linear) and is_canonical(last)) or window.linear >> 47 != last >> 47:
        raise ImageError(f"a segment is linked at {window.linear:#x} to {last:#x}, which is not canonical")
    distance = window.physical - window.linear
    if distance % PAGE:
        raise ImageError(
            f"a segment linked at {window.linear:#x} lies at {window.physical:#x}; expected the same offset in a page"
        )
    large = not distance % _LARGE_SIZE
    step = _LARGE_SIZE if large else PAGE
    for linear in range(window.linear & -step, last + 1, step):
        physical = linear + distance
        *path, index = (linear >> shift & 511 for shift in _SHIFTS[: 3 if large else 4])
        for depth in range(1, len(path) + 1):
            above = tables.get(tuple(path[: depth - 1]), {})
            tables.setdefault(tuple(path[:depth]), {})
            if path[depth - 1] in above:
                raise _conflict(linear)
        entry = physical | (_LARGE if large else 0) | _PRESENT_WRITABLE
        table = tables[tuple(path)]
        if table.get(index, entry) != entry or (*path, index) in tables:
            raise _conflict(linear)
        table[index] = entry


def _conflict(linear: int) -> ImageError:
    return ImageError(f"two segments are linked in the page at {linear:#x}, and lie in different pages of memory")
