"""Page walks that need not be made again: the paging-structure entries that they went through are as they were."""

from __future__ import annotations

from idtviz.machine.registers import PagingRegisters, Registers
from idtviz.x86 import paging

_MOST = 4096  # walks

_Read = tuple[tuple[int, int, bytes], ...]
"""The entries that a walk has read: physical address, size, bytes."""


class RememberedWalks:
    """The walks of one machine. Each is compared, entry by entry, with memory before it is trusted."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], tuple[paging.Walk, _Read]] = {}

    def walk(
        self, read: paging.Read, at: Registers | PagingRegisters, linear: int, access: paging.Access
    ) -> paging.Walk:
        """As `paging.walk`, with the paging registers of `at`. Raises UnsupportedPagingError."""
        key = (linear, access, at.cr3, at.cr0, at.cr4, at.efer)
        known = self._found.get(key)
        if known is not None and _holds(known[1], read):
            return known[0]
        if len(self._found) >= _MOST:
            self._found.clear()
        found = paging.walk(read, cr0=at.cr0, cr3=at.cr3, cr4=at.cr4, efer=at.efer, linear=linear, access=access)
        raw = ((entry.address, entry.size, entry.value.to_bytes(entry.size, "little")) for entry in found.entries)
        self._found[key] = found, tuple(raw)
        return found


def _holds(known: _Read, read: paging.Read) -> bool:
    for address, size, raw in known:  # noqa: SIM110 -- a generator would cost more than what it does
        if read(address, size) != raw:
            return False
    return True
