"""Characters on the screen: cells of text memory, the cursor, scrolling.

Source: IBM PC/AT Technical Reference and IBM PS/2 BIOS Interface Technical Reference, INT 10h.
"""

from __future__ import annotations

from idtviz.machine.firmware import areas, video_modes
from idtviz.machine.firmware.call import Call
from idtviz.machine.firmware.video_modes import CURSOR_HIGH, PAGES


def position(call: Call, page: int) -> tuple[int, int]:
    """Row and column of a page's cursor."""
    word = call.word(areas.CURSOR_POSITIONS + 2 * (page % PAGES))
    return word >> 8, word & 0xFF


def move(call: Call, page: int, row: int, column: int) -> None:
    """Put a page's cursor there; that of the page shown is drawn by the CRTC."""
    call.set_word(areas.CURSOR_POSITIONS + 2 * (page % PAGES), row << 8 | column)
    if page == call.byte(areas.ACTIVE_PAGE):
        location = row * call.word(areas.VIDEO_COLUMNS) + column + call.word(areas.PAGE_OFFSET) // 2
        video_modes.set_crtc(call, CURSOR_HIGH, location & 0xFFFF)


def cell(call: Call, page: int, row: int, column: int) -> int:
    """The address of a cell."""
    start = video_modes.current(call).memory + page % PAGES * call.word(areas.PAGE_SIZE)
    return start + 2 * (row * call.word(areas.VIDEO_COLUMNS) + column)


def at_cursor(call: Call, page: int) -> int:
    """The address of the cell at a page's cursor."""
    return cell(call, page, *position(call, page))


def put(call: Call, page: int, character: int, attribute: int | None, count: int = 1) -> None:
    """The same character into `count` cells from the cursor on, which stays; None: each keeps its attribute."""
    if not video_modes.current(call).text:
        return
    address = at_cursor(call, page)
    if attribute is None:
        cells = bytearray(call.read(address, 2 * count))
        cells[0::2] = bytes((character,)) * count
    else:
        cells = bytearray((character, attribute) * count)
    call.write(address, bytes(cells))


def teletype(call: Call, page: int, character: int, attribute: int | None = None) -> None:
    """A character at the cursor, which moves on; bell, backspace, line feed and carriage return do what they do."""
    row, column = position(call, page)
    match character:
        case 0x07:  # bell
            return
        case 0x08:  # backspace
            column = max(0, column - 1)
        case 0x0A:  # line feed
            row += 1
        case 0x0D:  # carriage return
            column = 0
        case _:
            put(call, page, character, attribute)
            column += 1
            if column >= call.word(areas.VIDEO_COLUMNS):
                row, column = row + 1, 0
    if row > call.byte(areas.ROWS):
        row = call.byte(areas.ROWS)
        scroll(call, page, 1, _attribute(call, page), 0, 0, row, call.word(areas.VIDEO_COLUMNS) - 1)
    move(call, page, row, column)


def _attribute(call: Call, page: int) -> int:
    """What a scrolled-in line looks like: as the cell at the cursor."""
    return call.byte(at_cursor(call, page) + 1)


def scroll(call: Call, page: int, lines: int, attribute: int, top: int, left: int, bottom: int, right: int) -> None:
    """Move the rows of a window up by `lines`, or down by a negative number; 0, or more than it has, clears it."""
    if not video_modes.current(call).text:
        return
    bottom, right = min(bottom, call.byte(areas.ROWS)), min(right, call.word(areas.VIDEO_COLUMNS) - 1)
    if top > bottom or left > right:
        return
    width = 2 * (right - left + 1)
    rows = [call.read(cell(call, page, row, left), width) for row in range(top, bottom + 1)]
    blank = bytes((0x20, attribute)) * (width // 2)
    if not lines or abs(lines) > len(rows):
        lines = len(rows)
    empty = [blank] * abs(lines)
    moved = rows[lines:] + empty if lines > 0 else empty + rows[:lines]
    for row, (before, after) in enumerate(zip(rows, moved, strict=True), top):
        if before != after:
            call.write(cell(call, page, row, left), after)
