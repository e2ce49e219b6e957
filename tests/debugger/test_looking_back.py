"""The last time that something was met: found among few and among many, and without looking at all of them."""

from __future__ import annotations

import bisect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idtviz.debugger.breakpoint_text import parse_breakpoint
from idtviz.debugger.breakpoints import ModeBreakpoint
from idtviz.debugger.looking_back import Sight, last_met
from idtviz.debugger.lookout import Lookout, Met
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.session import Session
from tests.debugger.breaking import run_back_through, run_through, set_at
from tests.debugger.sessions import code, kernel, ticking
from tests.oracle.long_mode import DATA

LONG = 3_000_000


class Times:
    """A run in which something was met at certain moments, and what it cost to look at it."""

    def __init__(self, moments: list[Moment]) -> None:
        self.moments = sorted(moments)
        self.looks = self.stops = self.instructions = 0

    def look(self, lower: Moment, upper: Moment, most: int | None) -> Sight:
        self.looks += 1
        found = self.moments[bisect.bisect_right(self.moments, lower) : bisect.bisect_right(self.moments, upper)]
        seen = found if most is None else found[:most]
        reached = upper if most is None or len(found) < most else seen[-1]
        self.stops += len(seen)
        self.instructions += reached.instruction - lower.instruction
        return Sight(Met(seen[-1], ModeBreakpoint(), "") if seen else None, reached)


MOMENTS = st.builds(Moment, st.integers(0, LONG), st.integers(0, 3))


@settings(max_examples=300, deadline=None)
@given(
    few=st.lists(MOMENTS, max_size=5),
    many=st.lists(st.tuples(st.integers(0, LONG), st.integers(1, 5000), st.integers(1, 500)), max_size=3),
    now=MOMENTS,
    floor=MOMENTS,
)
def test_the_last_time_is_found_among_few_and_among_many(
    few: list[Moment], many: list[tuple[int, int, int]], now: Moment, floor: Moment
) -> None:
    runs = [Moment(start + step * number) for start, number_of, step in many for number in range(number_of)]
    times = Times([moment for moment in (*few, *runs) if floor < moment <= now])
    found = last_met(floor, now, times.look)
    assert (found and found.moment) == (times.moments[-1] if times.moments else None)


def test_neither_many_times_nor_a_long_time_without_any_cost_much() -> None:
    times = Times([Moment(3 * number) for number in range(1_000_000)])
    found = last_met(START, Moment(13_000_000), times.look)
    assert found is not None
    assert found.moment == times.moments[-1]
    assert times.looks < 60
    assert times.stops < 4_000
    assert times.instructions < 20_000_000


# On a machine


def met_by_looking(session: Session, end: Moment, text: str) -> list[Met]:
    """Everything that is met on the way from the start to `end`, in micro-steps."""
    session.seek(START)
    lookout = Lookout(session.machine, session.symbols, (parse_breakpoint(text, session.symbols),))
    found: list[Met] = []
    while session.moment < end and not session.machine.stuck:
        lookout.micro_step()
        session._arrive()
        found += lookout.met()
    return found


@pytest.mark.parametrize("name", ["keyboard", "boot_to_long_mode", "task_gate_double_fault"])
@pytest.mark.parametrize(
    "text", ["write rcx", "write rsp", "write cr2", "write cs", "write rflags", "write gdtr", "ring"]
)
def test_the_last_time_before_any_moment_is_the_one_that_steps_find(name: str, text: str) -> None:
    session = kernel(name)
    session.run(Moment(1500))
    end = session.moment
    found = met_by_looking(session, end, text)
    items = (parse_breakpoint(text, session.symbols),)
    moments = sorted({met.moment for met in found})
    for moment in {*moments[:: max(1, len(moments) // 6)], *moments[-2:], end, Moment(end.instruction // 2)}:
        before = [met for met in found if START < met.moment < moment]
        assert session._last_met(items, START, moment) == (before[-1] if before else None)
        up_to = [met for met in found if START < met.moment <= moment]
        assert session._last_met(items, START, moment, including=True) == (up_to[-1] if up_to else None)


def test_what_was_met_at_the_floor_or_before_does_not_count() -> None:
    session = code(bytes.fromhex("ffc0 90 90 ffc0 90 90 f4"))
    session.run(Moment(6))
    items = (parse_breakpoint("write rax", session.symbols),)
    assert [
        None if met is None else met.moment.instruction
        for met in (session._last_met(items, Moment(floor), Moment(6)) for floor in (0, 3, 4, 5))
    ] == [4, 4, None, None]


def counting(times: int) -> Session:
    """A counter in memory, incremented so often, and then other things for ever."""
    count = times.to_bytes(4, "little").hex()
    increment = "ff0425" + DATA.to_bytes(4, "little").hex()
    raw = bytes.fromhex(f"b9{count} {increment} ffc9 75f5 48ffca 4831d6 48ffc3 ebf5")
    return code(raw)


@pytest.mark.parametrize("text", [f"write {DATA:#x} 4", "write rcx"])
@pytest.mark.parametrize("times", [1, 3, 40_000])
def test_a_loop_that_wrote_once_or_all_the_time_long_ago_is_found(text: str, times: int) -> None:
    session = counting(times)
    session.run(Moment(600_000))
    met = session._last_met((parse_breakpoint(text, session.symbols),), START, session.moment)
    assert met is not None
    assert met.moment == Moment(3 * times - 1 + (text == "write rcx"))
    session._replay_to(Moment(600_000))
    assert session.machine.memory.read(DATA, 4) == times.to_bytes(4, "little")


def test_running_back_among_interrupts_stops_where_running_on_does() -> None:
    session = ticking(b"\x48\xff\xc3\x90\x90\xeb\xf9", 40)  # inc rbx; nop; nop; jmp
    set_at(session, "write rax", "write cr2", "write cs")
    end = Moment(3000)
    onward = run_through(session, end)
    assert run_back_through(session) == onward[::-1]
    assert onward
