"""The names of an image, and those of the symbol files that were given beside it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

from idtviz.debugger.symbols import Symbols, from_elf, from_file, from_text
from idtviz.lab.image_kinds import Kind
from idtviz.machine.firmware import rom

_WITH_BIOS = (Kind.BOOT_SECTOR, Kind.DISK)


def symbols_of(kind: Kind, image: bytes, files: Iterable[bytes]) -> Symbols:
    """All of them together, those of the BIOS where there is one; of two for one address, that of a symbol file."""
    found = [from_file(raw) for raw in files] + [from_elf(image)]
    if kind in _WITH_BIOS:
        lines = (f"{address:x} T {name}\n" for name, address in rom.symbols())
        found.append(from_text("".join(lines).encode()))
    return reduce(Symbols.merged, found)
