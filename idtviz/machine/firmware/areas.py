"""Where the BIOS keeps its variables: in guest memory, all of them.

Source: IBM PC/AT Technical Reference, "ROM BIOS data areas"; IBM PS/2 BIOS Interface Technical Reference for those of
the VGA and for the extended area.
"""

from __future__ import annotations

from typing import Final

from idtviz.machine.firmware.memory_map import EXTENDED_BIOS_DATA

COM_PORTS: Final = 0x400
EBDA_SEGMENT: Final = 0x40E
EQUIPMENT: Final = 0x410
MEMORY_KIB: Final = 0x413

SHIFT_FLAGS, SHIFT_FLAGS_2 = 0x417, 0x418
ALT_KEYPAD: Final = 0x419
KEYS_HEAD, KEYS_TAIL = 0x41A, 0x41C
"""Offsets in segment 0x40 of the next key to take, and of the next free place."""
KEYS: Final = range(0x1E, 0x3E, 2)
"""The ring of keys: offsets in segment 0x40."""

FLOPPY_STATUS: Final = 0x441
VIDEO_MODE, VIDEO_COLUMNS, PAGE_SIZE, PAGE_OFFSET = 0x449, 0x44A, 0x44C, 0x44E
CURSOR_POSITIONS: Final = 0x450
"""Column and row for each of eight pages."""
CURSOR_SHAPE, ACTIVE_PAGE, CRTC_PORT, MODE_CONTROL, PALETTE = 0x460, 0x462, 0x463, 0x465, 0x466

TICKS, MIDNIGHT, BREAK = 0x46C, 0x470, 0x471
WARM_BOOT: Final = 0x472
DISK_STATUS, DISKS = 0x474, 0x475
COM_TIMEOUTS, LPT_TIMEOUTS = 0x47C, 0x478
KEYS_START, KEYS_END = 0x480, 0x482
ROWS, CHARACTER_HEIGHT = 0x484, 0x485
VIDEO_CONTROL, VIDEO_SWITCHES, VIDEO_FLAGS, DISPLAY_CODE = 0x487, 0x488, 0x489, 0x48A
KEYBOARD_MODE: Final = 0x496
WAIT_START, WAIT_TICKS = 0x498, 0x49C
"""INT 15h AH=86h keeps here the tick at which it began and how many it waits."""

BDA: Final = range(0x400, 0x500)
TEXT_MEMORY: Final = 0xB8000

EBDA: Final = EXTENDED_BIOS_DATA
EBDA_SIZE: Final = 0x400
FIXED_DISK_TABLES: Final = EBDA + 0x3D
"""Sixteen bytes for each of two hard disks; the vectors 0x41 and 0x46 point here."""
BOOT_DRIVE: Final = EBDA + 0x100
"""The drive that INT 19h loads from."""

TICKS_A_DAY: Final = 0x1800B0
