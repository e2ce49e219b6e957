"""The axis of the timeline: exact in any window, the same however it was filled, and right about depth and rings."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from idtviz.debugger.moment import Moment
from idtviz.machine.events import Delivered, Halted, Happened, LineChanged, Noted, Returned, ShutDown
from idtviz.view.axis import Axis, Column, Track
from idtviz.view.window import NARROWEST, Window

from .sessions import at

TIMES = st.lists(st.integers(0, 10_000_000), max_size=60).map(sorted)


def halts(times: list[int]) -> list[Happened]:
    return [Halted(time, 0) for time in times]


def filled(events: list[Happened], rings: list[tuple[Moment, int]]) -> Axis:
    axis = Axis()
    axis.update(events, rings)
    return axis


def signs(columns: list[Column]) -> str:
    return "".join(each.sign or "." for each in columns)


@given(times=TIMES, cuts=st.lists(st.integers(0, 60), max_size=5).map(sorted))
def test_events_that_come_bit_by_bit_give_the_same_axis(times: list[int], cuts: list[int]) -> None:
    events, rings = halts(times), [(Moment(time), time % 2 * 3) for time in times]
    axis = Axis()
    for cut in (*cuts, len(times)):
        axis.update(events[:cut], rings[:cut])
    window = Window(0, 10_000_000)
    assert axis.columns(window, 100) == filled(events, rings).columns(window, 100)


@given(st.lists(st.integers(0, 300), max_size=1500), st.integers(0, 1500), st.integers(0, 1500))
def test_the_highest_of_any_stretch_is_that_of_its_values(values: list[int], low: int, high: int) -> None:
    track = Track()
    for time, value in enumerate(values):
        track.add(time, value)
    low, high = min(low, high, len(values)), min(max(low, high), len(values))
    assert track.highest(low, high) == min(255, max(values[low:high], default=0))


WINDOWS = st.tuples(st.integers(0, 500), st.integers(1, 500)).map(lambda pair: Window(pair[0], pair[0] + pair[1] - 1))


@given(WINDOWS, st.integers(1, 200), st.data())
def test_every_count_has_a_column_and_its_event_is_marked_there_and_nowhere_else(
    window: Window, width: int, data: st.DataObject
) -> None:
    starts = [window.start(column, width) for column in range(width + 1)]
    assert starts == sorted(starts)
    assert (starts[0], starts[-1]) == (window.first, window.last + 1)
    count = data.draw(st.integers(window.first, window.last))
    column = window.column(count, width)
    assert 0 <= column < width
    assert starts[column] <= count
    shown = signs(filled(halts([count]), []).columns(window, width))
    assert shown == "." * column + "h" + "." * (width - column - 1)


@given(WINDOWS, st.integers(1, 200), st.integers(0, 1000))
def test_an_event_outside_of_the_window_leaves_no_mark(window: Window, width: int, count: int) -> None:
    shown = signs(filled(halts([count]), []).columns(window, width))
    assert ("h" in shown) == window.holds(count)


def test_the_most_notable_event_of_a_column_is_shown() -> None:
    events: list[Happened] = [*halts(list(range(0, 1_000_000, 50))), ShutDown(700_007, 0, ())]
    events.sort(key=lambda event: event.instruction)
    axis = filled(events, [])
    assert signs(axis.columns(Window(0, 999_999), 10)) == "hhhhhhh✗hh"
    found = axis.notable(Window(0, 999_999), 7, 10)
    assert found is not None
    assert events[found] == ShutDown(700_007, 0, ())
    assert axis.notable(Window(700_001, 700_006), 3, 6) is None


def test_events_of_one_instruction_stand_side_by_side_where_there_is_room() -> None:
    session = at("double_fault_no_ist", "end")
    axis = filled(list(session.events), [])
    at_once = Moment(88), Moment(88, 15), Moment(88, 30)
    for width, shown, places in (
        (4, "...✗", (3, 3, 3)),
        (8, "......x✗", (6, 7, 7)),
        (16, "............xx✗.", (12, 13, 14)),
        (20, "...............xx✗..", (15, 16, 17)),
    ):
        window = Window(85, 88)
        assert signs(axis.columns(window, width)) == shown
        assert tuple(axis.column(moment, window, width) for moment in at_once) == places
        assert axis.notable(window, places[-1], width) == 2
        if width >= 12:
            assert [axis.notable(window, place, width) for place in places] == [0, 1, 2]
            assert axis.column(Moment(88, 20), window, width) == places[1]
            assert axis.notable(window, places[-1] + 1, width) is None


def test_edges_that_rise_and_notes_are_on_the_axis_and_edges_that_fall_are_not() -> None:
    events = [LineChanged(1, 0, 1, True), LineChanged(3, 0, 1, False), Noted(5, 0, "EOI came too early")]
    assert signs(filled(events, []).columns(Window(0, 7), 8)) == ".↑...!.."


def test_a_handler_is_running_from_its_delivery_to_its_return() -> None:
    kinds = {type(event): event for event in at("keyboard", "end").events}
    delivered, returned = kinds[Delivered], kinds[Returned]
    nested: list[Happened] = [
        replace(event, instruction=place)
        for place, event in ((10, delivered), (20, delivered), (30, returned), (40, returned))
    ]
    axis = filled(nested, [])
    depths = [each.depth for each in axis.columns(Window(0, 49), 50)]
    assert depths == [0] * 10 + [1] * 10 + [2] * 11 + [1] * 10 + [0] * 9
    assert [each.depth for each in axis.columns(Window(0, 49), 5)] == [0, 1, 2, 2, 1]
    assert [each.depth for each in axis.columns(Window(22, 25), 8)] == [2] * 8


def test_a_ring_holds_from_the_instruction_on_at_which_it_was_first_seen() -> None:
    axis = filled([], [(Moment(0), 0), (Moment(4), 3), (Moment(6, 5), 0)])
    assert [each.ring for each in axis.columns(Window(0, 9), 10)] == [0, 0, 0, 0, 3, 3, 3, 0, 0, 0]
    assert [each.ring for each in axis.columns(Window(3, 4), 4)] == [0, 0, 3, 3]
    assert axis.outermost == 3


def test_where_the_run_takes_another_way_the_axis_begins_anew() -> None:
    axis = filled(halts([10, 20, 30]), [])
    axis.update(halts([10, 25]), [])
    assert signs(axis.columns(Window(0, 39), 40)) == "." * 10 + "h" + "." * 14 + "h" + "." * 14


WHOLE = Window(0, 99_999)


@given(st.integers(0, 99_999), st.lists(st.booleans(), max_size=30))
def test_zooming_keeps_the_present_in_sight_and_where_it_was(present: int, ways: list[bool]) -> None:
    window = WHOLE
    for nearer in ways:
        before = window
        window = window.zoomed(present, WHOLE, nearer=nearer)
        assert window.holds(present)
        assert WHOLE.first <= window.first <= window.last <= WHOLE.last
        assert window.span >= NARROWEST
        if nearer and before.span > 200:
            assert abs(window.column(present, 100) - before.column(present, 100)) <= 1


def test_zooming_out_ends_at_the_whole_run() -> None:
    window = Window(500, 599)
    for _ in range(12):
        window = window.zoomed(510, WHOLE, nearer=False)
    assert window == WHOLE


def test_a_window_follows_the_present_when_that_leaves_it() -> None:
    window = Window(1000, 1999)
    assert window.following(1999, WHOLE) == window
    assert window.following(2000, WHOLE) == Window(1500, 2499)
    assert window.following(99_999, WHOLE) == Window(99_000, 99_999)
    assert window.following(3, WHOLE) == Window(0, 999)
    assert window.following(3, Window(0, 499)) == Window(0, 499)


@given(WINDOWS, st.integers(1, 200), st.integers(0, 1000))
def test_a_column_to_the_right_is_at_least_one_instruction_on_and_the_way_back_as_long(
    window: Window, width: int, count: int
) -> None:
    on, back = window.beside(count, 1, width), window.beside(count, -1, width)
    assert back < count < on
    if window.span > width:
        assert window.column(on, width) == window.column(count, width) + 1
        assert window.column(back, width) == window.column(count, width) - 1
