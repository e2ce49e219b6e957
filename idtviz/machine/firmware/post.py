"""What the BIOS sets up before it boots: the interrupt vector table, its variables, an empty screen.

Source: IBM PC/AT Technical Reference, "BIOS and BASIC: vectors with special meanings", "ROM BIOS data areas".
"""

from __future__ import annotations

import struct
from typing import Final

from idtviz.machine.board import Board
from idtviz.machine.firmware import areas, rom, video_modes
from idtviz.machine.firmware.call import Call
from idtviz.machine.firmware.memory_map import kibibytes

_MASTER_VECTORS, _SLAVE_VECTORS = range(0x08, 0x10), range(0x70, 0x78)
_FREE_VECTORS = range(0x60, 0x68)
"""For the user's own interrupts: a table of zeros."""
_DISKETTE_PARAMETERS, _FIXED_DISK_0, _FIXED_DISK_1 = 0x1E, 0x41, 0x46
_TABLES_WITHOUT_DATA = (0x1D, 0x1F, 0x43)
"""Video parameters, and the shapes of characters in graphics modes: there is no table."""

COM1: Final = 0x3F8
_NO_DRIVE: Final = 0xFF
_ENHANCED_KEYBOARD: Final = 0x10
_COM_PORTS_SHIFT = 9
_FIXED_DISK = struct.Struct("<HBHHBB3xHBx")
"""Cylinders, heads, reduced write current, write precompensation, ECC burst, control, landing zone, sectors a track."""
_MORE_THAN_8_HEADS = 0x08


def set_up(call: Call) -> None:
    """Fill the interrupt vector table and the BIOS's areas, and clear the screen."""
    call.write(0, vectors())
    warm = call.word(areas.WARM_BOOT)
    call.write(areas.BDA.start, bytes(len(areas.BDA)))
    call.set_word(areas.WARM_BOOT, warm)
    call.write(areas.EBDA, bytes(areas.EBDA_SIZE))
    call.set_byte(areas.EBDA, areas.EBDA_SIZE >> 10)
    _describe(call)
    _fixed_disk_tables(call)
    video_modes.set_mode(call, video_modes.TEXT_80)


def vectors() -> bytes:
    """The interrupt vector table: offset and segment of 256 handlers."""
    return b"".join(struct.pack("<HH", *_handler(number)) for number in range(256))


def _handler(number: int) -> tuple[int, int]:
    """Offset and segment."""
    match number:
        case _ if number in _FREE_VECTORS or number in _TABLES_WITHOUT_DATA:
            return 0, 0
        case _ if number == _DISKETTE_PARAMETERS:
            return _offset("bios_diskette_parameters"), rom.SEGMENT
        case _ if number in (_FIXED_DISK_0, _FIXED_DISK_1):
            table = areas.FIXED_DISK_TABLES - areas.EBDA + (_FIXED_DISK.size if number == _FIXED_DISK_1 else 0)
            return table, areas.EBDA >> 4
        case _:
            own = rom.offset_of(f"bios_int{number:02x}")
            return (own if own is not None else _default(number)), rom.SEGMENT


def _default(number: int) -> int:
    if number in _MASTER_VECTORS:
        return _offset("bios_irq_master")
    return _offset("bios_irq_slave" if number in _SLAVE_VECTORS else "bios_iret")


def _offset(name: str) -> int:
    found = rom.offset_of(name)
    assert found is not None, name
    return found


def _describe(call: Call) -> None:
    """The BIOS's variables, but for those of the screen."""
    conventional, _ = kibibytes(call.machine.memory.size)
    call.set_word(areas.COM_PORTS, COM1)
    call.set_word(areas.EBDA_SEGMENT, areas.EBDA >> 4)
    call.set_word(areas.EQUIPMENT, equipment(call.board))
    call.set_word(areas.MEMORY_KIB, conventional)
    for place in (areas.KEYS_HEAD, areas.KEYS_TAIL, areas.KEYS_START):
        call.set_word(place, areas.KEYS.start)
    call.set_word(areas.KEYS_END, areas.KEYS.stop)
    call.set_byte(areas.KEYBOARD_MODE, _ENHANCED_KEYBOARD)
    call.set_byte(areas.DISKS, sum(number >= 0x80 for number in call.board.drives))
    call.set_byte(areas.BOOT_DRIVE, min(call.board.drives, default=_NO_DRIVE))
    call.write(areas.LPT_TIMEOUTS, b"\x14" * 4)
    call.write(areas.COM_TIMEOUTS, b"\x01" * 4)


def equipment(board: Board) -> int:
    """The word that INT 11h gives: a coprocessor, an 80-column colour display, one serial port, the floppy drives."""
    floppies = sum(number < 0x80 for number in board.drives)
    return 0x02 | 0x20 | 1 << _COM_PORTS_SHIFT | (floppies - 1 << 6 | 0x01 if floppies else 0)


def _fixed_disk_tables(call: Call) -> None:
    for place, number in enumerate((0x80, 0x81)):
        if number in call.board.drives:
            geometry = call.board.drives[number].geometry
            control = _MORE_THAN_8_HEADS if geometry.heads > 8 else 0
            cylinders = min(geometry.cylinders, 0xFFFF)
            table = _FIXED_DISK.pack(cylinders, geometry.heads, 0, 0xFFFF, 0, control, cylinders, geometry.sectors)
            call.write(areas.FIXED_DISK_TABLES + _FIXED_DISK.size * place, table)
