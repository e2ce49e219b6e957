"""A moment is the same moment, however it is reached."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idtviz.debugger.inputs import Irq, Keys, Nmi, Poke, Serial
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.session import Phase, Session, SessionError
from idtviz.debugger.stops import Reason
from tests.debugger.breaking import set_at
from tests.debugger.sessions import END, KERNELS, Script, kernel, ticking, walk, walked

SCRIPT: Script = (
    ("300", Keys("ab")),
    ("echo", Serial(b"xyz")),
    ("irq1:2+4", Irq(5)),
    ("irq1:3", Nmi()),
    ("1000", Poke(0xB8000 + 160 * 20, b"I\x07")),
)


def same(first: Session, second: Session) -> None:
    assert first.moment == second.moment
    assert list(first.events) == list(second.events)
    assert list(first.inputs) == list(second.inputs)
    assert first.digest() == second.digest()


def step_to(session: Session, end: Moment) -> None:
    while session.moment < end and session.phase is not Phase.ENDED:
        session.micro_step()


@pytest.mark.parametrize("name", KERNELS)
def test_stepping_and_running_give_the_same_events_and_digest(name: str) -> None:
    stepped, ran = kernel(name), kernel(name)
    step_to(stepped, END)
    ran.run(stepped.moment)
    same(stepped, ran)
    assert stepped.events


def test_an_event_that_fails_at_its_first_step_is_known_stepped_and_run() -> None:
    stepped, ran = kernel("page_fault"), kernel("page_fault")  # at the start there is no IDT
    stepped.give(Nmi())
    ran.give(Nmi())
    step_to(stepped, END)
    ran.run()
    same(stepped, ran)
    assert [event.name for _, event in stepped.recognised] == ["NMI", "#GP", "#DF"]
    assert list(stepped.recognised) == list(ran.recognised)
    set_at(stepped, "shutdown")
    stepped.run_back()
    assert stepped.moment == stepped.recognised[-1][0]


def test_scripted_inputs_at_a_count_a_symbol_and_an_event_come_at_the_same_moments_stepped_and_run() -> None:
    stepped, ran = kernel("keyboard", SCRIPT), kernel("keyboard", SCRIPT)
    step_to(stepped, Moment(1500))
    ran.run(Moment(1500))
    same(stepped, ran)
    assert {recorded.script for recorded in stepped.inputs} == set(range(len(SCRIPT)))
    again = [(recorded.moment, str(recorded.input)) for recorded in ran.inputs]
    assert again[0] == (Moment(300), "keys 'ab'")


def test_boundary_steps_and_micro_steps_meet_at_every_boundary() -> None:
    coarse, fine = kernel("page_fault"), kernel("page_fault")
    for _ in range(150):
        coarse.step()
        while fine.moment < coarse.moment:
            fine.micro_step()
        assert fine.moment == coarse.moment
    assert fine.digest() == coarse.digest()


@pytest.mark.parametrize("name", KERNELS)
def test_back_over_each_step_of_a_walk_finds_the_moment_before(name: str) -> None:
    session = kernel(name)
    if name == "keyboard":
        session.run("irq1")
    seen = walk(session, 200)
    for moment, digest in reversed(seen[:-1]):
        session.micro_back()
        assert (session.moment, session.digest()) == (moment, digest)


def test_back_finds_the_boundary_before() -> None:
    session = kernel("page_fault")
    seen = [(session.moment, session.digest())]
    for _ in range(160):
        session.step()
        seen.append((session.moment, session.digest()))
    for moment, digest in reversed(seen[:-1]):
        session.back()
        assert (session.moment, session.digest()) == (moment, digest)
    with pytest.raises(SessionError, match="start"):
        session.back()


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data(), name=st.sampled_from(KERNELS))
def test_seeking_any_moment_of_a_walk_finds_its_digest(data: st.DataObject, name: str) -> None:
    session, seen = walked(name)
    moment = data.draw(st.sampled_from(sorted(seen)))
    session.seek(moment)
    assert (session.moment, session.digest()) == (moment, seen[moment])


@settings(max_examples=10, deadline=None, derandomize=True)
@given(moment=st.builds(Moment, st.integers(0, 1900)), name=st.sampled_from(KERNELS))
def test_a_moment_run_to_in_a_fresh_session_is_the_moment_that_was_walked_through(moment: Moment, name: str) -> None:
    session, _ = walked(name)
    fresh = kernel(name)
    fresh.seek(moment)
    session.seek(fresh.moment)
    assert fresh.digest() == session.digest()


def test_checkpoints_taken_in_replay_do_not_change_what_is_replayed() -> None:
    session = ticking(b"\x48\xff\xc0\xeb\xfb", 100)
    session.run(Moment(20_000))
    places = [Moment(count) for count in (19_990, 12_345, 12_300, 3_000, 12_346, 101, 19_000)]
    digests = {}
    for moment in places:
        fresh = ticking(b"\x48\xff\xc0\xeb\xfb", 100)
        fresh.run(moment)
        digests[moment] = fresh.digest()
    for moment in places + places[::-1]:
        session.seek(moment)
        assert (session.moment, session.digest()) == (moment, digests[moment])


def test_an_input_given_in_the_past_takes_another_way_from_there() -> None:
    session = kernel("keyboard", ())
    session.run(Moment(1500))
    session.seek(Moment(300))
    before = session.digest()
    session.give(Keys("q"))
    assert session.frontier == Moment(300)
    assert session.digest() != before
    assert all(event.instruction <= 300 for event in session.events)
    session.run(Moment(1500))
    changed = session.digest()
    session.seek(Moment(299))
    session.run(Moment(1500))
    assert session.digest() == changed
    fresh = kernel("keyboard", (("300", Keys("q")),))
    fresh.run(Moment(1500))
    assert (fresh.digest(), list(fresh.events)) == (changed, list(session.events))


def test_an_input_given_in_the_middle_of_a_delivery_is_found_there_again() -> None:
    session = kernel("keyboard", ())
    session.run("irq0")
    for _ in range(5):
        session.micro_step()
    here = session.moment
    session.give(Keys("z"))
    given = session.digest()
    session.run(Moment(here.instruction + 400))
    later = session.digest()
    session.seek(START)
    session.seek(here)
    assert session.digest() == given
    session.run(Moment(here.instruction + 400))
    assert session.digest() == later


def test_two_inputs_at_one_moment_are_given_again_in_their_order() -> None:
    session = kernel("keyboard", ())
    session.run("kernel_ready")
    here = session.moment
    session.give(Keys("x"))
    session.give(Keys("y"))
    session.run(Moment(600))
    end = session.digest()
    for place in (START, here, Moment(500)):
        session.seek(place)
        session.seek(Moment(600))
        assert session.digest() == end


def test_an_input_wakes_a_machine_that_nothing_else_would() -> None:
    session = kernel("page_fault")
    session.run("end")
    assert (session.phase, session.stop.reason) == (Phase.ENDED, Reason.HALTED)
    end = session.moment
    session.give(Nmi())
    assert session.phase is Phase.STOPPED
    session.step()
    assert session.moment > end


def test_what_is_typed_when_nothing_wakes_the_processor_is_typed_once() -> None:
    session = kernel("page_fault")
    session.run("end")
    session.give(Keys("a"))
    typed = session.digest()
    for move in (session.step, session.micro_step, session.next, session.run, session.event_forward):
        move()
        assert (session.digest(), session.phase) == (typed, Phase.ENDED)
