"""The names of a program, by address and by name."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import NamedTuple

from idtviz.debugger.symbols.readable import written
from idtviz.debugger.symbols.symbol import Symbol

REACH = 1 << 16
"""Bytes behind a symbol without a size that still count as belonging to it, where its section does not end before."""

_LOOK_BACK = 32  # symbols in front of the nearest one that may reach over it


class Named(NamedTuple):
    """A symbol as its file has it. Named tuples sort and are made quickly: there are many.

    `rank` tells which of several names of one address is the best: the least. `end` is the address behind the last byte
    that the symbol stands for. `listed`: the value is an address of the program, so that addresses may be called so.
    """

    address: int
    rank: int
    name: str
    size: int
    end: int
    code: bool
    listed: bool = True

    @property
    def symbol(self) -> Symbol:
        """The symbol as others see it."""
        return Symbol(self.name, self.address, self.size, self.code)


class Names:
    """Looks up names by address and addresses by name. Nothing is read before the first question."""

    def __init__(self, read: Callable[[], Iterable[Named]]) -> None:
        self._read = read

    @cached_property
    def known(self) -> list[Named]:
        """All of them, by address, the best of each address first."""
        return sorted(self._read(), key=_order)

    @cached_property
    def listed(self) -> list[Named]:
        """The best name of each address."""
        best: dict[int, Named] = {}
        for entry in self.known:
            if entry.listed:
                best.setdefault(entry.address, entry)
        return list(best.values())

    @cached_property
    def _addresses(self) -> list[int]:
        return [entry.address for entry in self.listed]

    @cached_property
    def _by_name(self) -> dict[str, Named]:
        return {entry.name: entry for entry in reversed(self.known)}

    @cached_property
    def _data(self) -> list[int]:
        return [entry.address for entry in self.listed if not entry.code]

    def address_of(self, name: str) -> int | None:
        """The address of a symbol: by its name in the file, else by its readable name or the end of that, if unique."""
        found = self._by_name.get(name)
        if found is not None:
            return found.address
        addresses = {self._by_name[each].address for each in written(self._by_name, name)}
        return addresses.pop() if len(addresses) == 1 else None

    def at(self, address: int) -> Symbol | None:
        """The symbol whose bytes hold `address`.

        The nearest below, if its size or the end of its section does not end it; else one with a size that reaches over
        what lies between.
        """
        place = bisect.bisect_right(self._addresses, address) - 1
        for back in range(place, max(-1, place - _LOOK_BACK), -1):
            entry = self.listed[back]
            if entry.address == address or (address < entry.end and (back == place or entry.size)):
                return entry.symbol
        return None

    def next_data(self, address: int) -> int | None:
        """Where the first symbol above `address` begins that is not code."""
        place = bisect.bisect_right(self._data, address)
        return self._data[place] if place < len(self._data) else None


def _order(entry: Named) -> tuple[int, int, int, int]:
    name = entry.name
    return entry.address, entry.rank, -entry.size, len(name) - len(name.lstrip("_"))
