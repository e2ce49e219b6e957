"""INT 13h: sectors by cylinder, head and sector.

Source: IBM PC/AT Technical Reference, "Diskette" and "Fixed disk" BIOS; the extension by LBA is in `disk_extension`.
Sectors go straight to memory: a buffer across a 64 KiB boundary, at which the AT's DMA failed with status 9, is filled
like any other, and a transfer goes on behind the end of a track.
"""

from __future__ import annotations

from typing import Final

from idtviz.machine.chips.drive import SECTOR, Drive
from idtviz.machine.firmware import areas, disk_extension, rom
from idtviz.machine.firmware.call import Call
from idtviz.machine.firmware.disk_status import Status

DISK: Final = 0x13
FIRST_HARD_DISK: Final = 0x80

_MOST_CYLINDERS = 1024
_FLOPPY_TYPES = {720: 1, 1440: 3, 2400: 2, 2880: 4, 5760: 6}
"""What BL says in function 8, by the sectors of the largest disk that the drive takes."""
_WITHOUT_EFFECT = (0x09, 0x0C, 0x0D, 0x10, 0x11, 0x14)
"""Initialise, seek, reset, test, recalibrate, diagnose: for hard disks."""
_CHANGE_LINE, _HARD_DISK = 0x02, 0x03


def serve(call: Call) -> None:
    """Perform the function in AH on the drive in DL."""
    drive = call.board.drives.get(call.dl)
    status_at = areas.DISK_STATUS if call.dl >= FIRST_HARD_DISK else areas.FLOPPY_STATUS
    match call.ah:
        case 0x01:
            _end(call, call.byte(status_at))
            return
        case 0x15:
            _type(call, drive)
            return
        case 0x08:
            status: Status | None = _parameters(call, drive)
        case _ if drive is None:
            status = _absent(call)
        case _ if call.ah >= disk_extension.FIRST:
            status = disk_extension.serve(call, drive)
        case _:
            status = _perform(call, drive)
    if status is not None:
        call.set_byte(status_at, status)
        _end(call, status)


def _end(call: Call, status: int) -> None:
    if status:
        call.fail(status)
    else:
        call.succeed()


def _absent(call: Call) -> Status:
    if call.ah in (0x02, 0x03, 0x04):
        call.al = 0
    return Status.INVALID if call.dl >= FIRST_HARD_DISK or call.ah >= disk_extension.FIRST else Status.NOT_READY


def _perform(call: Call, drive: Drive) -> Status:
    hard = call.dl >= FIRST_HARD_DISK
    match call.ah:
        case 0x00:
            return Status.DONE
        case 0x02 | 0x03 | 0x04:
            return _transfer(call, drive)
        case 0x16 if not hard:
            return Status.DONE  # the disk has not been changed
        case 0x18 if not hard:
            _point_to_parameters(call)
            return Status.DONE
        case _ if hard and call.ah in _WITHOUT_EFFECT:
            return Status.DONE
        case 0x05:
            call.note(DISK, "tracks are not formatted")
            return Status.INVALID
        case _:
            call.note(DISK, "no such function")
            return Status.INVALID


def _transfer(call: Call, drive: Drive) -> Status:
    """Read, write or verify AL sectors at ES:BX; AL is then how many there were."""
    count, call.al = call.al, 0
    lba = drive.geometry.lba(call.ch | (call.cl & 0xC0) << 2, call.dh, call.cl & 0x3F)
    if lba is None or not count:
        return Status.INVALID if call.dl >= FIRST_HARD_DISK or not count else Status.NOT_FOUND
    if not drive.holds(lba, count):
        return Status.NOT_FOUND
    address = call.at("es", call.bx)
    if call.ah == 0x03:
        if drive.read_only:
            return Status.WRITE_PROTECTED
        drive.write(lba, call.read(address, count * SECTOR))
    elif call.ah == 0x02:
        call.write(address, drive.read(lba, count))
    call.al = count
    return Status.DONE


def _parameters(call: Call, drive: Drive | None) -> Status:
    """The last cylinder, head and sector, and how many drives of this kind there are."""
    hard = call.dl >= FIRST_HARD_DISK
    number = sum((other >= FIRST_HARD_DISK) == hard for other in call.board.drives)
    if drive is None:
        if hard:
            return Status.INVALID
        call.ax = call.bx = call.cx = call.dx = 0
        call.dl = number
        return Status.DONE
    geometry = drive.geometry
    cylinder = min(geometry.cylinders, _MOST_CYLINDERS) - 1
    call.ch = cylinder
    call.cl = (cylinder >> 2 & 0xC0) | geometry.sectors
    call.dh = geometry.heads - 1
    call.al = 0
    if not hard:
        call.bx = _FLOPPY_TYPES[min(total for total in _FLOPPY_TYPES if total >= drive.sectors)]
        _point_to_parameters(call)
    call.dl = number
    return Status.DONE


def _point_to_parameters(call: Call) -> None:
    """ES:DI: the table that vector 0x1E of this BIOS points to."""
    offset = rom.offset_of("bios_diskette_parameters")
    assert offset is not None
    call.load_es(rom.SEGMENT)
    call.di = offset


def _type(call: Call, drive: Drive | None) -> None:
    """AH: no drive, a floppy drive that tells of a change, a hard disk of CX:DX sectors."""
    if drive is None:
        call.succeed()
    elif call.dl < FIRST_HARD_DISK:
        call.succeed(_CHANGE_LINE)
    else:
        call.succeed(_HARD_DISK)
        call.cx, call.dx = drive.sectors >> 16, drive.sectors
