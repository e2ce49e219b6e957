"""A tutor before a session: questions hold the machine, answers let it go on, and what works is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from idtviz.debugger.inputs import Keys
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.stops import Reason
from idtviz.lab.copies import copy
from idtviz.lab.library import folder
from idtviz.lab.problems import ScenarioError
from idtviz.lab.session import LabSession
from idtviz.lab.teaching.progress import Progress, all_progress, progress
from idtviz.lab.teaching.tutor import Tutor

QUESTIONS = """
[[lesson]]
at = "#PF+7"
ask = "Which bit says that this was a write?"
answer = "1"
hint = ["Bit 0 is P.", "It is called W/R."]
cover = ["stack", "delivery"]
explain = "W/R."

[[lesson]]
at = 200
ask = "RSP?"
value = "register.rsp"

[[lesson]]
at = "#PF:2+4000"
ask = "Which ring did it come from?"
choices = ["ring 0", "ring 3"]
answer = "ring 3"

[[lesson]]
at = "end"
ask = "What type has the gate of #PF?"
value = "idt[14].type"
"""


def lesson_of(folder_of_it: Path, more: str, name: str = "page_fault") -> LabSession:
    """The scenario `name` with other lessons."""
    path = copy(folder() / f"{name}.toml", folder_of_it)
    text = path.read_text()
    plain = text[: text.index("[[lesson]]")]
    path.write_text(plain + more)
    return LabSession.open(path)


@pytest.fixture
def asked(tmp_path: Path) -> tuple[LabSession, Tutor]:
    session = lesson_of(tmp_path, QUESTIONS)
    return session, Tutor(session, Progress(""))


MOVES = {
    "step": lambda session: session.step(),
    "check": lambda session: session.micro_step(),
    "over": lambda session: session.next(),
    "finish": lambda session: session.finish(),
    "run": lambda session: session.run(),
    "run to a place": lambda session: session.run("end"),
    "run to a moment": lambda session: session.run(Moment(300)),
    "seek": lambda session: session.seek(Moment(2000)),
    "next event": lambda session: session.event_forward(),
}


@pytest.mark.parametrize("move", MOVES)
def test_no_way_on_leads_beyond_a_question(asked: tuple[LabSession, Tutor], move: str) -> None:
    session, tutor = asked
    stop = session.run()
    assert (session.moment, stop.reason) == (Moment(77, 7), Reason.BARRIER)
    digest = session.digest()
    MOVES[move](session)
    assert session.moment == Moment(77, 7)
    assert session.digest() == digest
    assert tutor.question is not None
    assert tutor.question.text == "Which bit says that this was a write?"


def test_back_is_free_and_the_question_holds_again(asked: tuple[LabSession, Tutor]) -> None:
    session, tutor = asked
    session.run()
    session.back()
    assert session.moment < Moment(77, 7)
    assert tutor.question is None
    for _ in range(8):
        session.micro_step()
    assert session.moment == Moment(77, 7)


def test_a_right_answer_lets_the_machine_go_on_to_the_next_question(asked: tuple[LabSession, Tutor]) -> None:
    session, tutor = asked
    session.run()
    assert tutor.covered == ("stack", "delivery")
    assert not tutor.answer("2").right
    assert tutor.covered
    judged = tutor.answer(" 0x1 ")
    assert judged.right
    assert "W/R." in judged.text
    assert tutor.covered == ()
    session.run()
    assert session.moment == Moment(200)


def test_an_answer_is_computed_from_the_machine_at_that_moment(asked: tuple[LabSession, Tutor]) -> None:
    session, tutor = asked
    session.run()
    tutor.answer("1")
    session.run()
    assert not tutor.answer(hex(session.view.registers.rsp + 8)).right
    assert tutor.answer(str(session.view.registers.rsp)).right


def test_a_choice_is_taken_by_its_number_and_by_its_text(asked: tuple[LabSession, Tutor]) -> None:
    session, tutor = asked
    session.run()
    tutor.answer("1")
    session.run()
    tutor.answer(hex(session.view.registers.rsp))
    session.run()
    assert tutor.question is not None
    assert not tutor.answer("1").right
    assert tutor.answer("2").right


def test_a_place_that_has_no_such_step_holds_at_the_next_moment_there_is(asked: tuple[LabSession, Tutor]) -> None:
    session, tutor = asked
    session.run()
    tutor.answer("1")
    session.run()
    tutor.answer(hex(session.view.registers.rsp))
    session.run()
    held = session.moment
    assert held.step == 0
    for _ in range(3):
        session.step()
        assert session.moment == held
    assert tutor.answer("ring 3").right
    session.step()
    assert session.moment > held


def test_the_last_question_is_asked_at_the_end_and_the_lesson_is_done(asked: tuple[LabSession, Tutor]) -> None:
    session, tutor = asked
    session.run()
    tutor.answer("1")
    session.run()
    tutor.answer(hex(session.view.registers.rsp))
    session.run()
    tutor.answer("2")
    assert tutor.look() == ""
    session.run()
    assert tutor.question is not None
    assert tutor.answer("0xe").right
    assert "done" in tutor.look()
    assert tutor.look() == ""


def test_behind_the_last_hint_the_answer_is_shown(asked: tuple[LabSession, Tutor]) -> None:
    session, tutor = asked
    session.run()
    assert tutor.hint() == "Hint 1 of 2: Bit 0 is P."
    assert tutor.hint() == "Hint 2 of 2: It is called W/R."
    assert "once more" in tutor.hint()
    assert tutor.hint() == "The answer is 1. W/R."
    assert tutor.question is None


def test_a_session_without_a_tutor_is_not_held(tmp_path: Path) -> None:
    session = lesson_of(tmp_path, QUESTIONS)
    session.run()
    assert session.machine.stuck


def test_what_was_given_at_a_question_parts_the_run_and_the_question_stays(asked: tuple[LabSession, Tutor]) -> None:
    session, tutor = asked
    session.run()
    session.give(Keys("a"))
    session.edit("idt[14].p", 0)
    session.run()
    assert session.moment == Moment(77, 7)
    assert tutor.question is not None


def test_progress_outlives_the_session_and_begins_anew_when_asked(tmp_path: Path) -> None:
    session = lesson_of(tmp_path, QUESTIONS)
    tutor = Tutor(session, progress("a lesson"))
    session.run()
    tutor.answer("1")
    again = Tutor(lesson_of(tmp_path, QUESTIONS), progress("a lesson"))
    assert again.answered(again.questions[0]) == "1"
    assert str(all_progress()["a lesson"]) == "1/4"
    again.begin_again()
    assert str(progress("a lesson")) == ""


TASK = """
[[lesson]]
at = "0"
task = "Have #PF arrive as a double fault."
hint = "The gate of #PF has a P bit."

[[expect]]
event = { vector = 8, result = "delivered", count = 1 }
"""


def test_a_task_is_done_when_all_that_is_expected_holds_on_the_branch_that_one_is_on(tmp_path: Path) -> None:
    session = lesson_of(tmp_path, TASK)
    tutor = Tutor(session, Progress(""))
    session.run()
    assert tutor.look() == ""
    assert tutor.missing() == ""
    session.run()
    assert "delivery with vector 0x8, result delivered: not seen" in tutor.missing()
    assert "P bit" in tutor.hint()
    session.seek("#PF")
    session.edit("idt[14].p", 0)
    assert tutor.look() == ""
    session.run()
    assert "It works" in tutor.look()
    assert tutor.progress.done
    assert tutor.missing() == ""


def test_the_start_is_a_moment_at_which_one_can_be_asked(tmp_path: Path) -> None:
    session = lesson_of(tmp_path, '[[lesson]]\nat = 0\nask = "CPL?"\nvalue = "register.cpl"\n')
    tutor = Tutor(session, Progress(""))
    assert tutor.question is not None
    session.step()
    assert session.moment == START
    tutor.answer("0")
    session.step()
    assert session.moment == Moment(1)


def test_a_question_without_an_answer_at_its_moment_holds_nobody_for_ever(tmp_path: Path) -> None:
    question = f'ask = "{"Which? " * 1000}"\nvalue = "frame.rip"'
    session = lesson_of(tmp_path, f'[[lesson]]\nat = "0"\n{question}\nexplain = "No frame yet."\n')
    tutor = Tutor(session, Progress(""))
    assert "no answer is right" in tutor.answer("0x100000").text
    tutor.hint()
    assert tutor.hint() == "The machine has no such value here: go on without. No frame yet."
    assert tutor.question is None
    assert max(map(len, tutor.progress.answered)) < 300


@pytest.mark.parametrize(
    ("given", "said"),
    [('choices = ["1", " 1"]\nanswer = "1"', "choices that differ"), ('answer = " "', "an answer that is not empty")],
)
def test_a_question_that_cannot_be_answered_is_refused(tmp_path: Path, given: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        lesson_of(tmp_path, f'[[lesson]]\nat = "0"\nask = "Which?"\n{given}\n')
