"""The 8042 and the keyboard on its cable."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from idtviz.machine.chips import ps2
from idtviz.machine.chips.keyboard import TYPIST_LIMIT, Keyboard
from idtviz.machine.chips.scancodes import describe, encode


@dataclass
class Time:
    now: int = 0
    hertz: int = 1_000_000


@dataclass
class Bench:
    time: Time = field(default_factory=Time)
    edges: list[bool] = field(default_factory=list)
    gates: list[bool] = field(default_factory=list)
    resets: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chip = Keyboard(self.time, self.edges.append, self.gates.append, self.resets.append)

    def next_byte(self) -> int | None:
        """Wait for the next byte and read it, as a polling driver does."""
        due = self.chip.deadline()
        if due is not None:
            self.time.now = max(due, self.time.now)
            self.chip.advance()
        return self.chip.read(0x60, 1) if self.chip.read(0x64, 1) & 1 else None

    def all_bytes(self) -> bytes:
        codes = bytearray()
        while (byte := self.next_byte()) is not None:
            codes.append(byte)
        return bytes(codes)

    def command(self, value: int, parameter: int | None = None) -> None:
        self.chip.write(0x64, 1, value)
        if parameter is not None:
            self.chip.write(0x60, 1, parameter)

    def to_keyboard(self, *values: int) -> bytes:
        for value in values:
            self.chip.write(0x60, 1, value)
        return self.all_bytes()


def test_a_key_fills_the_output_buffer_raises_irq1_and_a_read_lowers_it() -> None:
    bench = Bench()
    bench.chip.type_scancodes(b"\x23")
    assert bench.chip.read(0x64, 1) == 0x14
    assert bench.chip.deadline() == 1000
    bench.time.now = 1000
    bench.chip.advance()
    assert bench.chip.read(0x64, 1) == 0x15
    assert bench.edges == [True]
    assert bench.chip.read(0x60, 1) == 0x23
    assert bench.edges == [True, False]
    assert bench.chip.read(0x64, 1) == 0x14
    assert bench.chip.deadline() is None


def test_keys_come_a_millisecond_apart_and_only_when_the_last_was_read() -> None:
    bench = Bench()
    bench.chip.type_scancodes(encode("hi"))
    times = []
    while bench.next_byte() is not None:
        times.append(bench.time.now)
    assert times == [1000, 2000, 3000, 4000]
    bench.chip.type_scancodes(encode("h"))
    bench.time.now = 10_000
    bench.chip.advance()
    bench.time.now = 90_000
    assert bench.chip.deadline() is None  # the first byte is still in the output buffer
    bench.chip.advance()
    assert bench.chip.read(0x60, 1) == 0x23


def test_a_byte_that_is_not_due_does_not_come() -> None:
    bench = Bench()
    bench.chip.type_scancodes(b"\x23")
    bench.time.now = 999
    bench.chip.advance()
    assert not bench.chip.read(0x64, 1) & 1


def test_a_long_text_loses_nothing() -> None:
    bench = Bench()
    codes = encode("The quick brown fox jumps over the lazy dog; 0123456789 <f1><up>!\n" * 5)
    assert bench.chip.type_scancodes(codes) == len(codes)
    assert bench.all_bytes() == codes


def test_the_typists_queue_is_bounded() -> None:
    bench = Bench()
    assert bench.chip.type_scancodes(bytes(5000)) == TYPIST_LIMIT
    assert bench.chip.type_scancodes(b"\x23") == 0


def test_without_translation_the_guest_reads_set_2() -> None:
    bench = Bench()
    bench.command(0x60, 0x05)
    bench.chip.type_scancodes(encode("h<up>"))
    assert bench.all_bytes() == bytes.fromhex("33 f0 33 e0 75 e0 f0 75")


def test_a_keyboard_in_set_1_needs_no_translation() -> None:
    bench = Bench()
    bench.command(0x60, 0x05)
    assert bench.to_keyboard(0xF0, 0x01) == bytes((0xFA, 0xFA))
    assert bench.to_keyboard(0xF0, 0x00) == bytes((0xFA, 0xFA, 0x01))
    bench.chip.type_scancodes(encode("h"))
    assert bench.all_bytes() == encode("h")


def test_every_key_survives_the_way_to_set_2_and_back() -> None:
    for code in range(1, 0x59):
        sent = ps2.press(ps2.Ps2KeyboardState(), code).buffer
        assert [ps2.translate(byte) for byte in sent] == [code]


def test_irq1_can_be_switched_off_in_the_command_byte() -> None:
    bench = Bench()
    bench.command(0x60, 0x44)
    bench.chip.type_scancodes(b"\x23")
    assert bench.next_byte() == 0x23
    assert bench.edges == []


def test_switching_irq1_on_over_a_full_buffer_raises_it() -> None:
    bench = Bench()
    bench.command(0x60, 0x44)
    bench.command(0x20)
    bench.command(0x60, 0x45)
    assert bench.edges == [True]


def test_a_disabled_interface_lets_no_key_through() -> None:
    bench = Bench()
    bench.command(0xAD)
    bench.chip.type_scancodes(b"\x23")
    assert bench.chip.deadline() is None
    bench.command(0xAE)
    assert bench.next_byte() == 0x23


def test_a_byte_sent_to_the_keyboard_enables_the_interface() -> None:
    bench = Bench()
    bench.command(0xAD)
    assert bench.to_keyboard(0xEE) == b"\xee"


@pytest.mark.parametrize(
    ("command", "reply"),
    [(0x20, 0x45), (0xAA, 0x55), (0xAB, 0x00), (0xA9, 0x00), (0xC0, 0x80), (0xD0, 0xC3), (0xE0, 3)],
)
def test_a_controller_command_answers_at_once(command: int, reply: int) -> None:
    bench = Bench()
    bench.command(command)
    assert bench.chip.read(0x64, 1) == 0x1D  # OBF, system flag, command, not inhibited
    assert bench.chip.read(0x60, 1) == reply


def test_a_second_answer_waits_for_the_first_and_makes_its_own_edge() -> None:
    bench = Bench()
    bench.command(0xAA)
    bench.command(0xAB)
    assert bench.chip.read(0x60, 1) == 0x55
    assert bench.edges == [True, False, True]
    assert bench.chip.read(0x60, 1) == 0x00


def test_the_auxiliary_interface_is_switched_in_the_command_byte() -> None:
    bench = Bench()
    bench.command(0xA7)
    assert bench.chip.state.command_byte & 0x20
    bench.command(0xA8)
    assert not bench.chip.state.command_byte & 0x20


def test_nobody_answers_on_the_auxiliary_cable() -> None:
    bench = Bench()
    bench.command(0xD4, 0xF4)
    assert bench.chip.read(0x64, 1) & 0x61 == 0x61  # OBF, AUX and time-out
    assert bench.edges == []
    assert bench.chip.read(0x60, 1) == 0xFE
    bench.command(0xD3, 0x12)
    assert bench.chip.read(0x64, 1) & 0x61 == 0x21


def test_the_output_port_holds_a20_and_the_reset_line() -> None:
    bench = Bench()
    assert bench.chip.state.a20
    bench.command(0xD1, 0xDD)
    assert not bench.chip.state.a20
    bench.command(0xD1, 0xDD)
    assert (bench.gates, bench.resets) == ([False], [])
    bench.command(0xD1, 0xDE)
    assert (bench.gates, bench.resets) == ([False, True], ["a reset, by bit 0 of the 8042's output port"])


def test_commands_dd_and_df_close_and_open_a20() -> None:
    bench = Bench()
    bench.command(0xDD)
    bench.command(0xD0)
    assert bench.chip.read(0x60, 1) & 2 == 0
    bench.command(0xDF)
    assert bench.gates == [False, True]


@pytest.mark.parametrize("command", range(0xF0, 0x100))
def test_pulsing_bit_0_of_the_output_port_asks_for_a_reset(command: int) -> None:
    bench = Bench()
    bench.command(command)
    assert len(bench.resets) == (command & 1 == 0)
    assert bench.gates == []


def test_the_mouse_port_tests_well_and_can_be_switched_off_and_on() -> None:
    bench = Bench()
    bench.command(0xA9)
    assert (bench.chip.read(0x64, 1) & 0x21, bench.chip.read(0x60, 1)) == (0x01, 0x00)
    for command, disabled in ((0xA7, 0x20), (0xA8, 0x00)):
        bench.command(command)
        bench.command(0x20)
        assert bench.chip.read(0x60, 1) & 0x20 == disabled


def test_a_byte_to_the_absent_mouse_times_out_at_once_and_raises_no_irq1() -> None:
    bench = Bench()
    bench.command(0xD4, 0xFF)
    assert bench.chip.read(0x64, 1) & 0x61 == 0x61  # OBF, AUX and TIMEOUT
    assert bench.chip.read(0x60, 1) == 0xFE
    assert bench.chip.read(0x64, 1) & 0x61 == 0
    assert bench.edges == []


def test_a_byte_that_loops_through_the_mouse_port_waits_for_the_key_before_it() -> None:
    bench = Bench()
    bench.chip.type_scancodes(b"\x1e")
    bench.time.now = 1000
    bench.chip.advance()
    bench.command(0xD3, 0x5A)
    assert (bench.chip.read(0x64, 1) & 0x21, bench.chip.read(0x60, 1)) == (0x01, 0x1E)
    assert (bench.chip.read(0x64, 1) & 0x21, bench.chip.read(0x60, 1)) == (0x21, 0x5A)
    assert bench.edges == [True, False]


def test_a_byte_can_be_put_in_the_output_buffer_as_if_typed() -> None:
    bench = Bench()
    bench.command(0xD2, 0x77)
    assert bench.edges == [True]
    assert bench.chip.read(0x60, 1) == 0x77


def test_an_unknown_controller_command_does_nothing() -> None:
    bench = Bench()
    bench.command(0x99)
    assert bench.all_bytes() == b""


def test_the_status_tells_data_from_command() -> None:
    bench = Bench()
    bench.command(0xAE)
    assert bench.chip.read(0x64, 1) & 8
    bench.chip.write(0x60, 1, 0xEE)
    assert not bench.chip.read(0x64, 1) & 8


def test_the_keyboard_acknowledges_its_commands() -> None:
    bench = Bench()
    assert bench.to_keyboard(0xED, 0x02) == b"\xfa\xfa"
    assert bench.chip.state.keyboard.leds == 2
    assert bench.to_keyboard(0xF3, 0x20) == b"\xfa\xfa"
    assert bench.to_keyboard(0xF2) == b"\xfa\xab\x41"  # AB 83, translated
    assert bench.to_keyboard(0xF6) == b"\xfa"
    assert bench.to_keyboard(0xFF) == b"\xfa\xaa"
    assert bench.to_keyboard(0xFE) == b"\xaa"
    assert bench.to_keyboard(0x00) == b"\xfe"
    assert bench.to_keyboard(0xF0, 0x03) == b"\xfa\xfe"  # set 3 is not supported


def test_a_command_in_place_of_a_parameter_is_a_command() -> None:
    bench = Bench()
    assert bench.to_keyboard(0xED, 0xEE) == b"\xfa\xee"


def test_a_keyboard_that_does_not_scan_keeps_the_typist_waiting() -> None:
    bench = Bench()
    assert bench.to_keyboard(0xF5) == b"\xfa"
    bench.chip.type_scancodes(b"\x23")
    assert bench.all_bytes() == b""
    assert bench.to_keyboard(0xF4) == b"\xfa\x23"


def test_the_keyboards_own_buffer_overruns_after_16_bytes() -> None:
    state = ps2.Ps2KeyboardState()
    for _ in range(20):
        state = ps2.command(state, 0xEE)
    assert state.buffer == b"\xee" * 15 + b"\x00"


def test_a_text_is_typed_with_shift_where_a_us_keyboard_needs_it() -> None:
    assert encode("a") == b"\x1e\x9e"
    assert encode("A") == b"\x2a\x1e\x9e\xaa"
    assert encode("1!") == b"\x02\x82\x2a\x02\x82\xaa"
    assert encode("\n\t\b ") == b"\x1c\x9c\x0f\x8f\x0e\x8e\x39\xb9"


def test_names_in_angle_brackets_are_keys_and_chords() -> None:
    assert encode("<esc><f1><f12>") == b"\x01\x81\x3b\xbb\x58\xd8"
    assert encode("<up>") == b"\xe0\x48\xe0\xc8"
    assert encode("<ctrl+c>") == b"\x1d\x2e\xae\x9d"
    assert encode("<ctrl+alt+delete>") == b"\x1d\x38\xe0\x53\xe0\xd3\xb8\x9d"
    assert encode("<shift+A>") == encode("A")
    assert encode("<lt>") == encode("a < b")[4:-4] == b"\x2a\x33\xb3\xaa"
    assert encode("<gt>") == encode(">") == b"\x2a\x34\xb4\xaa"


@pytest.mark.parametrize("text", ["ä", "<nokey>", "<ctrl+nokey>", "\x00"])
def test_what_is_on_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no key"):
        encode(text)


def test_a_code_is_described_in_words() -> None:
    assert describe(0x23) == "h pressed"
    assert describe(0xA3) == "h released"
    assert describe(0x2A) == "shift pressed"
    assert describe(0xE0) == "extended key prefix"
    assert describe(0xE0C8) == "up released"
    assert describe(0x48) == "keypad 8 pressed"
    assert describe(0x52) == "keypad 0 pressed"
    assert describe(0x7F) == "unknown key 0x7f"
