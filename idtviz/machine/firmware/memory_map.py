"""The memory map that the firmware of this PC tells of: what is RAM, and what of it is taken.

Source: ACPI 6.4 chapter 15 (INT 15h AX=E820h, and the types of its ranges); Multiboot 0.6.96 3.3 has the same types.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

USABLE, RESERVED = 1, 2
"""AddressRangeMemory, AddressRangeReserved."""

EXTENDED_BIOS_DATA: Final = 0x9_FC00
"""The last KiB of conventional memory is the firmware's own: the extended BIOS data area."""
CONVENTIONAL_END: Final = 0xA_0000
BIOS_AT: Final = 0xF_0000
EXTENDED_MEMORY: Final = 0x10_0000


class Region(NamedTuple):
    """`size` bytes from physical `base` on, of one type."""

    base: int
    size: int
    kind: int

    @property
    def end(self) -> int:
        """The address behind the last byte."""
        return self.base + self.size

    def packed(self) -> bytes:
        """Base, length and type, as an entry of E820 has them: 20 bytes."""
        return struct.pack("<QQI", self.base, self.size, self.kind)


def regions(memory: int) -> tuple[Region, ...]:
    """The map of a PC with `memory` bytes of RAM, by address. The tables of ACPI lie in the BIOS's range."""
    found = [
        Region(0, min(memory, EXTENDED_BIOS_DATA), USABLE),
        Region(EXTENDED_BIOS_DATA, CONVENTIONAL_END - EXTENDED_BIOS_DATA, RESERVED),
        Region(BIOS_AT, EXTENDED_MEMORY - BIOS_AT, RESERVED),
    ]
    if memory > EXTENDED_MEMORY:
        found.append(Region(EXTENDED_MEMORY, memory - EXTENDED_MEMORY, USABLE))
    return tuple(found)


def kibibytes(memory: int) -> tuple[int, int]:
    """RAM below 640 KiB and RAM from 1 MiB on, in KiB: what INT 12h and INT 15h AH=88h count."""
    return min(memory, EXTENDED_BIOS_DATA) >> 10, max(0, memory - EXTENDED_MEMORY) >> 10
