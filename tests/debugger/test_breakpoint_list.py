"""The numbered list of breakpoints."""

from __future__ import annotations

import pytest

from idtviz.debugger.breakpoints import Breakpoints, ModeBreakpoint, RingBreakpoint, ShutdownBreakpoint
from idtviz.debugger.moment import Moment
from idtviz.debugger.stops import Reason
from tests.debugger.breaking import run_through, set_at
from tests.debugger.sessions import kernel

MODE, RING, SHUTDOWN = ModeBreakpoint(), RingBreakpoint(), ShutdownBreakpoint()


def numbered(found: Breakpoints) -> list[tuple[int, object]]:
    return [(entry.number, entry.breakpoint) for entry in found.listed]


def test_breakpoints_are_numbered_from_one_and_no_number_comes_back() -> None:
    found = Breakpoints()
    found.add(MODE)
    found.add(RING)
    found.delete(2)
    found.add(SHUTDOWN)
    assert numbered(found) == [(1, MODE), (3, SHUTDOWN)]


def test_one_that_is_set_twice_is_there_once_and_on() -> None:
    found = Breakpoints()
    found.add(MODE)
    found.switch(1, on=False)
    assert not found.enabled
    found.add(MODE)
    assert numbered(found) == [(1, MODE)]
    assert found.enabled == (MODE,)


def test_toggling_sets_and_takes_away() -> None:
    found = Breakpoints()
    assert found.toggle(MODE)
    assert not found.toggle(MODE)
    assert not len(found)


def test_deleting_what_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        Breakpoints().delete(1)


def test_a_run_counts_where_it_stops_and_passes_what_is_switched_off() -> None:
    session = kernel("page_fault")
    set_at(session, "#PF", "iret")
    session.breakpoints.switch(2, on=False)
    stops = run_through(session, Moment(1500))
    hits, passed = session.breakpoints.listed
    assert hits.hits == len(stops) == 3
    assert not passed.hits


def test_until_stops_once_and_leaves_the_list_alone() -> None:
    session = kernel("keyboard")
    (item,) = set_at(kernel("keyboard"), "interrupt")
    assert session.run_until(item).reason is Reason.BREAKPOINT
    first = session.moment
    assert session.recognised[-1][0] == first
    assert not len(session.breakpoints)
    session.run(Moment(first.instruction + 5))
    assert session.stop.reason is Reason.MOMENT
