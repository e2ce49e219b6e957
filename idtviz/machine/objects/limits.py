"""How much a file may ask for: far more than a handler needs, and little enough to be loaded in a second or two."""

from __future__ import annotations

from typing import Final

LARGEST_FILE: Final = 64 << 20
LARGEST_IN_MEMORY: Final = 128 << 20
"""Bytes from the lowest address to the highest."""
LARGEST_ZEROED: Final = 16 << 20
"""Bytes of an object file's sections that have no contents (`.bss`), and of its common symbols."""
LARGEST_ALIGNMENT: Final = 4096

MOST_SECTIONS: Final = 0xFF00
"""The header has no room for more (SHN_LORESERVE)."""
MOST_SEGMENTS: Final = 64
MOST_SYMBOLS: Final = 1 << 18
MOST_RELOCATIONS: Final = 1 << 18
MOST_UNDEFINED: Final = 4096
LONGEST_NAME: Final = 16 << 10
LONGEST_NAMES: Final = 32 << 20
"""Bytes of all names together: their ends may be shared."""
