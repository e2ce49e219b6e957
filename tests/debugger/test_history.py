"""Checkpoints: bounded in number and in bytes, thinner with age, and no other run for it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from idtviz.debugger import history
from idtviz.debugger.checkpoints import CHUNK, Room, capture
from idtviz.debugger.history import History
from idtviz.debugger.inputs import Keys
from idtviz.debugger.moment import START, Moment
from idtviz.machine.pc import Machine
from tests.debugger.sessions import kernel, ticking


@pytest.fixture
def machine() -> Machine:
    return Machine(1 << 20, 10_000_000)


def change(machine: Machine, chunk: int, value: int) -> None:
    machine.memory.write(chunk * CHUNK, bytes([value]))


def filled(machine: Machine, count: int) -> History:
    """Checkpoints at 0, 1000, 2000 and so on, each with two chunks of its own."""
    found = History(machine)
    for number in range(count):
        machine.clock.instructions = 1000 * number
        change(machine, number % 60, number % 250 + 1)
        change(machine, (number + 1) % 60, number % 250 + 2)
        found.take(Moment(1000 * number))
    return found


def test_memory_that_has_not_changed_is_kept_once(machine: Machine) -> None:
    change(machine, 3, 1)
    first = capture(machine, START, None)
    change(machine, 7, 1)
    second = capture(machine, Moment(1), first)
    differing = [place for place in range(64) if first.chunks[place] is not second.chunks[place]]
    assert differing == [7]


def test_room_counts_what_checkpoints_share_once_and_frees_it_with_the_last(machine: Machine) -> None:
    room = Room()
    first = capture(machine, START, None)
    room.hold((first,))
    alone = room.taken
    change(machine, 7, 1)
    second = capture(machine, Moment(1), first)
    room.hold((second, second))
    assert room.taken - alone - CHUNK == second.state.cpu.size + 8 * len(second.chunks)
    room.release((first, second))
    assert room.taken > 2 * CHUNK
    room.release((second,))
    assert room.taken == 0


def test_there_are_never_more_than_so_many_and_the_first_stays(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_MOST", 20)
    found = filled(machine, 300)
    assert len(found) == 20
    assert found.nearest(Moment(999)) == START


def test_they_grow_sparser_with_age(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_MOST", 20)
    found = filled(machine, 300)
    near = Moment(299_000 - 5_000)
    assert near.instruction - found.nearest(near).instruction <= 5_000
    standing = sorted({found.nearest(Moment(at)).instruction for at in range(0, 300_000, 500)})
    gaps = [later - earlier for earlier, later in pairwise(standing)]
    assert max(gaps[: len(gaps) // 3]) > 5 * max(gaps[-4:])


def test_they_take_no_more_than_the_room_that_there_is(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_ROOM", 20 * CHUNK)
    found = filled(machine, 200)
    assert found.room.taken <= 20 * CHUNK + machine.memory.size
    assert len(found) >= 4


def test_a_branch_counts_only_what_it_does_not_share(machine: Machine) -> None:
    found = filled(machine, 30)
    before = found.room.taken
    branch = found.fork(Moment(20_000))
    assert found.room.taken == before
    assert branch.nearest(Moment(25_000)) == Moment(19_000)
    branch.drop()
    assert found.room.taken == before


def test_a_thinned_history_replays_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_MOST", 6)
    monkeypatch.setattr(history, "_AGAIN", (0.0, 0))
    monkeypatch.setattr(history, "_ONWARD", (0.0, 0))
    session = ticking(b"\x48\xff\xc0\xeb\xfb", 100)
    session.run(Moment(3000))
    places = [Moment(count) for count in (2990, 1234, 300, 2000, 1235, 101, 2900)]
    fresh = ticking(b"\x48\xff\xc0\xeb\xfb", 100)
    digests = {}
    for moment in sorted(places):
        fresh.run(moment)
        digests[moment] = fresh.digest()
    for moment in places + places[::-1]:
        session.seek(moment)
        assert (session.moment, session.digest()) == (moment, digests[moment])


def test_branches_give_way_to_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_ROOM", 40 * CHUNK)
    monkeypatch.setattr(history, "_ONWARD", (0.0, 0))
    session = kernel("keyboard", ())
    for at in (300, 500, 700):
        session.seek(Moment(at))
        session.give(Keys("q"))
        session.run(Moment(2500))
    assert session.branch.history.room.taken <= 40 * CHUNK + session.machine.memory.size
    for branch in session.branches:
        session.switch(branch.number)
        session.seek(START)
        session.seek(branch.frontier)
        assert session.moment == branch.frontier
