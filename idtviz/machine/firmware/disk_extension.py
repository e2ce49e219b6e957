"""INT 13h from AH=41h on: sectors by LBA, as a packet in memory says.

Source: Phoenix BIOS Enhanced Disk Drive Specification 1.1. Present for hard disks.
"""

from __future__ import annotations

import struct
from typing import Final

from idtviz.machine.chips.drive import SECTOR, Drive
from idtviz.machine.firmware.call import Call
from idtviz.machine.firmware.disk_status import Status

FIRST: Final = 0x41

_FIRST_HARD_DISK = 0x80
_QUESTION, _ANSWER = 0x55AA, 0xAA55
_VERSION = 0x21  # EDD 1.1
_PACKETS, _PARAMETERS = 0x1, 0x4
"""CX of function 41h: which subsets of the functions there are."""
_PACKET = struct.Struct("<BxHHHQ")
_PACKET_WITH_FLAT_ADDRESS = 24
_ELSEWHERE = 0xFFFF
_PARAMETER_TABLE = struct.Struct("<HHIIIQH")
_GEOMETRY_VALID = 0x2


def serve(call: Call, drive: Drive) -> Status | None:
    """Perform the function in AH; None: AH and CF say already what has to be said."""
    if call.dl < _FIRST_HARD_DISK:
        return Status.INVALID
    match call.ah:
        case 0x41:
            return _present(call)
        case 0x42 | 0x43 | 0x44 | 0x47:
            return _transfer(call, drive)
        case 0x48:
            return _parameters(call, drive)
        case 0x4E:
            return Status.DONE
        case _:
            call.note(0x13, "no such function")
            return Status.INVALID


def _present(call: Call) -> Status | None:
    if call.bx != _QUESTION:
        return Status.INVALID
    call.bx = _ANSWER
    call.cx = _PACKETS | _PARAMETERS
    call.succeed(_VERSION)
    return None


def _transfer(call: Call, drive: Drive) -> Status:
    """Read, write, verify or seek as the packet at DS:SI says; its count becomes that of the sectors moved."""
    packet = call.at("ds", call.si)
    size, count, offset, segment, lba = _PACKET.unpack(call.read(packet, _PACKET.size))
    if size < _PACKET.size:
        return Status.INVALID
    address = (segment << 4) + offset
    if size >= _PACKET_WITH_FLAT_ADDRESS and segment == offset == _ELSEWHERE:
        address = int.from_bytes(call.read(packet + _PACKET.size, 8), "little")
    status = _move(call, drive, lba, count, address)
    if status and call.ah != 0x47:
        call.set_word(packet + 2, 0)
    return status


def _move(call: Call, drive: Drive, lba: int, count: int, address: int) -> Status:
    if call.ah == 0x47:
        return Status.DONE if drive.holds(lba) else Status.NOT_FOUND
    if not drive.holds(lba, count):
        return Status.NOT_FOUND
    if call.ah == 0x42:
        call.write(address, drive.read(lba, count))
    elif call.ah == 0x43:
        if drive.read_only:
            return Status.WRITE_PROTECTED
        drive.write(lba, call.read(address, count * SECTOR))
    return Status.DONE


def _parameters(call: Call, drive: Drive) -> Status:
    """26 bytes at DS:SI, whose first word says how many there is room for."""
    table = call.at("ds", call.si)
    if call.word(table) < _PARAMETER_TABLE.size:
        return Status.INVALID
    geometry = drive.geometry
    call.write(
        table,
        _PARAMETER_TABLE.pack(
            _PARAMETER_TABLE.size,
            _GEOMETRY_VALID,
            geometry.cylinders,
            geometry.heads,
            geometry.sectors,
            drive.sectors,
            SECTOR,
        ),
    )
    return Status.DONE
