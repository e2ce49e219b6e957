"""The VGA's registers, and text memory as text."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.machine.chips.text_screen import decode_text
from idtviz.machine.chips.vga import TEXT_MEMORY_SIZE, Vga


@dataclass
class Time:
    now: int = 0
    hertz: int = 10_000_000


def write_crtc(vga: Vga, index: int, value: int) -> None:
    vga.write(0x3D4, 2, value << 8 | index)


def test_after_the_bios_the_cursor_is_visible_at_the_top_left() -> None:
    cursor = Vga(Time()).state.cursor
    assert (cursor.row, cursor.column, cursor.visible) == (0, 0, True)
    assert (cursor.first_line, cursor.last_line) == (13, 14)


def test_the_cursor_location_is_written_and_read_through_index_and_data() -> None:
    vga = Vga(Time())
    location = 12 * 80 + 34
    vga.write(0x3D4, 1, 0x0E)
    vga.write(0x3D5, 1, location >> 8)
    vga.write(0x3D4, 1, 0x0F)
    vga.write(0x3D5, 1, location & 0xFF)
    assert (vga.state.cursor.row, vga.state.cursor.column) == (12, 34)
    assert vga.read(0x3D5, 1) == location & 0xFF
    assert vga.read(0x3D4, 1) == 0x0F


def test_bit_5_of_cursor_start_hides_the_cursor() -> None:
    vga = Vga(Time())
    write_crtc(vga, 0x0A, 0x20)
    assert not vga.state.cursor.visible
    write_crtc(vga, 0x0A, 0x0F)  # starts below its end
    assert not vga.state.cursor.visible


def test_the_start_address_scrolls_the_screen() -> None:
    vga = Vga(Time())
    memory = bytearray(b" \x07" * (TEXT_MEMORY_SIZE // 2))
    memory[160:162] = b"X\x1f"
    assert vga.screen(bytes(memory)).lines[1].startswith("X ")
    write_crtc(vga, 0x0D, 80)
    screen = vga.screen(bytes(memory))
    assert (screen.lines[0][0], screen.attributes[0][0]) == ("X", 0x1F)
    write_crtc(vga, 0x0C, 0x3F)  # the last rows of memory, then its beginning again
    write_crtc(vga, 0x0D, 0xB0)
    assert vga.screen(bytes(memory)).lines[2].startswith("X")


def test_text_is_decoded_from_code_page_437_with_nul_as_a_blank() -> None:
    raw = b"".join(bytes((code, 0x07)) for code in b"A\x00\x01\xb0\x7f\xff\xe1")
    screen = decode_text(raw)
    assert screen.lines[0][:7] == "A ☺░⌂ ß"
    assert {len(line) for line in screen.lines} == {80}
    assert len(screen.lines) == len(screen.attributes) == 25
    assert screen.attributes[0][:8] == b"\x07" * 7 + b"\x00"
    assert screen.text == "A ☺░⌂ ß"


def test_every_character_is_one_cell_wide_and_printable() -> None:
    raw = b"".join(bytes((code, 7)) for code in range(256))
    line = decode_text(raw, 256, 1).lines[0]
    assert len(line) == 256
    assert line.isprintable()


def test_the_attribute_controller_takes_index_and_data_in_turns() -> None:
    vga = Vga(Time())
    vga.read(0x3DA, 1)
    vga.write(0x3C0, 1, 0x30)
    vga.write(0x3C0, 1, 0x04)
    assert (vga.read(0x3C0, 1), vga.read(0x3C1, 1)) == (0x30, 0x04)
    vga.write(0x3C0, 1, 0x31)
    vga.read(0x3DA, 1)  # the flip-flop is reset: an index comes next
    vga.write(0x3C0, 1, 0x30)
    assert vga.read(0x3C1, 1) == 0x04


def test_the_register_files_read_back() -> None:
    vga = Vga(Time())
    vga.write(0x3C4, 2, 0x0F02)
    vga.write(0x3CE, 2, 0x0506)
    vga.write(0x3C2, 1, 0x63)
    vga.write(0x3DA, 1, 0x01)
    vga.write(0x3C6, 1, 0x0F)
    vga.write(0x3C3, 1, 0x00)
    assert vga.read(0x3C4, 2) == 0x0F02
    assert vga.read(0x3CE, 2) == 0x0506
    assert vga.read(0x3CC, 1) == 0x63
    assert vga.read(0x3CA, 1) == 0x01
    assert vga.read(0x3C6, 1) == 0x0F
    assert vga.read(0x3C3, 1) == 0x00
    assert vga.read(0x3C2, 1) == 0x10
    assert vga.read(0x3CB, 1) == 0xFF
    vga.write(0x3CB, 1, 0)
    vga.write(0x3D4, 2, 0x551F)  # a register that is not there
    assert vga.read(0x3D5, 1) == 0


def test_the_timing_registers_are_write_protected_but_for_line_compare() -> None:
    vga = Vga(Time())
    assert vga.state.crtc[0x11] & 0x80
    write_crtc(vga, 0x01, 39)
    write_crtc(vga, 0x07, 0x00)
    assert (vga.state.columns, vga.state.crtc[7]) == (80, 0x0F)
    write_crtc(vga, 0x11, 0x0E)
    write_crtc(vga, 0x01, 39)
    assert vga.state.columns == 40


def test_the_palette_moves_on_by_itself() -> None:
    vga = Vga(Time())
    vga.write(0x3C8, 1, 5)
    assert vga.read(0x3C7, 1) == 0
    for value in (1, 2, 3, 4):
        vga.write(0x3C9, 1, value)
    assert vga.read(0x3C8, 1) == 6
    vga.write(0x3C7, 1, 5)
    assert vga.read(0x3C7, 1) == 3
    assert [vga.read(0x3C9, 1) for _ in range(4)] == [1, 2, 3, 4]


def test_the_retrace_bits_follow_the_clock() -> None:
    time = Time()
    vga = Vga(time)
    frames = 0
    retrace = False
    for now in range(0, 1_000_000, 50):
        time.now = now
        status = vga.read(0x3DA, 1)
        if status & 8:
            assert status & 1  # the display is off during vertical retrace
            frames += not retrace
        retrace = bool(status & 8)
    assert frames == 7
