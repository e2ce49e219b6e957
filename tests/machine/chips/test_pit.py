"""The 8254 interval timer."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idtviz.machine.chips.pit import CLK_HERTZ, POWER_ON, Pit, PitState, after_bios


@dataclass
class Time:
    now: int = 0
    hertz: int = CLK_HERTZ  # one CLK pulse a tick, unless a test says otherwise


@dataclass
class Wire:
    level: bool = False
    rises: list[int] = field(default_factory=list)
    falls: list[int] = field(default_factory=list)


def bench(hertz: int = CLK_HERTZ, state: PitState | None = POWER_ON) -> tuple[Pit, Time, Wire]:
    time = Time(hertz=hertz)
    wire = Wire(level=state is None)

    def drive(level: bool) -> None:
        assert level != wire.level, "a line is driven only when it changes"
        wire.level = level
        (wire.rises if level else wire.falls).append(time.now)

    return Pit(time, drive, state), time, wire


def run_until(pit: Pit, time: Time, end: int) -> None:
    """Let time pass, with an `advance` at each deadline."""
    while (due := pit.deadline()) is not None and due <= end:
        assert due > time.now or not time.now
        time.now = max(due, time.now)
        pit.advance()
    time.now = end


def program(pit: Pit, counter: int, mode: int, count: int, *, bcd: bool = False) -> None:
    pit.write(0x43, 1, counter << 6 | 0x30 | mode << 1 | bcd)
    pit.write(0x40 + counter, 1, count & 0xFF)
    pit.write(0x40 + counter, 1, count >> 8)


def live_count(pit: Pit, counter: int) -> int:
    pit.write(0x43, 1, counter << 6)
    return pit.read(0x40 + counter, 1) | pit.read(0x40 + counter, 1) << 8


def status(pit: Pit, counter: int) -> int:
    pit.write(0x43, 1, 0xE0 | 2 << counter)
    return pit.read(0x40 + counter, 1)


@pytest.mark.parametrize("mode", [2, 3])
@pytest.mark.parametrize("hertz", [1_000_000, 10_000_000, 100_000, CLK_HERTZ])
@pytest.mark.parametrize("count", [1193, 11932, 65535, 1000])
def test_a_periodic_mode_gives_exactly_its_number_of_edges_in_a_second(mode: int, hertz: int, count: int) -> None:
    pit, time, wire = bench(hertz)
    program(pit, 0, mode, count)
    wire.rises.clear()
    run_until(pit, time, 10 * hertz)
    # The count is loaded one pulse after it was written; from then on each period ends in a rising edge.
    assert len(wire.rises) == (10 * CLK_HERTZ - 1) // count
    for number, tick in enumerate(wire.rises, start=1):
        pulse = 1 + number * count
        assert tick * CLK_HERTZ >= pulse * hertz > (tick - 1) * CLK_HERTZ


def test_after_the_bios_the_timer_ticks_18_times_a_second() -> None:
    pit, time, wire = bench(10_000_000, None)
    run_until(pit, time, 10 * time.hertz)
    assert len(wire.rises) == 182


def test_a_reset_starts_the_first_period_anew() -> None:
    pit, time, wire = bench(10_000_000, None)
    time.now = 123_456_789
    pit.state = after_bios(time.hertz, time.now)
    assert wire.falls == []
    run_until(pit, time, time.now + time.hertz)
    assert len(wire.rises) == 18


def test_the_low_pulse_of_mode_2_is_seen_even_when_it_is_shorter_than_a_tick() -> None:
    pit, time, wire = bench(10_000)
    program(pit, 0, 2, 1193)
    wire.rises.clear()
    run_until(pit, time, 10_000)
    assert len(wire.rises) == len(wire.falls) == 1000


def test_a_timer_that_is_asked_late_still_makes_an_edge() -> None:
    pit, time, wire = bench()
    program(pit, 0, 3, 1000)
    wire.rises.clear()
    time.now = 10_700  # in the low half of the eleventh period
    pit.advance()
    assert wire.rises == [10_700]
    assert not wire.level


def test_mode_2_is_low_for_the_last_pulse_of_each_period() -> None:
    pit, time, wire = bench()
    program(pit, 0, 2, 4)
    wire.rises.clear()
    run_until(pit, time, 14)
    assert (wire.falls, wire.rises) == ([4, 8, 12], [5, 9, 13])


def test_mode_3_is_high_for_the_longer_half_of_an_odd_period() -> None:
    pit, time, wire = bench()
    program(pit, 0, 3, 5)
    wire.rises.clear()
    run_until(pit, time, 12)
    assert (wire.falls, wire.rises) == ([4, 9], [6, 11])


def test_mode_3_counts_down_by_two() -> None:
    pit, time, _ = bench()
    program(pit, 0, 3, 6)
    seen = []
    for time.now in range(1, 9):
        seen.append(live_count(pit, 0))
    assert seen == [6, 4, 2, 6, 4, 2, 6, 4]
    program(pit, 2, 3, 5)
    pit.write(0x61, 1, 1)
    start = time.now + 1
    seen = []
    for time.now in range(start, start + 6):
        seen.append(live_count(pit, 2))
    assert seen == [4, 2, 0, 4, 2, 4]


def test_mode_0_raises_its_output_once_at_terminal_count() -> None:
    pit, time, wire = bench()
    program(pit, 0, 0, 100)
    assert not wire.level
    run_until(pit, time, 5000)
    assert wire.rises == [101]
    assert pit.deadline() is None
    assert live_count(pit, 0) == (100 - 4999) & 0xFFFF  # it goes on counting below zero
    program(pit, 0, 0, 10)
    assert wire.falls == [5000]


def test_the_first_byte_of_a_new_count_stops_mode_0() -> None:
    pit, time, wire = bench()
    program(pit, 0, 0, 100)
    run_until(pit, time, 50)
    pit.write(0x40, 1, 20)
    run_until(pit, time, 1000)
    assert wire.rises == []
    pit.write(0x40, 1, 0)
    run_until(pit, time, 2000)
    assert wire.rises == [1021]


def test_mode_4_strobes_low_for_one_pulse_and_starts_again_with_a_new_count() -> None:
    pit, time, wire = bench()
    program(pit, 0, 4, 10)
    assert wire.level
    run_until(pit, time, 100)
    assert (wire.falls, wire.rises) == ([11], [0, 12])
    pit.write(0x40, 1, 5)
    pit.write(0x40, 1, 0)
    run_until(pit, time, 200)
    assert wire.falls == [11, 106]


def test_modes_1_and_5_wait_for_a_rising_gate() -> None:
    pit, time, _ = bench()
    program(pit, 2, 1, 10)
    time.now = 50
    assert pit.read(0x61, 1) & 0x20
    pit.write(0x61, 1, 1)
    time.now = 55
    assert not pit.read(0x61, 1) & 0x20
    time.now = 61
    assert pit.read(0x61, 1) & 0x20
    program(pit, 2, 5, 10)
    time.now = 100
    pit.write(0x61, 1, 0)
    pit.write(0x61, 1, 1)
    levels = []
    for time.now in (110, 111, 112):
        levels.append(bool(pit.read(0x61, 1) & 0x20))
    assert levels == [True, False, True]


def test_counter_0s_gate_never_rises_so_mode_1_never_fires_irq0() -> None:
    pit, time, wire = bench()
    program(pit, 0, 1, 10)
    run_until(pit, time, 1000)
    assert pit.deadline() is None
    assert wire.rises == [0]


def test_a_low_gate_holds_mode_0_and_restarts_mode_2() -> None:
    pit, time, _ = bench()
    pit.write(0x61, 1, 1)
    program(pit, 2, 0, 1000)
    time.now = 101
    pit.write(0x61, 1, 0)
    time.now = 5000
    assert live_count(pit, 2) == 900
    pit.write(0x61, 1, 1)
    time.now = 5010
    assert live_count(pit, 2) == 890
    program(pit, 2, 2, 1000)
    time.now = 5300
    pit.write(0x61, 1, 0)
    assert pit.read(0x61, 1) & 0x20
    time.now = 6000
    pit.write(0x61, 1, 1)
    time.now = 6101
    assert live_count(pit, 2) == 900


def test_a_count_written_to_a_running_rate_generator_takes_effect_at_the_end_of_the_period() -> None:
    pit, time, wire = bench()
    program(pit, 0, 2, 100)
    wire.rises.clear()
    run_until(pit, time, 50)
    pit.write(0x40, 1, 10)
    pit.write(0x40, 1, 0)
    assert status(pit, 0) & 0x40  # null count
    run_until(pit, time, 125)
    assert wire.rises == [101, 111, 121]
    assert not status(pit, 0) & 0x40


def test_a_count_written_to_a_square_wave_takes_effect_at_the_end_of_the_half_period() -> None:
    pit, time, wire = bench()
    program(pit, 0, 3, 100)
    wire.rises.clear()
    run_until(pit, time, 20)
    pit.write(0x40, 1, 10)
    pit.write(0x40, 1, 0)
    run_until(pit, time, 70)
    assert (wire.falls, wire.rises) == ([51, 61], [56, 66])


def test_a_counter_latch_holds_the_count_until_it_is_read() -> None:
    pit, time, _ = bench()
    program(pit, 0, 2, 0x1234)
    time.now = 1
    pit.write(0x43, 1, 0x00)
    time.now = 500
    pit.write(0x43, 1, 0x00)  # ignored: the first has not been read
    assert (pit.read(0x40, 1), pit.read(0x40, 1)) == (0x34, 0x12)
    assert pit.read(0x40, 1) == (0x1234 - 499) & 0xFF


def test_read_back_latches_status_and_count_and_the_status_is_read_first() -> None:
    pit, time, _ = bench()
    program(pit, 0, 3, 0x1000)
    program(pit, 2, 0, 0x2000)
    pit.write(0x43, 1, 0xC0 | 1 << 1 | 1 << 3)
    assert pit.read(0x40, 1) == 0xC0 | 0x30 | 3 << 1  # OUT high; the count is still to be loaded
    assert pit.read(0x42, 1) == 0x70
    time.now = 1
    assert (pit.read(0x40, 1), pit.read(0x40, 1)) == (0x00, 0x10)
    pit.write(0x43, 1, 0xC0 | 0x10 | 1 << 1)  # count only
    assert (pit.read(0x40, 1), pit.read(0x40, 1)) == (0x00, 0x10)
    assert status(pit, 0) == 0x80 | 0x30 | 3 << 1


def test_a_counter_may_be_accessed_by_its_low_or_high_byte_only() -> None:
    pit, time, _ = bench()
    pit.write(0x43, 1, 0x14)
    pit.write(0x40, 1, 0x80)
    time.now = 1
    assert (pit.read(0x40, 1), pit.read(0x40, 1)) == (0x80, 0x80)
    pit.write(0x43, 1, 0x24)
    pit.write(0x40, 1, 0x80)
    time.now = 2
    assert (pit.read(0x40, 1), pit.read(0x40, 1)) == (0x80, 0x80)
    assert pit.state.counters[0].initial == 0x8000


def test_bcd_counts_in_decimal_digits() -> None:
    pit, time, _ = bench()
    program(pit, 0, 2, 0x0100, bcd=True)
    time.now = 2
    assert live_count(pit, 0) == 0x0099
    program(pit, 0, 0, 0, bcd=True)
    assert pit.state.counters[0].initial == 10_000


def test_a_count_of_one_is_no_rate() -> None:
    pit, time, wire = bench()
    for mode in (2, 3):
        program(pit, 0, mode, 1)
        run_until(pit, time, time.now + 100)
        assert (pit.deadline(), wire.level) == (None, True)
    pit.write(0x40, 1, 10)
    pit.write(0x40, 1, 0)
    wire.rises.clear()
    run_until(pit, time, time.now + 100)
    assert len(wire.rises) == 9


def test_port_61_toggles_with_the_refresh_and_reads_back_what_was_written() -> None:
    pit, time, _ = bench()
    pit.write(0x61, 1, 0xFF)
    assert pit.read(0x61, 1) & 0xCF == 0x0F
    levels = [bool(pit.read(0x61, 1) & 0x10) for time.now in range(36)]
    assert levels == [False] * 18 + [True] * 18


def test_the_control_port_cannot_be_read() -> None:
    pit, _, _ = bench()
    assert pit.read(0x43, 1) == 0xFF


@given(
    mode=st.sampled_from([2, 3]),
    count=st.integers(2, 3000),
    hertz=st.integers(20_000, 20_000_000),
    stops=st.lists(st.integers(0, 3000), max_size=10),
)
def test_a_deadline_is_exactly_the_tick_of_the_next_edge(mode: int, count: int, hertz: int, stops: list[int]) -> None:
    pit, time, _ = bench(hertz)
    program(pit, 0, mode, count)
    for stop in stops:
        run_until(pit, time, time.now + stop)
        pit.read(0x40, 1)
        due = pit.deadline()
        assert due is not None
        assert due > time.now
        state = pit.state
        time_then, time.now = time.now, due - 1
        pit.advance()
        assert pit.state == state  # a tick early, nothing has happened
        time.now = time_then


def test_the_speaker_sounds_while_the_gate_the_data_bit_and_a_square_wave_are_there() -> None:
    pit, time, _ = bench()
    assert pit.state.tone(0) is None
    for port, value in ((0x43, 0xB6), (0x42, 2712 & 0xFF), (0x42, 2712 >> 8)):
        pit.write(port, 1, value)
    for bits, sounds in ((0, False), (1, False), (2, False), (3, True)):
        pit.write(0x61, 1, bits)
        time.now += 10
        assert (pit.state.tone(pit.pulses()) is not None) == sounds
    assert pit.state.tone(pit.pulses()) == CLK_HERTZ / 2712


def test_a_tone_that_is_changed_while_it_sounds_is_heard_from_the_next_half_period_on() -> None:
    pit, time, _ = bench()
    for port, value in ((0x43, 0xB6), (0x42, 100), (0x42, 0), (0x61, 3)):
        pit.write(port, 1, value)
    time.now = 10
    pit.write(0x42, 1, 200)
    pit.write(0x42, 1, 0)
    assert pit.state.tone(pit.pulses()) == CLK_HERTZ / 100
    time.now = 110
    assert pit.state.tone(pit.pulses()) == CLK_HERTZ / 200
