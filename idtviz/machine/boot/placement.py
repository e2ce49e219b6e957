"""Where a loader puts what it brings beside the kernel: out of the kernel's way, and in RAM."""

from __future__ import annotations

from typing import Final

from idtviz.machine.boot.image import Image, Part, shown
from idtviz.machine.boot.problem import ImageError
from idtviz.machine.firmware import memory_map

LOW: Final = 0x1000
"""The first page has the interrupt vector table and the data of the BIOS."""
FOUR_GIB: Final = 1 << 32

_LOW_MEMORY = range(LOW, memory_map.EXTENDED_BIOS_DATA)
_HIGH_MEMORY = range(memory_map.EXTENDED_MEMORY, FOUR_GIB)


class Placement:
    """The memory that is taken, as things are placed one after the other.

    How much RAM the machine has is not asked here: `end` tells how much all of it needs.
    """

    def __init__(self, image: Image, *, strict: bool) -> None:
        """`strict`: the image has to lie where the memory map has usable RAM, as GRUB wants it; QEMU does not ask.

        Raises ImageError.
        """
        for part in image.parts:
            if part.end > FOUR_GIB or (strict and not _is_usable(part)):
                raise ImageError(
                    f"a segment lies at {shown(part)}; expected usable memory: below {_LOW_MEMORY.stop:#x}, "
                    f"or from {_HIGH_MEMORY.start:#x} to 4 GiB"
                )
        self._taken = sorted((part.address, part.end) for part in image.parts)
        self._image_end = image.end

    @property
    def end(self) -> int:
        """The address behind everything that has been placed, and behind low memory."""
        return max(memory_map.EXTENDED_MEMORY, *(end for _, end in self._taken))

    def low(self, size: int, alignment: int = 16, start: int = LOW) -> int:
        """Room in low memory, from `start` up; behind the image where there is none. Raises ImageError."""
        found = self._find(range(start, _LOW_MEMORY.stop), size, alignment)
        return self.high(size, alignment) if found is None else self._take(found, size)

    def high(self, size: int, alignment: int, limit: int = FOUR_GIB) -> int:
        """Room above 1 MiB and behind the image. Raises ImageError."""
        start = max(_HIGH_MEMORY.start, self._image_end)
        found = self._find(range(start, limit), size, alignment)
        if found is None:
            raise ImageError(f"there is no room for {size} bytes behind the image, below {limit:#x}")
        return self._take(found, size)

    def _find(self, where: range, size: int, alignment: int) -> int | None:
        at = _up(where.start, alignment)
        for begin, end in self._taken:
            if end > at and begin < at + size:
                at = _up(end, alignment)
        return at if at + size <= where.stop else None

    def _take(self, at: int, size: int) -> int:
        if size:
            self._taken = sorted([*self._taken, (at, at + size)])
        return at


def _is_usable(part: Part) -> bool:
    return part.end <= _LOW_MEMORY.stop or part.address >= _HIGH_MEMORY.start


def _up(address: int, alignment: int) -> int:
    return -(-address // alignment) * alignment


def moved(image: Image, distance: int) -> Image:
    """The whole image at other physical addresses, its entry with it."""
    parts = tuple(Part(part.address + distance, part.data, part.size, part.linked) for part in image.parts)
    return Image(parts, image.physical_entry + distance, image.bits)
