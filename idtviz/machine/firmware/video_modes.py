"""The modes of the screen that INT 10h AH=0 sets, and what the BIOS's variables say of the present one.

Source: IBM PS/2 Video Subsystem Technical Reference, "Video modes" and the tables of register values there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from idtviz.machine.chips.vga import AFTER_BIOS, VgaState
from idtviz.machine.firmware import areas
from idtviz.machine.firmware.call import Call

TEXT_80: Final = 3
KEEP_MEMORY: Final = 0x80
"""In AL beside the mode: the memory is not cleared."""
PAGES: Final = 8

CRTC: Final = 0x3D4
CURSOR_START: Final = 0x0A
START_HIGH: Final = 0x0C
CURSOR_HIGH: Final = 0x0E

BLANK: Final = b"\x20\x07"
_GRAPHICS_ATTRIBUTE = bytes.fromhex("0001020304051407 38393a3b3c3d3e3f 01000f0000")


@dataclass(frozen=True, slots=True)
class Mode:
    """Columns and rows of characters, scan lines of one, where its memory lies and how much of it is one page."""

    columns: int
    rows: int
    height: int
    memory: int
    page: int
    registers: VgaState | None = None
    """None: the chip stays as it is, for it does not have this mode."""
    text: bool = True


_TEXT_40 = VgaState(
    crtc=bytes.fromhex("2d2728902ba0bf1f 004f0d0e00000000 9c8e8f141f96b9a3 ff"), sequencer=bytes.fromhex("0308030002")
)
_MODE_12 = VgaState(
    crtc=bytes.fromhex("5f4f508254800b3e 0040000000000000 ea8cdf2800e704e3 ff"),
    sequencer=bytes.fromhex("03010f0006"),
    graphics=bytes.fromhex("000000000000050fff"),
    attribute=_GRAPHICS_ATTRIBUTE,
    miscellaneous=0xE3,
)
_MODE_13 = VgaState(
    crtc=bytes.fromhex("5f4f50825480bf1f 0041000000000000 9c8e8f284096b9a3 ff"),
    sequencer=bytes.fromhex("03010f000e"),
    graphics=bytes.fromhex("000000000040050fff"),
    attribute=bytes.fromhex("0001020304050607 08090a0b0c0d0e0f 41000f0000"),
    miscellaneous=0x63,
)
_COLOUR, _PLANES = areas.TEXT_MEMORY, 0xA0000

MODES: Final = {
    **dict.fromkeys((0, 1), Mode(40, 25, 16, _COLOUR, 0x800, _TEXT_40)),
    **dict.fromkeys((2, 3), Mode(80, 25, 16, _COLOUR, 0x1000, AFTER_BIOS)),
    # The monochrome mode has its memory at 0xB0000 and its CRTC at 0x3B4, where there is none on this board.
    7: Mode(80, 25, 16, 0xB0000, 0x1000),
    **dict.fromkeys((4, 5), Mode(40, 25, 8, _COLOUR, 0x4000, text=False)),
    6: Mode(80, 25, 8, _COLOUR, 0x4000, text=False),
    0x0D: Mode(40, 25, 8, _PLANES, 0x2000, text=False),
    0x0E: Mode(80, 25, 8, _PLANES, 0x4000, text=False),
    **dict.fromkeys((0x0F, 0x10), Mode(80, 25, 14, _PLANES, 0x8000, text=False)),
    **dict.fromkeys((0x11, 0x12), Mode(80, 30, 16, _PLANES, 0xA000, _MODE_12, text=False)),
    0x13: Mode(40, 25, 8, _PLANES, 0x2000, _MODE_13, text=False),
}
"""By their number."""


def current(call: Call) -> Mode:
    """The mode that the BIOS's variables name."""
    return MODES.get(call.byte(areas.VIDEO_MODE), MODES[TEXT_80])


def set_mode(call: Call, al: int) -> bool:
    """Set the mode in `al`; False: there is none of this number."""
    number = al & ~KEEP_MEMORY
    mode = MODES.get(number)
    if mode is None:
        return False
    if mode.registers is not None:
        call.board.vga.state = mode.registers
    call.set_byte(areas.VIDEO_MODE, number)
    call.set_word(areas.VIDEO_COLUMNS, mode.columns)
    call.set_word(areas.PAGE_SIZE, mode.page)
    call.set_word(areas.PAGE_OFFSET, 0)
    call.write(areas.CURSOR_POSITIONS, bytes(2 * PAGES))
    call.set_word(areas.CURSOR_SHAPE, 0x0607)
    call.set_byte(areas.ACTIVE_PAGE, 0)
    call.set_word(areas.CRTC_PORT, CRTC)
    call.set_byte(areas.MODE_CONTROL, 0x29)
    call.set_byte(areas.PALETTE, 0x30)
    call.set_byte(areas.ROWS, mode.rows - 1)
    call.set_word(areas.CHARACTER_HEIGHT, mode.height)
    call.set_byte(areas.VIDEO_CONTROL, 0x60 | al & KEEP_MEMORY)
    call.set_byte(areas.VIDEO_SWITCHES, 0xF9)
    call.set_byte(areas.VIDEO_FLAGS, 0x51)
    call.set_byte(areas.DISPLAY_CODE, 0x08)
    if not al & KEEP_MEMORY:
        if mode.text:
            call.write(mode.memory, BLANK * (0x8000 // len(BLANK)))
        else:
            call.write(mode.memory, bytes(0x8000 if mode.memory == _COLOUR else 0x10000))
    return True


def set_crtc(call: Call, index: int, value: int) -> None:
    """Write a pair of registers of the CRTC, the high byte at `index`."""
    call.out(CRTC, index)
    call.out(CRTC + 1, value >> 8)
    call.out(CRTC, index + 1)
    call.out(CRTC + 1, value)
