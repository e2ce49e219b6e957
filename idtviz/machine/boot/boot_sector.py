"""Boot sectors, floppy disks and hard disks: what a BIOS boots, and the BIOS with it.

Source: IBM PC/AT Technical Reference, "Bootstrap loader"; BIOS Boot Specification 1.01 for what DL says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from idtviz.machine.boot.entry import enter
from idtviz.machine.boot.problem import ImageError
from idtviz.machine.chips import geometry, pit
from idtviz.machine.chips.drive import SECTOR
from idtviz.machine.firmware import bios
from idtviz.machine.firmware.memory_map import EXTENDED_MEMORY
from idtviz.machine.firmware.starting import BOOT_SECTOR, SIGNATURE
from idtviz.machine.pc import Machine
from idtviz.machine.registers import RAX, RDX, RSP
from idtviz.x86 import flags

FLOPPY, HARD_DISK = 0x00, 0x80
"""The numbers of the first drives of each kind."""
LARGEST: Final = 2 << 30

STACK_POINTER: Final = 0x6F00
_LARGEST_FLOPPY = max(geometry.FLOPPIES) * SECTOR
_PARTITIONS = range(446, 510, 16)
_JUMPS = (0xEB, 0xE9)
_LOWEST_MEDIA_BYTE = 0xF0


@dataclass(frozen=True, slots=True)
class BootSector:
    """A drive that begins with a boot sector."""

    raw: bytes
    drive: int

    @property
    def kind(self) -> str:
        """`boot_sector` where there is nothing else, `floppy` or `disk`."""
        if self.drive == HARD_DISK:
            return "disk"
        return "boot_sector" if len(self.raw) == SECTOR else "floppy"

    @property
    def mode(self) -> str:
        """Always `real`."""
        return "real"

    @property
    def room(self) -> int:
        """The BIOS ends at 1 MiB."""
        return EXTENDED_MEMORY

    @property
    def drives(self) -> Mapping[int, bytes]:
        """The images of the drives that the machine has to be made with, by their number for the BIOS."""
        return {self.drive: self.raw}

    def boot(self, machine: Machine) -> None:
        """Enter the boot sector as a BIOS does: at 0000:7C00 in real mode, the drive in DL, interrupts enabled.

        The segments are 0 and SP is 0x6F00; a stack grows down from there. The BIOS's code, the interrupt vector table
        and the BIOS's variables are in place, the timer ticks 18.2 times a second, the screen is empty. A20 is on, as
        the firmware of every newer PC leaves it, though lessons on boot sectors often begin with turning it on.
        """
        if self.drive not in machine.board.drives:
            raise ImageError(f"the machine has no drive {self.drive:#04x}")
        enter(machine, "real", BOOT_SECTOR)
        machine.board.pit.state = pit.after_bios(machine.clock.hertz)
        machine.chips_touched()
        bios.install(machine)
        bios.set_up(machine)
        machine.memory.write(BOOT_SECTOR, self.raw[:SECTOR])
        state = machine.cpu.registers()
        general = list(state.general)
        general[RAX], general[RDX], general[RSP] = int.from_bytes(SIGNATURE, "little"), self.drive, STACK_POINTER
        machine.cpu.load(replace(state, general=tuple(general), rflags=state.rflags | flags.IF))


def parse(raw: bytes, *, floppy: bool | None = None) -> BootSector:
    """A boot sector alone, a floppy disk or a hard disk. Raises ImageError.

    Unless `floppy` says what it is, an image of a floppy's size is one, and a smaller or odd one that has no partition
    table.
    """
    if not raw:
        raise ImageError("the file is empty; expected a boot sector of 512 bytes, a floppy or a hard disk")
    if len(raw) < SECTOR:
        raise ImageError(f"{len(raw)} bytes; a boot sector has {SECTOR}")
    if len(raw) > LARGEST:
        raise ImageError(f"{len(raw)} bytes; expected at most {LARGEST}")
    found = raw[SECTOR - len(SIGNATURE) : SECTOR]
    if found != SIGNATURE:
        raise ImageError(f"no boot sector: its last two bytes are {found.hex(' ')}, expected {SIGNATURE.hex(' ')}")
    if floppy is None:
        floppy = _looks_like_a_floppy(raw)
    elif floppy and len(raw) > _LARGEST_FLOPPY:
        raise ImageError(f"{len(raw)} bytes; a floppy has at most {_LARGEST_FLOPPY}")
    return BootSector(raw, FLOPPY if floppy else HARD_DISK)


def _looks_like_a_floppy(raw: bytes) -> bool:
    if len(raw) > _LARGEST_FLOPPY:
        return False
    sectors, rest = divmod(len(raw), SECTOR)
    if not rest and (sectors == 1 or sectors in geometry.FLOPPIES):
        return True
    return _has_file_system(raw) or not _is_partitioned(raw)


def _has_file_system(raw: bytes) -> bool:
    """A FAT's BIOS parameter block: a jump over it, the size of a sector, a media byte."""
    sector = int.from_bytes(raw[11:13], "little")
    return raw[0] in _JUMPS and sector == SECTOR and raw[21] >= _LOWEST_MEDIA_BYTE


def _is_partitioned(raw: bytes) -> bool:
    """Four entries that are active or not, one of them with a type and a size."""
    entries = [raw[place : place + 16] for place in _PARTITIONS]
    active = all(entry[0] in (0x00, 0x80) for entry in entries)
    return active and any(entry[4] and any(entry[12:16]) for entry in entries)
