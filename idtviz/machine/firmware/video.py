"""INT 10h: the screen.

Source: IBM PS/2 BIOS Interface Technical Reference, "Interrupt 10h: video". Graphics modes are set, but no character is
drawn in them: this BIOS has no table of their shapes. There are no VESA modes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from idtviz.machine.firmware import areas, palette, rom, text, video_modes
from idtviz.machine.firmware.call import Call
from idtviz.machine.firmware.video_modes import CURSOR_START, KEEP_MEMORY, START_HIGH

VIDEO: Final = 0x10
_MEMORY_256K, _COLOUR_DISPLAY, _SWITCHES = 3, 0, 9
_VGA_COLOUR = 0x08
_STATE_SIZE = 64
_MODE_13 = 0x13
_VBE_FAILED = 0x0100


def serve(call: Call) -> None:
    """Perform the function in AH."""
    function = _FUNCTIONS.get(call.ah)
    if function is None:
        call.note(VIDEO, "no such function; nothing happens")
    else:
        function(call)


def _set_mode(call: Call) -> None:
    if not video_modes.set_mode(call, call.al):
        call.note(VIDEO, "no such mode; the screen stays as it is")
        return
    mode = video_modes.current(call)
    if not mode.text or mode.registers is None:
        call.note(VIDEO, "the mode is set, but the screen shows text from 0xB8000 alone")


def _set_cursor_shape(call: Call) -> None:
    call.set_word(areas.CURSOR_SHAPE, call.cx)
    start, end = call.ch, call.cl
    if start < 8 and end < 8:
        # Given for the 8 scan lines of a CGA's characters; a VGA's have 16.
        start, end = start * 2 + 1, end * 2 + 1
        if call.cx == 0x0607:
            start = 13
            end = 14
    video_modes.set_crtc(call, CURSOR_START, (start & 0x3F) << 8 | end & 0x1F)


def _set_cursor(call: Call) -> None:
    text.move(call, call.bh, call.dh, call.dl)


def _get_cursor(call: Call) -> None:
    call.dh, call.dl = text.position(call, call.bh)
    call.cx = call.word(areas.CURSOR_SHAPE)


def _select_page(call: Call) -> None:
    page = call.al % video_modes.PAGES
    offset = page * call.word(areas.PAGE_SIZE)
    call.set_byte(areas.ACTIVE_PAGE, page)
    call.set_word(areas.PAGE_OFFSET, offset)
    video_modes.set_crtc(call, START_HIGH, offset // 2)
    text.move(call, page, *text.position(call, page))


def _scroll_up(call: Call) -> None:
    text.scroll(call, call.byte(areas.ACTIVE_PAGE), call.al, call.bh, call.ch, call.cl, call.dh, call.dl)


def _scroll_down(call: Call) -> None:
    text.scroll(call, call.byte(areas.ACTIVE_PAGE), -call.al, call.bh, call.ch, call.cl, call.dh, call.dl)


def _read_character(call: Call) -> None:
    call.ax = call.word(text.at_cursor(call, call.bh)) if video_modes.current(call).text else 0


def _write_character_and_attribute(call: Call) -> None:
    text.put(call, call.bh, call.al, call.bl, call.cx)


def _write_character(call: Call) -> None:
    text.put(call, call.bh, call.al, None, call.cx)


def _pixel_address(call: Call) -> int | None:
    """Of the pixel at column CX, row DX in mode 13h, where each is a byte."""
    known = call.byte(areas.VIDEO_MODE) == _MODE_13 and call.cx < 320 and call.dx < 200
    return video_modes.MODES[_MODE_13].memory + call.dx * 320 + call.cx if known else None


def _write_pixel(call: Call) -> None:
    address = _pixel_address(call)
    if address is not None:
        call.set_byte(address, call.al)


def _read_pixel(call: Call) -> None:
    address = _pixel_address(call)
    call.al = 0 if address is None else call.byte(address)


def _teletype(call: Call) -> None:
    text.teletype(call, call.byte(areas.ACTIVE_PAGE), call.al)


def _get_mode(call: Call) -> None:
    call.al = call.byte(areas.VIDEO_MODE) | call.byte(areas.VIDEO_CONTROL) & KEEP_MEMORY
    call.ah = call.byte(areas.VIDEO_COLUMNS)
    call.bh = call.byte(areas.ACTIVE_PAGE)


def _characters(call: Call) -> None:
    """AL=30h asks where the shapes of the characters are and how tall; the others would load some."""
    if call.al != 0x30:
        call.note(VIDEO, "the shapes of the characters stay as they are")
        return
    call.load_es(0)
    call.bp = 0
    call.cx = call.word(areas.CHARACTER_HEIGHT)
    call.dl = call.byte(areas.ROWS)


def _alternate_select(call: Call) -> None:
    if call.bl == 0x10:
        call.bh, call.bl = _COLOUR_DISPLAY, _MEMORY_256K
        call.ch, call.cl = 0, _SWITCHES
    elif call.bl in range(0x30, 0x37):
        call.al = 0x12  # the function is there; it makes no difference here


def _write_string(call: Call) -> None:
    """AL bit 0: the cursor moves; bit 1: each character has its attribute behind it."""
    page, saved = call.bh, text.position(call, call.bh)
    paired = bool(call.al & 2)
    raw = call.read(call.at("es", call.bp), call.cx * (2 if paired else 1))
    text.move(call, page, call.dh, call.dl)
    for index in range(call.cx):
        if paired:
            text.teletype(call, page, raw[2 * index], raw[2 * index + 1])
        else:
            text.teletype(call, page, raw[index], call.bl)
    if not call.al & 1:
        text.move(call, page, *saved)


def _display_combination(call: Call) -> None:
    if call.al == 0:
        call.bx = _VGA_COLOUR
    call.al = 0x1A


def _state(call: Call) -> None:
    """64 bytes at ES:DI: where the table of what there is stands, the BIOS's variables, and what follows from them."""
    offset = rom.offset_of("bios_video_functions")
    assert offset is not None
    state = bytearray(_STATE_SIZE)
    state[0:4] = offset.to_bytes(2, "little") + rom.SEGMENT.to_bytes(2, "little")
    state[4:34] = call.read(areas.VIDEO_MODE, 30)
    state[0x22] = call.byte(areas.ROWS) + 1
    state[0x23:0x25] = call.read(areas.CHARACTER_HEIGHT, 2)
    state[0x25] = _VGA_COLOUR
    state[0x27:0x29] = (16).to_bytes(2, "little")  # colours
    state[0x29] = video_modes.PAGES
    state[0x2A] = 2  # 400 scan lines
    state[0x31] = _MEMORY_256K
    call.write(call.at("es", call.di), bytes(state))
    call.al = 0x1B


def _vesa(call: Call) -> None:
    call.note(VIDEO, "no VESA modes")
    call.ax = _VBE_FAILED


def _nothing(_call: Call) -> None:
    """Accepted: the colour of a border that nobody sees."""


_FUNCTIONS: Final[dict[int, Callable[[Call], None]]] = {
    0x00: _set_mode,
    0x01: _set_cursor_shape,
    0x02: _set_cursor,
    0x03: _get_cursor,
    0x05: _select_page,
    0x06: _scroll_up,
    0x07: _scroll_down,
    0x08: _read_character,
    0x09: _write_character_and_attribute,
    0x0A: _write_character,
    0x0B: _nothing,
    0x0C: _write_pixel,
    0x0D: _read_pixel,
    0x0E: _teletype,
    0x0F: _get_mode,
    0x10: palette.serve,
    0x11: _characters,
    0x12: _alternate_select,
    0x13: _write_string,
    0x1A: _display_combination,
    0x1B: _state,
    0x4F: _vesa,
}
