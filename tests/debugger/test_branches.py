"""What if: an edit or an input in the past begins another run, and the one that there was stays as it is."""

from __future__ import annotations

import pytest

from idtviz.debugger.inputs import Irq, Keys, Nmi, Poke, SetRegister
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.session import Phase, Session, SessionError
from idtviz.machine.events import Delivered
from tests.debugger.sessions import TYPED, kernel

END = Moment(1500)


def story(session: Session) -> list[tuple[Moment, str]]:
    """The digests of some moments of the present branch, up to its frontier."""
    end = session.frontier
    places = sorted({Moment(end.instruction * part // 7) for part in range(7)} | {end})
    found = []
    for place in places:
        session.seek(place)
        found.append((session.moment, session.digest()))
    return found


def typed_in_the_past() -> Session:
    """Branch 1 has run to 1500; branch 2 parts at 300, where a key is typed, and has run as far."""
    session = kernel("keyboard", ())
    session.run(END)
    session.seek(Moment(300))
    session.give(Keys("q"))
    session.run(END)
    return session


def test_a_key_typed_in_the_past_begins_a_branch_and_the_original_run_stays() -> None:
    session = kernel("keyboard", ())
    session.run(END)
    original, events = story(session), list(session.events)
    session.seek(Moment(300))
    session.give(Keys("q"))
    assert [branch.number for branch in session.branches] == [1, 2]
    assert session.branch.number == 2
    assert (session.branch.fork, session.branch.name) == (Moment(300), "keys 'q'")
    session.run(END)
    assert list(session.events) != events
    session.switch(1)
    assert session.branch.number == 1
    assert story(session) == original
    assert list(session.events) == events


def test_a_branch_is_what_a_run_with_that_input_would_have_been() -> None:
    session = typed_in_the_past()
    fresh = kernel("keyboard", (("300", Keys("q")),))
    fresh.run(END)
    assert (session.digest(), list(session.events)) == (fresh.digest(), list(fresh.events))


def test_a_key_typed_where_no_run_lies_ahead_begins_no_branch() -> None:
    session = kernel("keyboard", ())
    session.run(Moment(300))
    session.give(Keys("q"))
    session.run(Moment(600))
    session.give(Keys("r"))
    assert len(session.branches) == 1
    assert [str(given.input) for given in session.branch.own] == ["keys 'q'", "keys 'r'"]


def test_an_edit_begins_a_branch_even_where_no_run_lies_ahead() -> None:
    session = kernel("page_fault")
    session.run("#PF")
    session.give(Poke(0xB8000, b"A\x07"))
    assert session.branch.number == 2
    assert session.branches[0].frontier == session.moment


def test_edits_at_one_moment_make_one_branch() -> None:
    session = kernel("page_fault")
    session.run("#PF")
    session.give(Poke(0xB8000, b"A\x07"))
    session.give(Poke(0xB8002, b"B\x07"))
    assert len(session.branches) == 2
    assert session.branch.name == "poke 0xb8000 41 07 · poke 0xb8002 42 07"


def test_switching_goes_to_the_same_moment_or_as_far_as_the_other_branch_reaches() -> None:
    session = typed_in_the_past()
    session.seek(Moment(700))
    session.switch(1)
    assert session.moment == Moment(700)
    session.run(Moment(2000))
    session.switch(2)
    assert session.moment == session.frontier == END


def test_branches_part_from_branches() -> None:
    session = typed_in_the_past()
    second = story(session)
    session.seek(Moment(900))
    session.give(Keys("z"))
    session.run(Moment(1600))
    third = story(session)
    assert session.branch.parent is session.branches[1]
    session.switch(2)
    assert story(session) == second
    session.switch(3)
    assert story(session) == third


def test_a_branch_from_before_the_present_one_begins_parts_from_the_run_that_both_share() -> None:
    session = typed_in_the_past()
    session.seek(Moment(200))
    session.give(Keys("z"))
    assert session.branch.parent is session.branches[0]
    session.delete_branch(2)
    assert [branch.number for branch in session.branches] == [1, 3]


def test_undo_takes_back_a_branch_that_has_nothing_else_of_its_own() -> None:
    session = kernel("keyboard", ())
    session.run(END)
    original = story(session)
    session.seek(Moment(300))
    session.give(Nmi())
    session.run(Moment(800))
    assert session.undo() == Nmi()
    assert (session.moment, [branch.number for branch in session.branches]) == (Moment(300), [1])
    assert session.frontier == END
    assert story(session) == original


def test_undo_takes_back_one_of_several_edits_at_one_moment() -> None:
    session = kernel("page_fault")
    session.run("#PF")
    session.give(Poke(0xB8000, b"A\x07"))
    once = session.digest()
    session.give(Poke(0xB8002, b"B\x07"))
    session.run(Moment(700))
    session.undo()
    assert (session.branch.number, session.digest()) == (2, once)
    session.seek(START)
    session.seek(session.branch.fork)
    assert session.digest() == once


@pytest.mark.parametrize("at", [START, Moment(300)])
def test_undo_takes_back_a_key_and_what_came_of_it(at: Moment) -> None:
    session = kernel("keyboard", ())
    session.run(at)
    before = session.digest()
    session.give(Keys("q"))
    session.run(END)
    session.undo()
    assert (session.moment, session.digest(), session.frontier) == (at, before, at)
    session.run(END)
    fresh = kernel("keyboard", ())
    fresh.run(END)
    assert (session.digest(), list(session.events)) == (fresh.digest(), list(fresh.events))


def test_undo_in_the_middle_of_a_delivery() -> None:
    session = kernel("keyboard", ())
    session.run("irq0")
    for _ in range(5):
        session.micro_step()
    here, before = session.moment, session.digest()
    session.give(Keys("z"))
    session.run(Moment(here.instruction + 300))
    session.undo()
    assert (session.moment, session.digest()) == (here, before)
    session.micro_step()
    session.micro_back()
    assert (session.moment, session.digest()) == (here, before)


def test_undo_with_nothing_given_says_so() -> None:
    session = kernel("keyboard", TYPED)
    session.run(Moment(900))
    with pytest.raises(SessionError, match="nothing has been edited or typed"):
        session.undo()


def test_what_others_part_behind_is_not_taken_back() -> None:
    session = typed_in_the_past()
    session.seek(Moment(900))
    session.give(Keys("z"))
    session.switch(2)
    with pytest.raises(SessionError, match="branch 3 parts from this one"):
        session.undo()
    with pytest.raises(SessionError, match="branch 3 parts from this one"):
        session.delete_branch(2)


def test_deleting_the_present_branch_goes_to_where_it_parted() -> None:
    session = typed_in_the_past()
    session.delete_branch(2)
    assert (session.branch.number, session.moment) == (1, Moment(300))
    with pytest.raises(SessionError, match="original"):
        session.delete_branch(1)
    with pytest.raises(SessionError, match="there is no branch 2; there are 1"):
        session.switch(2)


def test_a_branch_of_a_run_that_has_ended_can_be_run_on() -> None:
    session = kernel("double_fault_no_ist")
    session.run()
    assert session.phase is Phase.ENDED
    end = session.moment
    session.seek(Moment(end.instruction - 3))
    session.give(Irq(5))
    session.run()
    session.switch(1)
    session.seek(end)
    assert session.phase is Phase.ENDED


def test_a_note_stays_with_its_moment_and_is_seen_on_branches_behind_it() -> None:
    session = kernel("keyboard", ())
    session.run(Moment(200))
    session.note("before")
    session.run(END)
    session.note("after")
    session.seek(Moment(300))
    session.give(Keys("q"))
    assert [tuple(note) for note in session.notes] == [(Moment(200), "before")]
    session.switch(1)
    assert [note.text for note in session.notes] == ["before", "after"]
    session.note("something else")
    session.note("")
    assert [note.text for note in session.notes] == ["before", "after"]


# Side by side


def test_two_branches_part_in_events_and_in_code() -> None:
    session = typed_in_the_past()
    session.seek(Moment(700))
    here = session.digest()
    found = session.compare(1, 2)
    assert (session.moment, session.branch.number, session.digest()) == (Moment(700), 2, here)
    assert found.parted == Moment(300)
    first, second = (branch.recording.events for branch in session.branches)
    assert list(first[: found.common]) == list(second[: found.common])
    only = found.first
    assert only is not None
    assert only.left is None
    keys = [second[pair.right] for pair in found.pairs if pair.left is None and pair.right is not None]
    assert any(isinstance(event, Delivered) and event.event.irq == 1 for event in keys)
    assert found.way is not None
    way = found.way
    for number, moment, address in ((1, way.left, way.left_address), (2, way.right, way.right_address)):
        session.switch(number)
        session.seek(moment)
        assert session.machine.cpu.linear_rip == address
    assert found.registers


def test_events_that_both_branches_have_are_matched_though_they_come_at_other_times() -> None:
    session = typed_in_the_past()
    found = session.compare(1, 2)
    first, second = (branch.recording.events for branch in session.branches)
    both = [(pair.left, pair.right) for pair in found.pairs if pair.left is not None and pair.right is not None]
    assert len(both) > 5
    assert all(type(first[left]) is type(second[right]) for left, right in both)


def test_an_edit_that_changes_nothing_that_runs_shows_in_no_event() -> None:
    session = kernel("page_fault")
    session.run()
    session.seek(Moment(70))
    session.give(Poke(0xB8000 + 3998, b"A\x07"))
    session.run()
    found = session.compare(2, 1)
    assert (found.first, found.way) == (None, None)
    assert all(pair.same for pair in found.pairs)


def test_a_run_that_stands_in_front_of_a_delivery_goes_no_other_way_than_one_that_has_it_behind_it() -> None:
    session = kernel("page_fault")
    session.run("#PF")
    session.give(Poke(0xB8000 + 3998, b"A\x07"))
    session.run()
    assert session.compare(1, 2).way is None
    assert session.compare(2, 1).way is None


def test_runs_that_stand_in_front_of_different_instructions_part_there() -> None:
    session = kernel("page_fault")
    session.run(Moment(40))
    session.give(SetRegister("rip", session.view.registers.rip + 1))
    way = session.compare(1, 2).way
    assert way is not None
    assert (way.left, way.right, way.right_address - way.left_address) == (Moment(40), Moment(40), 1)


def test_a_branch_compared_with_itself_is_refused() -> None:
    session = typed_in_the_past()
    with pytest.raises(SessionError, match="same as itself"):
        session.compare(2, 2)


def test_what_the_parent_was_given_later_at_the_same_moment_does_not_come_to_a_branch_by_undo() -> None:
    session = kernel("keyboard", ())
    session.run(Moment(300))
    session.give(Poke(0xB8000, b"A\x07"))
    once = session.digest()
    session.give(Poke(0xB8002, b"B\x07"))
    session.switch(1)
    session.give(Keys("q"))
    session.run(Moment(400))
    session.switch(2)
    session.undo()
    assert (session.branch.number, session.digest()) == (2, once)


def test_memory_that_differs_is_told_by_its_physical_address() -> None:
    session = kernel("page_fault")
    session.run()
    session.seek(Moment(70))
    session.give(Poke(0xB8000 + 3990, b"A\x07"))
    session.give(Poke(0xB8000 + 3000, b"BC"))
    session.run()
    found = session.compare(1, 2)
    expected = [(0xB8000 + 3000, b"BC"), (0xB8000 + 3990, b"A\x07")]
    assert [(each.address, each.right) for each in found.memory] == expected
    assert session.compare(2, 1).memory[0].left == b"BC"
