"""Taking room in memory, one thing behind the other."""

from __future__ import annotations

from typing import Final

from idtviz.machine.objects.limits import LARGEST_IN_MEMORY
from idtviz.machine.objects.problem import ObjectError

PAGE: Final = 4096


class Room:
    """Memory from `base` up. `at` is the address behind all that has been taken."""

    def __init__(self, base: int, bits: int) -> None:
        self._base = base
        self._limit = min(base + LARGEST_IN_MEMORY, 1 << bits)
        self.at = up(base, PAGE)

    def take(self, size: int, alignment: int = 1) -> int:
        """The address of `size` bytes. Raises ObjectError where that is too much."""
        found = up(self.at, alignment)
        if found + size > self._limit:
            most = self._limit - self._base
            raise ObjectError(
                f"the program needs {found + size - self._base:#x} bytes of memory; expected at most {most:#x}"
            )
        self.at = found + size
        return found

    def page(self) -> None:
        """Go on with a new page: what follows may be protected in another way."""
        self.at = up(self.at, PAGE)


def up(address: int, alignment: int) -> int:
    """The next address that is a multiple of `alignment`."""
    return -(-address // alignment) * alignment
