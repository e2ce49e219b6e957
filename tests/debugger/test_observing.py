"""What is noted of a run for the rules: the same however one gets there."""

import pytest

from idtviz import Session
from idtviz.debugger.moment import Moment
from idtviz.debugger.observing import AT_LAST, BEHIND, PATIENCE
from idtviz.machine.events import Delivered, Returned

NAMES = (
    "page_fault",
    "breakpoint",
    "double_fault",
    "keyboard",
    "bugs/missing_eoi",
    "bugs/red_zone",
    "single_step_trap",
)
LIMIT = 60_000


def opened(name):
    return Session.open(name, narrated=False)


def noted(session):
    seen = session.observations
    instants = [(it.moment, it.raw, it.operands, it.registers.general, it.live, it.stack) for it in seen.instants]
    between = Delivered | Returned
    situations = [
        (event, situation.registers, situation.vectors, situation.tables, situation.pic, situation.live)
        for event, situation in zip(seen.events, seen.situations, strict=True)
        if isinstance(event, between)
    ]
    return instants, situations


@pytest.fixture(params=NAMES)
def run(request):
    session = opened(request.param)
    session.run(limit=LIMIT)
    return request.param, session


def test_single_steps_note_what_a_run_notes(run):
    name, ran = run
    stepped = opened(name)
    while stepped.moment.instruction < min(ran.moment.instruction, 9000):
        before = stepped.moment
        stepped.step()
        if stepped.moment == before:
            break
    until = stepped.moment
    part = opened(name)
    part.run(until)
    assert noted(stepped) == noted(part)
    assert stepped.findings == part.findings


def test_going_back_and_on_again_notes_nothing_twice(run):
    _, session = run
    before, findings = noted(session), list(session.findings)
    end = session.moment
    session.seek("0")
    for _ in range(50):
        session.step()
    session.seek(end)
    assert noted(session) == before
    assert list(session.findings) == findings


def test_a_branch_begins_with_what_was_noted_in_front_of_it_and_goes_on_by_itself(run):
    name, session = run
    deliveries = [moment.instruction for moment, _ in session.recognised]
    at = Moment(deliveries[len(deliveries) // 2] - 1)
    session.seek(at)
    session.edit("rbx", 0x1234)
    session.run(limit=LIMIT)
    other = opened(name)
    other.run(at)
    other.edit("rbx", 0x1234)
    other.run(limit=LIMIT)
    assert noted(session) == noted(other)
    assert session.findings == other.findings


def test_a_handler_is_looked_at_from_its_first_instruction_to_the_ones_behind_its_iret():
    session = opened("page_fault")
    session.run(limit=LIMIT)
    first = next(event for event in session.events if isinstance(event, Delivered))
    back = next(event for event in session.events if isinstance(event, Returned))
    moments = [it.moment.instruction for it in session.observations.instants]
    assert first.to is not None
    assert session.observations.instants[0].registers.rip == first.to.rip
    assert set(range(first.instruction, back.instruction + BEHIND)) <= set(moments)


def test_a_handler_that_waits_for_ever_is_looked_at_again_however_often_it_was_entered():
    session = opened("bugs/endless_fault")
    session.run("#PF:20")
    session.step()
    assert not session.observations.looking
    handler = session.view.registers.rip
    session.edit(f"[{handler:#x}]", b"\xeb\xfe")
    session.run(limit=session.moment.instruction + PATIENCE + 2 * AT_LAST)
    last = session.observations.instants[-AT_LAST:]
    assert {it.registers.rip for it in last} == {handler}
    assert last[-1].moment.instruction - last[0].moment.instruction == AT_LAST - 1


def test_behind_so_many_events_nothing_is_noted_any_more(monkeypatch):
    monkeypatch.setattr("idtviz.debugger.observing._MOST_SITUATIONS", 10)
    session = opened("bugs/endless_fault")
    session.run(limit=LIMIT)
    noted = session.observations
    assert len(session.events) > 10
    assert len(noted.events) == len(noted.situations) == 10
    assert noted.instants[-1].moment.instruction <= session.events[10].instruction
    session.seek(session.recognised[-1][0])
    session.step()
    session.edit("rbx", 1)
    session.run(limit=LIMIT)
    assert noted.instants == session.observations.instants
