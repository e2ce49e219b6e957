"""INT 10h: the screen."""

import pytest

from tests.machine.firmware.bios_calls import BUFFER, Caller


@pytest.fixture
def caller() -> Caller:
    return Caller()


def test_the_screen_is_empty_when_a_boot_sector_is_entered(caller: Caller) -> None:
    assert caller.screen == ""
    assert caller.cursor == (0, 0)
    assert caller.read(0xB8000, 4) == b" \x07 \x07"


def test_teletype_writes_at_the_cursor_and_moves_it_on(caller: Caller) -> None:
    caller.print("ab")
    assert caller.screen == "ab"
    assert caller.cursor == (0, 2)
    assert caller.read(0x450, 2) == bytes((2, 0))


def test_carriage_return_line_feed_backspace_and_bell_write_nothing(caller: Caller) -> None:
    caller.print("abc\r\n\ad\b")
    assert caller.screen == "abc\nd"
    assert caller.cursor == (1, 0)


def test_backspace_stays_in_the_first_column(caller: Caller) -> None:
    caller.print("\n\b")
    assert caller.cursor == (1, 0)


def test_a_line_that_is_full_goes_on_in_the_next(caller: Caller) -> None:
    caller.print("x" * 81)
    assert caller.screen == "x" * 80 + "\nx"


def test_a_line_feed_in_the_last_row_scrolls(caller: Caller) -> None:
    caller.print("first\r\nsecond" + "\r\n" * 24)
    assert caller.screen == "second"
    assert caller.cursor == (24, 0)


def test_what_is_scrolled_in_looks_like_the_row_of_the_cursor(caller: Caller) -> None:
    caller.call(0x10, ah=0x02, bh=0, dx=0x1800)
    caller.call(0x10, ah=0x09, al=0x20, bx=0x001F, cx=1)
    caller.print("\n")
    assert caller.read(0xB8000 + 2 * 80 * 24, 2) == b" \x1f"


def test_the_cursor_is_put_and_asked_for_by_page(caller: Caller) -> None:
    caller.call(0x10, ah=0x02, bh=1, dx=0x0A14)
    assert caller.cursor == (0, 0)
    answer = caller.call(0x10, ah=0x03, bh=1)
    assert (answer.dx, answer.cx) == (0x0A14, 0x0607)


def test_selecting_a_page_shows_its_memory_and_its_cursor(caller: Caller) -> None:
    caller.call(0x10, ah=0x02, bh=1, dx=0x0203)
    caller.call(0x10, ah=0x0A, al=ord("p"), bh=1, cx=1)
    assert caller.screen == ""
    caller.call(0x10, ax=0x0501)
    assert caller.screen == "\n\n   p"
    assert caller.cursor == (2, 3)
    assert caller.call(0x10, ah=0x0F).bh == 1


def test_a_character_with_an_attribute_is_written_as_often_as_asked_and_the_cursor_stays(caller: Caller) -> None:
    caller.call(0x10, ah=0x09, al=ord("*"), bx=0x004E, cx=3)
    assert caller.read(0xB8000, 8) == b"*N*N*N \x07"
    assert caller.cursor == (0, 0)


def test_a_character_without_an_attribute_keeps_the_one_that_was_there(caller: Caller) -> None:
    caller.call(0x10, ah=0x09, al=ord("*"), bx=0x004E, cx=1)
    caller.call(0x10, ah=0x0A, al=ord("+"), bx=0, cx=2)
    assert caller.read(0xB8000, 4) == b"+N+\x07"


def test_the_character_at_the_cursor_is_read_with_its_attribute(caller: Caller) -> None:
    caller.call(0x10, ah=0x09, al=ord("Q"), bx=0x0071, cx=1)
    assert caller.call(0x10, ah=0x08, bh=0).ax == 0x7151


def test_scrolling_up_moves_the_window_alone(caller: Caller) -> None:
    caller.print("1a\r\n2b\r\n3c")
    caller.call(0x10, ax=0x0601, bh=0x17, cx=0x0001, dx=0x024F)
    assert caller.screen == "1b\n2c\n3"
    assert caller.read(0xB8000 + 2 * (2 * 80 + 1), 2) == b" \x17"


def test_scrolling_down_moves_the_rows_the_other_way(caller: Caller) -> None:
    caller.print("1\r\n2\r\n3")
    caller.call(0x10, ax=0x0701, bh=7, cx=0, dx=0x024F)
    assert caller.screen == "\n1\n2"


@pytest.mark.parametrize("lines", [0, 25, 200])
def test_scrolling_by_nothing_or_by_more_than_there_is_clears_the_window(caller: Caller, lines: int) -> None:
    caller.print("1\r\n2")
    caller.call(0x10, ah=0x06, al=lines, bh=0x1E, cx=0, dx=0x184F)
    assert caller.screen == ""
    assert caller.read(0xB8000, 2) == b" \x1e"


def test_a_string_is_written_with_one_attribute_and_the_cursor_moves_where_that_is_asked_for(caller: Caller) -> None:
    caller.write(BUFFER, b"hi\r\nyou")
    caller.call(0x10, ax=0x1301, bx=0x0002, cx=7, dx=0x0305, es=0, bp=BUFFER)
    assert caller.screen == "\n\n\n     hi\nyou"
    assert caller.cursor == (4, 3)
    caller.call(0x10, ax=0x1300, bx=0x0002, cx=2, dx=0, es=0, bp=BUFFER)
    assert caller.cursor == (4, 3)


def test_a_string_can_bring_its_attributes(caller: Caller) -> None:
    caller.write(BUFFER, b"a\x1fb\x2f")
    caller.call(0x10, ax=0x1302, bx=0, cx=2, dx=0, es=0, bp=BUFFER)
    assert caller.read(0xB8000, 4) == b"a\x1fb\x2f"


def test_setting_mode_3_clears_the_screen_and_puts_the_cursor_home(caller: Caller) -> None:
    caller.print("gone")
    caller.call(0x10, ax=0x0003)
    assert caller.screen == ""
    assert caller.cursor == (0, 0)
    answer = caller.call(0x10, ah=0x0F)
    assert (answer.al, answer.ah, answer.bh) == (3, 80, 0)


def test_bit_7_of_the_mode_keeps_what_is_in_memory(caller: Caller) -> None:
    caller.print("kept")
    caller.call(0x10, ax=0x0083)
    assert caller.screen == "kept"
    assert caller.call(0x10, ah=0x0F).al == 0x83


def test_mode_1_has_40_columns(caller: Caller) -> None:
    caller.call(0x10, ax=0x0001)
    caller.print("y" * 41)
    assert caller.machine.board.vga.state.columns == 40
    assert caller.screen == "y" * 40 + "\ny"


def test_a_graphics_mode_programs_the_chip_and_draws_no_characters(caller: Caller) -> None:
    caller.call(0x10, ax=0x0013)
    assert caller.machine.board.vga.state.sequencer[4] == 0x0E
    assert "text from 0xB8000 alone" in caller.notes[-1]
    caller.print("x")
    assert not any(caller.read(0xA0000, 0x1000))


def test_a_pixel_in_mode_13h_is_a_byte(caller: Caller) -> None:
    caller.call(0x10, ax=0x0013)
    caller.call(0x10, ah=0x0C, al=0x2A, bh=0, cx=319, dx=199)
    assert caller.read(0xA0000 + 63999, 1) == b"\x2a"
    assert caller.call(0x10, ah=0x0D, bh=0, cx=319, dx=199).al == 0x2A


def test_a_mode_that_no_vga_has_leaves_the_screen_as_it_is(caller: Caller) -> None:
    caller.print("here")
    caller.call(0x10, ax=0x0055)
    assert caller.screen == "here"
    assert "no such mode" in caller.notes[-1]


def test_the_shape_of_the_cursor_goes_to_the_crtc_and_can_be_asked_for(caller: Caller) -> None:
    caller.call(0x10, ah=0x01, cx=0x2000)
    assert not caller.machine.board.vga.state.cursor.visible
    assert caller.call(0x10, ah=0x03, bh=0).cx == 0x2000


def test_the_palette_and_the_dac_are_set_and_read_back(caller: Caller) -> None:
    caller.call(0x10, ax=0x1000, bx=0x3E05)
    assert caller.call(0x10, ax=0x1007, bl=5).bh == 0x3E
    caller.call(0x10, ax=0x1010, bx=7, dh=0x10, ch=0x20, cl=0x30)
    answer = caller.call(0x10, ax=0x1015, bx=7)
    assert (answer.dh, answer.ch, answer.cl) == (0x10, 0x20, 0x30)


def test_a_block_of_the_dac_goes_to_memory_and_back(caller: Caller) -> None:
    caller.write(BUFFER, bytes(range(6)))
    caller.call(0x10, ax=0x1012, bx=200, cx=2, es=0, dx=BUFFER)
    caller.call(0x10, ax=0x1017, bx=200, cx=2, es=0, dx=BUFFER + 0x100)
    assert caller.read(BUFFER + 0x100, 6) == bytes(range(6))


def test_the_attribute_controller_shows_the_palette_again_after_a_call(caller: Caller) -> None:
    caller.call(0x10, ax=0x1003, bl=0)
    state = caller.machine.board.vga.state
    assert state.attribute_index & 0x20
    assert not state.attribute_data_next
    assert not state.attribute[0x10] & 0x08


def test_programs_find_a_colour_vga(caller: Caller) -> None:
    ega = caller.call(0x10, ah=0x12, bl=0x10)
    assert (ega.bh, ega.bl) == (0, 3)
    combination = caller.call(0x10, ax=0x1A00)
    assert (combination.al, combination.bx) == (0x1A, 8)
    assert caller.call(0x10, ax=0x1130, bh=6).cx == 16
    assert caller.call(0x10, ax=0x1B00, bx=0, es=0, di=BUFFER).al == 0x1B
    assert caller.read(BUFFER + 4, 1) == b"\x03"
    assert caller.read(BUFFER + 0x22, 1) == b"\x19"


def test_there_are_no_vesa_modes(caller: Caller) -> None:
    assert caller.call(0x10, ax=0x4F00, es=0, di=BUFFER).ax == 0x0100


def test_a_function_that_is_not_there_changes_nothing_and_is_logged_once(caller: Caller) -> None:
    for _ in range(2):
        assert caller.call(0x10, ax=0x7755).ax == 0x7755
    assert [note for note in caller.notes if "AX=0x7755" in note] == caller.notes
