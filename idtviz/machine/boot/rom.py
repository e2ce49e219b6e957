"""ROM images: firmware, entered where the processor begins after a reset.

Source: SDM 3A 9.1.4 (the first instruction) and table 9-1 (the registers after a reset).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from idtviz.machine import cpuid
from idtviz.machine.board import NO_DRIVES
from idtviz.machine.boot.entry import enter
from idtviz.machine.boot.problem import ImageError
from idtviz.machine.chips import pic, pit
from idtviz.machine.memory import PAGE
from idtviz.machine.pc import Machine
from idtviz.machine.registers import RDX, RSP, Segment
from idtviz.x86 import control

SMALLEST, LARGEST = 512, 16 << 20
_TOP: Final = 1 << 32
_LOW_TOP: Final = 1 << 20
_LOW_SIZE: Final = 128 << 10
_SECTOR = 512

_CODE = Segment(0xF000, 0xFFFF_0000, 0xFFFF, 0x0000_9B00)
_FIRST_INSTRUCTION: Final = 0xFFF0
_CR0: Final = control.CR0_CD | control.CR0_NW | control.CR0_ET


@dataclass(frozen=True, slots=True)
class RomImage:
    """A ROM that ends at 4 GiB. Its last 128 KiB are seen below 1 MiB too."""

    raw: bytes
    """Whole pages."""

    @property
    def kind(self) -> str:
        """Always `rom`."""
        return "rom"

    @property
    def mode(self) -> str:
        """Always `real`."""
        return "real"

    @property
    def room(self) -> int:
        """RAM as far as the ROM's lower window, which ends at 1 MiB."""
        return _LOW_TOP

    @property
    def drives(self) -> Mapping[int, bytes]:
        """It brings none."""
        return NO_DRIVES

    def boot(self, machine: Machine) -> None:
        """Put the processor into the state after a reset, and the chips into that of power-on."""
        memory, board = machine.memory, machine.board
        low = self.raw[-_LOW_SIZE:]
        memory.add_rom(_LOW_TOP - len(low), low)
        memory.add_rom(_TOP - len(self.raw), self.raw)
        board.pic.state = pic.POWER_ON
        board.pit.state = pit.POWER_ON
        enter(machine, "real", _FIRST_INSTRUCTION)
        state = machine.cpu.registers()
        general = list(state.general)
        signature, *_ = cpuid.answer(1, 0, cr4=0, apic=board.lapic is not None)
        general[RSP], general[RDX] = 0, signature
        idtr = replace(state.idtr, limit=0xFFFF)
        machine.cpu.load(replace(state, general=tuple(general), cs=_CODE, cr0=_CR0, gdtr=idtr, idtr=idtr))


def parse(raw: bytes) -> RomImage:
    """A ROM of 512 bytes to 16 MiB; one that is no whole number of pages is filled up in front. Raises ImageError."""
    if not raw:
        raise ImageError("the file is empty; expected a ROM")
    if len(raw) < SMALLEST or len(raw) % _SECTOR:
        raise ImageError(f"{len(raw)} bytes; a ROM is a multiple of {_SECTOR} bytes")
    if len(raw) > LARGEST:
        raise ImageError(f"{len(raw)} bytes; a ROM has at most {LARGEST}")
    return RomImage(b"\xff" * (-len(raw) % PAGE) + raw)
