"""The axis of the timeline: bounded, the same however it was filled, and right about depth and rings."""

from __future__ import annotations

from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from idtviz.debugger.moment import Moment
from idtviz.machine.events import Halted, Happened, ShutDown
from idtviz.view.axis import Axis

TIMES = st.lists(st.integers(0, 10_000_000), max_size=60).map(sorted)


def halts(times: list[int]) -> list[Happened]:
    return [Halted(time, 0) for time in times]


def filled(events: list[Happened], rings: list[tuple[Moment, int]]) -> Axis:
    axis = Axis()
    axis.update(events, rings)
    return axis


@given(times=TIMES, cuts=st.lists(st.integers(0, 60), max_size=5).map(sorted))
def test_events_that_come_bit_by_bit_give_the_same_axis(times: list[int], cuts: list[int]) -> None:
    events, rings = halts(times), [(Moment(time), time % 2 * 3) for time in times]
    axis = Axis()
    for cut in (*cuts, len(times)):
        axis.update(events[:cut], rings[:cut])
    assert [asdict(each) for each in axis.bins] == [asdict(each) for each in filled(events, rings).bins]


def test_a_million_instructions_of_events_take_a_bounded_number_of_bins() -> None:
    events = [*halts(list(range(0, 1_000_000, 50))), ShutDown(700_007, 0, ())]
    events.sort(key=lambda event: event.instruction)
    axis = filled(events, [(Moment(time), time // 1000 % 2 * 3) for time in range(0, 1_000_000, 100)])
    assert len(axis.bins) <= 2048
    worst = max(axis.bins, key=lambda each: each.rank)
    assert (worst.sign, worst.at) == ("✗", 700_007)  # the most notable event is not lost among the others
    assert {each.ring for each in axis.bins} >= {0, 3}


def test_where_the_run_takes_another_way_the_axis_begins_anew() -> None:
    axis = filled(halts([10, 20, 30]), [])
    axis.update(halts([10, 25]), [])
    assert [each.start for each in axis.bins] == [10, 25]
