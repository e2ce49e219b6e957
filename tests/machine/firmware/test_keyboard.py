"""INT 09h and INT 16h: keys into the BIOS's buffer and out of it."""

import pytest

from tests.machine.firmware.bios_calls import Caller


@pytest.fixture
def caller() -> Caller:
    return Caller()


def test_a_key_is_waited_for(caller: Caller) -> None:
    answer = caller.call(0x16, interrupts=True, ah=0, keys="a")
    assert answer.ax == 0x1E61


def test_without_a_key_the_wait_does_not_end_but_goes_on_in_virtual_time(caller: Caller) -> None:
    with pytest.raises(AssertionError, match="does not end"):
        caller.call(0x16, interrupts=True, ah=0)
    assert caller.doubleword(0x46C) > 100


def test_looking_for_a_key_leaves_it_there(caller: Caller) -> None:
    assert caller.call(0x16, ah=1).zero
    caller.type_keys("b")
    for _ in range(2):
        answer = caller.call(0x16, ah=1)
        assert (answer.zero, answer.ax) == (False, 0x3062)
    assert caller.call(0x16, ah=0).ax == 0x3062
    assert caller.call(0x16, ah=1).zero


def test_keys_come_out_in_the_order_in_which_they_were_typed(caller: Caller) -> None:
    caller.type_keys("Hi!")
    assert [caller.call(0x16, ah=0).al for _ in range(3)] == list(b"Hi!")


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ("A", 0x1E41),
        ("<ctrl+c>", 0x2E03),
        ("<alt+x>", 0x2D00),
        ("@", 0x0340),
        ("\n", 0x1C0D),
        ("\b", 0x0E08),
        ("<esc>", 0x011B),
        ("<shift+tab>", 0x0F00),
        ("<f1>", 0x3B00),
        ("<shift+f1>", 0x5400),
        ("<ctrl+f10>", 0x6700),
        ("<alt+f1>", 0x6800),
        ("<alt+1>", 0x7800),
        ("<up>", 0x4800),
        ("<ctrl+left>", 0x7300),
        ("<capslock>q", 0x1051),
        ("<capslock>Q", 0x1071),
        ("<capslock>1", 0x0231),
    ],
)
def test_a_key_gives_the_word_that_a_pc_gives_for_it(caller: Caller, keys: str, word: int) -> None:
    caller.type_keys(keys)
    assert caller.call(0x16, ah=0).ax == word


def test_function_10h_tells_the_grey_keys_from_those_of_the_keypad(caller: Caller) -> None:
    caller.type_keys("<up>")
    assert caller.call(0x16, ah=0x11).ax == 0x48E0
    assert caller.call(0x16, ah=0x10).ax == 0x48E0


def test_function_00h_passes_over_the_keys_of_the_newer_keyboard(caller: Caller) -> None:
    caller.type_keys("<f11>z")
    assert caller.call(0x16, ah=0).al == ord("z")


def test_the_shift_keys_can_be_asked_for(caller: Caller) -> None:
    machine = caller.machine
    machine.type_scancodes(bytes((0x2A, 0x1D)))  # left Shift and left Ctrl go down and stay there
    caller.type_keys("<capslock>")
    assert caller.call(0x16, ah=0x02).al == 0x46
    assert caller.call(0x16, ah=0x12).ah == 0x01
    machine.type_scancodes(bytes((0xAA, 0x9D)))
    caller.type_keys("<capslock>")
    assert caller.call(0x16, ah=0x02).al == 0


def test_right_ctrl_keeps_the_flag_while_left_ctrl_goes_up(caller: Caller) -> None:
    caller.machine.type_scancodes(bytes((0x1D, 0xE0, 0x1D, 0x9D)))
    caller.type_keys("")
    assert caller.call(0x16, ah=0x02).al == 0x04
    assert caller.call(0x16, ah=0x12).ah == 0x04


def test_num_lock_makes_digits_of_the_keypad_and_shift_the_other_way_round(caller: Caller) -> None:
    caller.machine.type_scancodes(bytes((0x45, 0xC5, 0x47, 0xC7, 0x2A, 0x47, 0xC7, 0xAA)))
    caller.type_keys("")
    assert [caller.call(0x16, ah=0).ax for _ in range(2)] == [0x4737, 0x4700]


def test_a_character_is_typed_by_its_number_with_alt(caller: Caller) -> None:
    caller.machine.type_scancodes(bytes((0x38, 0x4D, 0xCD, 0x4C, 0xCC, 0xB8)))  # Alt, 6, 5
    caller.type_keys("")
    assert caller.call(0x16, ah=0).ax == 0x0041


def test_the_pause_key_gives_nothing(caller: Caller) -> None:
    caller.machine.type_scancodes(bytes((0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5)))
    caller.type_keys("k")
    assert caller.call(0x16, ah=0).al == ord("k")
    assert caller.call(0x16, ah=0x02).al == 0


def test_the_buffer_holds_fifteen_keys(caller: Caller) -> None:
    taken = [caller.call(0x16, ah=0x05, cx=0x1E61).al for _ in range(16)]
    assert taken == [0] * 15 + [1]
    assert [caller.call(0x16, ah=0).ax for _ in range(15)] == [0x1E61] * 15
    assert caller.call(0x16, ah=1).zero


def test_ctrl_break_calls_int_1bh_and_empties_the_buffer(caller: Caller) -> None:
    caller.type_keys("abc")
    caller.write(0x1B * 4, (0x8800).to_bytes(4, "little"))
    caller.write(0x8800, bytes.fromhex("2e c606 0089 77 cf"))  # mov byte cs:[0x8900], 0x77; iret
    caller.machine.type_scancodes(bytes((0x1D, 0xE0, 0x46, 0xE0, 0xC6, 0x9D)))
    caller.type_keys("")
    assert caller.read(0x8900, 1) == b"\x77"
    assert caller.read(0x471, 1) == b"\x80"
    assert caller.call(0x16, ah=0).ax == 0


def test_a_program_that_hooks_int_15h_sees_each_code_and_may_keep_it(caller: Caller) -> None:
    """The hook counts the codes, and takes them: CF = 0."""
    caller.write(0x8800, bytes.fromhex("2e fe06 0089 80fc4f 7405 ea") + b"\0\0\0\0" + bytes.fromhex("f8 ca0200"))
    old = caller.read(0x15 * 4, 4)
    caller.write(0x8800 + 11, old)
    caller.write(0x15 * 4, (0x8800).to_bytes(4, "little"))
    caller.machine.type_scancodes(bytes((0x1E, 0x9E)))
    caller.type_keys("")
    assert caller.read(0x8900, 1)[0] >= 2
    caller.write(0x15 * 4, old)
    assert caller.call(0x16, ah=1).zero


def test_ctrl_alt_del_boots_again(caller: Caller) -> None:
    caller.print("before")
    caller.machine.board.drives[0].write(0, b"\xfa\xf4".ljust(510, b"\0") + b"\x55\xaa")  # cli; hlt
    caller.machine.type_scancodes(bytes((0x1D, 0x38, 0x53)))
    caller.start(bytes.fromhex("f4 ebfd"), interrupts=True)  # hlt; jmp to it
    caller.run()
    assert caller.screen == ""
    assert caller.machine.cpu.rip == 0x7C02
    assert caller.word(0x472) == 0x1234
