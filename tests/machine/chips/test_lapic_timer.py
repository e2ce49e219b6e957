"""The local APIC's timer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idtviz.machine.chips.lapic_state import AFTER_RESET
from idtviz.machine.chips.lapic_timer import LAPIC_HERTZ
from tests.machine.chips.apics import Apics, Time

LVT_TIMER, INITIAL, CURRENT, DIVIDE, EOI, SVR = 0x320, 0x380, 0x390, 0x3E0, 0xB0, 0xF0
BY_1, BY_2, BY_16 = 0xB, 0x0, 0x3
PERIODIC, MASKED = 0x2_0000, 0x1_0000
VECTOR = 0x40


def timer(lvt: int, divide: int, initial: int, hertz: int = LAPIC_HERTZ) -> Apics:
    apics = Apics(replace(AFTER_RESET, svr=0x1FF), Time(hertz=hertz))
    apics.write(LVT_TIMER, lvt)
    apics.write(DIVIDE, divide)
    apics.write(INITIAL, initial)
    return apics


def served(apics: Apics) -> int:
    """How many timer interrupts wait; they are taken and ended."""
    count = 0
    while apics.lapic.intr:
        assert apics.lapic.acknowledge() == VECTOR
        apics.write(EOI, 0)
        count += 1
    return count


@pytest.mark.parametrize(("code", "divisor"), [(0, 2), (1, 4), (2, 8), (3, 16), (8, 32), (9, 64), (0xA, 128), (0xB, 1)])
def test_the_divide_configuration_says_how_many_pulses_make_one_count(code: int, divisor: int) -> None:
    apics = timer(VECTOR, code, 100)
    apics.wait(10 * divisor - 1)
    assert apics.read(CURRENT) == 91
    apics.wait(1)
    assert apics.read(CURRENT) == 90
    apics.wait(90 * divisor - 1)
    assert not apics.lapic.intr
    apics.wait(1)
    assert served(apics) == 1


def test_a_one_shot_timer_stops_at_zero() -> None:
    apics = timer(VECTOR, BY_1, 50)
    apics.wait(1000)
    assert (served(apics), apics.read(CURRENT), apics.lapic.deadline()) == (1, 0, None)
    apics.wait(1000)
    assert served(apics) == 0


@pytest.mark.parametrize("hertz", [10_000_000, LAPIC_HERTZ, 333_333_333, 1_000_003])
@pytest.mark.parametrize("initial", [12_345, 100_000])
def test_a_periodic_timer_does_not_drift(hertz: int, initial: int) -> None:
    apics = timer(PERIODIC | VECTOR, BY_16, initial, hertz)
    seconds = 3
    count, end = 0, seconds * hertz
    while (due := apics.lapic.deadline()) is not None and due <= end:
        apics.time.now = due
        apics.lapic.advance()
        count += served(apics)
        pulse = count * initial * 16
        assert due * LAPIC_HERTZ >= pulse * hertz > (due - 1) * LAPIC_HERTZ
    assert count == seconds * LAPIC_HERTZ // (initial * 16)


def test_a_periodic_count_never_shows_zero_and_begins_again_at_the_initial_count() -> None:
    apics = timer(PERIODIC | VECTOR, BY_1, 3)
    shown = []
    for _ in range(7):
        shown.append(apics.read(CURRENT))
        apics.wait(1)
    assert shown == [3, 2, 1, 3, 2, 1, 3]


def test_periods_that_nobody_saw_are_one_interrupt() -> None:
    apics = timer(PERIODIC | VECTOR, BY_1, 10)
    apics.time.now = 95
    apics.lapic.advance()
    assert (served(apics), apics.read(CURRENT), apics.lapic.deadline()) == (1, 5, 100)


def test_a_masked_timer_counts_and_its_interrupt_is_lost() -> None:
    apics = timer(MASKED | PERIODIC | VECTOR, BY_1, 10)
    assert apics.lapic.deadline() is None
    apics.time.now = 25
    apics.write(LVT_TIMER, PERIODIC | VECTOR)
    assert not apics.lapic.intr
    assert (apics.read(CURRENT), apics.lapic.deadline()) == (5, 30)


def test_a_count_of_zero_stops_the_timer() -> None:
    apics = timer(PERIODIC | VECTOR, BY_1, 10)
    apics.wait(4)
    apics.write(INITIAL, 0)
    apics.wait(100)
    assert (apics.lapic.intr, apics.read(CURRENT), apics.lapic.deadline()) == (False, 0, None)


def test_a_new_divisor_goes_on_from_the_count_that_there_is() -> None:
    apics = timer(VECTOR, BY_1, 100)
    apics.wait(40)
    apics.write(DIVIDE, BY_2)
    assert apics.read(CURRENT) == 60
    assert apics.lapic.deadline() == 40 + 120


def test_a_periodic_timer_made_one_shot_ends_with_its_period() -> None:
    apics = timer(PERIODIC | VECTOR, BY_1, 10)
    apics.wait(14)
    assert served(apics) == 1
    apics.write(LVT_TIMER, VECTOR)
    apics.wait(100)
    assert (served(apics), apics.read(CURRENT)) == (1, 0)


def test_software_disabling_the_apic_masks_the_timer() -> None:
    apics = timer(PERIODIC | VECTOR, BY_1, 10)
    apics.write(SVR, 0xFF)
    assert (apics.read(LVT_TIMER), apics.lapic.deadline()) == (MASKED | PERIODIC | VECTOR, None)


@given(
    hertz=st.integers(1_000, 10_000_000_000),
    code=st.sampled_from([0, 1, 2, 3, 8, 9, 0xA, 0xB]),
    initial=st.integers(1, 0xFFFF_FFFF),
    periodic=st.booleans(),
    start=st.integers(0, 1 << 40),
)
def test_the_interrupt_comes_in_the_tick_of_the_deadline_and_not_before(
    hertz: int, code: int, initial: int, periodic: bool, start: int
) -> None:
    apics = Apics(replace(AFTER_RESET, svr=0x1FF), Time(start, hertz))
    apics.write(LVT_TIMER, VECTOR | (PERIODIC if periodic else 0))
    apics.write(DIVIDE, code)
    apics.write(INITIAL, initial)
    due = apics.lapic.deadline()
    assert due is not None
    assert due > start
    apics.time.now = due - 1
    apics.lapic.advance()
    assert not apics.lapic.intr
    apics.time.now = due
    apics.lapic.advance()
    assert apics.lapic.intr
    later = apics.lapic.deadline()
    assert (later is not None) == periodic
    assert later is None or later > due
