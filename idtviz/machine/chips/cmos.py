"""The battery-backed bytes behind the clock, as a BIOS leaves them.

Source: IBM PC/AT Technical Reference, "Real-time clock/complementary metal oxide semiconductor RAM information"; Ralf
Brown's CMOS list for the bytes that came later: 0x34, 0x3D and 0x5B as the BIOS of Bochs and QEMU has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from idtviz.machine.chips import rtc_time
from idtviz.machine.chips.drive import Drive

SIZE = 128
POWER_ON = datetime(2026, 1, 1)  # noqa: DTZ001 -- the chip knows no time zone
"""The date and time at which every machine is switched on: the same run gives the same bytes on every day."""

REGISTER_A, REGISTER_B, REGISTER_C, REGISTER_D = 0x0A, 0x0B, 0x0C, 0x0D
FLOPPY_TYPES, HARD_DISK_TYPES, EQUIPMENT = 0x10, 0x12, 0x14
BASE_MEMORY, EXTENDED_MEMORY, EXTENDED_MEMORY_FOUND, MEMORY_ABOVE_16M, MEMORY_ABOVE_4G = 0x15, 0x17, 0x30, 0x34, 0x5B
HARD_DISK_TYPE_0, HARD_DISK_TYPE_1 = 0x19, 0x1A
CHECKSUM, CHECKED = 0x2E, range(0x10, 0x2E)
CENTURY_PS2, BOOT_ORDER = 0x37, 0x3D

_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30
_UNIT = 64 * _KIB
_FLOPPY_TYPE = {720: 1, 1440: 3, 2400: 2, 2880: 4, 5760: 5}  # by the sectors of the largest disk that the drive takes
_USER_TYPE, _LOOK_ELSEWHERE = 47, 0xF
_FLOPPY_FIRST, _HARD_DISK_FIRST = 1, 2


def after_bios(memory: int, drives: Mapping[int, Drive]) -> bytes:
    """The registers and the RAM of the clock in a machine with `memory` bytes, and drives by BIOS number."""
    cmos = bytearray(SIZE)
    cmos[REGISTER_A] = 0x26  # the 32,768 Hz crystal, 1024 periodic interrupts a second
    cmos[REGISTER_B] = rtc_time.HOURS_24
    cmos[REGISTER_D] = 0x80  # VRT: the battery has held
    cmos[rtc_time.DAY_OF_WEEK] = POWER_ON.isoweekday() % 7 + 1
    cmos[rtc_time.CENTURY] = cmos[CENTURY_PS2] = rtc_time.byte_of(POWER_ON.year // 100, cmos[REGISTER_B])
    _describe_drives(cmos, drives)
    _describe_memory(cmos, memory)
    cmos[CHECKSUM : CHECKSUM + 2] = sum(cmos[place] for place in CHECKED).to_bytes(2, "big")
    return rtc_time.write(bytes(cmos), POWER_ON)


def _describe_drives(cmos: bytearray, drives: Mapping[int, Drive]) -> None:
    floppies = [drives[number] for number in (0x00, 0x01) if number in drives]
    cmos[FLOPPY_TYPES] = _floppy_type(drives.get(0x00)) << 4 | _floppy_type(drives.get(0x01))
    # The coprocessor is there, the display is an EGA or better.
    cmos[EQUIPMENT] = 0x02 | (len(floppies) - 1 << 6 | 0x01 if floppies else 0)
    for number, place, shift in ((0x80, HARD_DISK_TYPE_0, 4), (0x81, HARD_DISK_TYPE_1, 0)):
        if number in drives:
            cmos[HARD_DISK_TYPES] |= _LOOK_ELSEWHERE << shift
            cmos[place] = _USER_TYPE
    order = [_FLOPPY_FIRST] * (0x00 in drives) + [_HARD_DISK_FIRST] * (0x80 in drives)
    cmos[BOOT_ORDER] = sum(device << 4 * place for place, device in enumerate(order))


def _floppy_type(drive: Drive | None) -> int:
    if drive is None:
        return 0
    largest = max(_FLOPPY_TYPE)
    return _FLOPPY_TYPE[min((sectors for sectors in _FLOPPY_TYPE if sectors >= drive.sectors), default=largest)]


def _describe_memory(cmos: bytearray, memory: int) -> None:
    extended = min(max(0, memory - _MIB) // _KIB, 0xFFFF)
    for place, value, size in (
        (BASE_MEMORY, min(memory // _KIB, 640), 2),
        (EXTENDED_MEMORY, extended, 2),
        (EXTENDED_MEMORY_FOUND, extended, 2),
        (MEMORY_ABOVE_16M, min(max(0, memory - 16 * _MIB) // _UNIT, 0xFFFF), 2),
        (MEMORY_ABOVE_4G, max(0, memory - 4 * _GIB) // _UNIT, 3),
    ):
        cmos[place : place + size] = value.to_bytes(size, "little")
