"""The BIOS as the machine holds it: a ROM of 64 KiB below 1 MiB, and the names in it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from idtviz.machine.memory import Memory

ADDRESS: Final = 0xF_0000
SIZE: Final = 0x1_0000
SEGMENT: Final = ADDRESS >> 4
_MIRROR: Final = 0xFFFF_0000
"""The same ROM ends at 4 GiB, where the processor begins after a reset."""

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


def name_at(address: int) -> str:
    """The routine of the BIOS that begins at a linear address, in either place; empty where none does."""
    return _names().get(ADDRESS + address % SIZE, "")


@cache
def _names() -> dict[int, str]:
    return {address: name for name, address in symbols()}


def install(memory: Memory) -> None:
    """Put the BIOS in. What has been written to the lower part of its range stays there: tables."""
    code = (_FOLDER / "bios.bin").read_bytes()
    image = memory.read(ADDRESS, SIZE - len(code)) + code
    memory.add_rom(ADDRESS, image)
    memory.add_rom(_MIRROR, image)
