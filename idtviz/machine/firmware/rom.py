"""The BIOS as the machine holds it: a ROM of 64 KiB below 1 MiB, seen once more below 4 GiB, and the names in it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from idtviz.machine.memory import Memory

ADDRESS: Final = 0xF_0000
SIZE: Final = 0x1_0000
SEGMENT: Final = ADDRESS >> 4
MIRROR: Final = 0xFFFF_0000
"""Where the processor fetches its first instruction from (SDM 3A 9.1.4)."""

_FOLDER = Path(__file__).parent


@cache
def symbols() -> tuple[tuple[str, int], ...]:
    """The routines of the BIOS: name and linear address, in order of the addresses."""
    lines = (_FOLDER / "bios.sym").read_text(encoding="ascii").splitlines()
    found = (line.split() for line in lines)
    return tuple((name, int(address, 16)) for address, name in found)


@cache
def offset_of(name: str) -> int | None:
    """The offset in segment 0xF000 of a routine of the BIOS; None where it has none of this name."""
    address = dict(symbols()).get(name)
    return None if address is None else address - ADDRESS


def name_at(offset: int) -> str:
    """The routine of the BIOS that begins at an offset in segment 0xF000; empty where none does."""
    return _names().get(offset, "")


@cache
def _names() -> dict[int, str]:
    return {address - ADDRESS: name for name, address in symbols()}


def install(memory: Memory) -> None:
    """Put the BIOS in. What has been written to the lower part of its range stays there: tables."""
    code = (_FOLDER / "bios.bin").read_bytes()
    image = memory.read(ADDRESS, SIZE - len(code)) + code
    memory.add_rom(ADDRESS, image)
