"""Page walks that need not be made again: the paging-structure entries that they went through are as they were."""

from __future__ import annotations

from idtviz.machine.registers import PagingRegisters, Registers
from idtviz.x86 import paging

_MOST = 4096  # walks


class RememberedWalks:
    """The walks of one machine. Each is compared, entry by entry, with memory before it is trusted."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], paging.Walk] = {}

    def walk(
        self, read: paging.Read, at: Registers | PagingRegisters, linear: int, access: paging.Access
    ) -> paging.Walk:
        """As `paging.walk`, with the paging registers of `at`. Raises UnsupportedPagingError."""
        key = (linear, access, at.cr3, at.cr0, at.cr4, at.efer)
        known = self._found.get(key)
        if known is not None and _holds(known, read):
            return known
        if len(self._found) >= _MOST:
            self._found.clear()
        found = paging.walk(read, cr0=at.cr0, cr3=at.cr3, cr4=at.cr4, efer=at.efer, linear=linear, access=access)
        self._found[key] = found
        return found


def _holds(known: paging.Walk, read: paging.Read) -> bool:
    return all(int.from_bytes(read(entry.address, entry.size), "little") == entry.value for entry in known.entries)
