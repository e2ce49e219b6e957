"""The course: each lesson is unfinished as it is found, works once it is solved, and asks what can be answered."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from functools import lru_cache

import pytest

from idtviz.debugger.editing import parse_value, slot
from idtviz.debugger.session import Phase
from idtviz.lab.building import build, todo_files
from idtviz.lab.copies import copy
from idtviz.lab.run import run
from idtviz.lab.session import LabSession
from idtviz.lab.teaching.lessons import Lesson
from idtviz.lab.teaching.narration import accepts, answer_of, reached
from idtviz.lab.teaching.progress import Progress
from idtviz.lab.teaching.standing import standing
from idtviz.lab.teaching.tutor import Tutor
from tests.lab.folders import SCENARIOS
from tests.lab.harness.built import needs_gcc

COURSE = SCENARIOS / "course"
SOLUTIONS = COURSE / "solutions"
NAMES = tuple(sorted(path.stem for path in COURSE.glob("*.toml")))
LONGEST = 440  # characters of a text: about three lines of a screen 160 columns wide


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def found(name: str) -> LabSession:
    """The lesson as a student finds it, run to its end."""
    session = LabSession.open(COURSE / f"{name}.toml")
    session.seek("end")
    return session


@pytest.fixture(scope="module")
def solved(name: str, tmp_path_factory: pytest.TempPathFactory) -> LabSession:
    """The solved lesson, run to its end: its parts are written, or the machine is edited where the task is set."""
    path = copy(COURSE / f"{name}.toml", tmp_path_factory.mktemp(name))
    parts = todo_files(path)
    for part in parts:
        shutil.copy(SOLUTIONS / part, path.parent)
    if parts:
        build(path)
    session = LabSession.open(path)
    if not parts:
        session.seek(next(lesson.place.text for lesson in session.lessons if lesson.is_task))
        make(session, edits(name))
    session.seek("end")
    return session


def edits(name: str) -> list[tuple[str, str]]:
    """What the solution of a lesson without a part to write changes in the machine: paths and values."""
    path = SOLUTIONS / f"{name}.set"
    lines = path.read_text().splitlines() if path.exists() else []
    found = [re.fullmatch(r":set (\S+) = (\S+)", line) for line in lines]
    return [(line[1], line[2]) for line in found if line is not None]


def make(session: LabSession, wanted: Sequence[tuple[str, str]]) -> None:
    """Edit the machine at this moment."""
    for where, value in wanted:
        session.edit(where, parse_value(session, value, slot(session, where)))


def places_missed(session: LabSession, wanted: Sequence[Lesson]) -> list[str]:
    return [lesson.place.text for lesson in wanted if reached(lesson, session) is None]


def unanswerable(session: LabSession) -> list[str]:
    """Questions that are reached, and whose answer is not taken for it, or another choice is."""
    wrong = []
    for lesson in session.lessons:
        if lesson.is_question and reached(lesson, session) is not None:
            session.seek(lesson.place.text)
            answer = answer_of(lesson, session)
            taken = [choice for choice in lesson.choices if accepts(lesson, choice, session)]
            if answer is None or not accepts(lesson, answer, session) or (lesson.choices and taken != [answer]):
                wrong.append(lesson.text)
    session.seek("end")
    return wrong


@lru_cache
def test_the_course_has_sixteen_lessons_in_order():
    assert [name[:3] for name in NAMES] == [f"{number:02}_" for number in range(1, 17)]


def test_most_lessons_have_a_part_to_write():
    written = [name for name in NAMES if todo_files(COURSE / f"{name}.toml")]
    assert len(written) * 3 >= len(NAMES) * 2


def test_a_lesson_is_short_and_so_are_its_texts(found):
    assert 6 <= len(found.lessons) <= 14
    assert [lesson.text for lesson in found.lessons if len(lesson.text) > LONGEST] == []


def test_a_lesson_asks_some_questions_at_least_one_of_them_before_the_answer_can_be_seen(found):
    questions = [lesson for lesson in found.lessons if lesson.is_question]
    assert 2 <= len(questions) <= 5
    assert any(lesson.cover for lesson in questions)
    assert all(lesson.hints and lesson.explain for lesson in questions)


def test_a_lesson_has_something_to_make_work_and_its_solution_is_at_hand(name, found):
    assert any(lesson.is_task and lesson.hints for lesson in found.lessons)
    for part in found.scenario.todo:
        assert (SOLUTIONS / part).read_text() != (COURSE / part).read_text()
    assert found.scenario.todo or edits(name)


def test_a_lesson_as_it_is_found_does_not_work(name, found):
    assert not all(outcome.ok for outcome in standing(found))
    assert not run(LabSession.open(COURSE / f"{name}.toml", narrated=False)).ok


def test_all_that_comes_up_to_the_task_is_reached_before_anything_is_written(found):
    task = next(index for index, lesson in enumerate(found.lessons) if lesson.is_task)
    assert places_missed(found, found.lessons[: task + 1]) == []


@needs_gcc
def test_a_solved_lesson_works_and_no_rule_finds_anything_in_it(solved):
    assert [outcome.detail for outcome in standing(solved) if not outcome.ok] == []
    assert list(solved.findings) == []
    assert any(entry.findings == [] for entry in solved.scenario.expect)


@needs_gcc
def test_every_place_of_a_lesson_is_reached_once_it_is_solved(solved):
    assert places_missed(solved, solved.lessons) == []


def test_every_question_that_is_reached_can_be_answered_there_and_no_other_choice_will_do(found):
    assert unanswerable(found) == []


@needs_gcc
def test_every_question_of_a_solved_lesson_can_be_answered(solved):
    assert unanswerable(solved) == []


@needs_gcc
def test_a_student_who_answers_and_solves_reads_everything_and_is_told_that_it_works(name, solved):
    session = LabSession.open(solved.path)
    tutor, read, done = Tutor(session, Progress("")), [], ""
    while not done and session.phase is not Phase.ENDED:
        while (question := tutor.question) is not None:
            read.append(question.text)
            assert tutor.answer(answer_of(question, session) or "").right
        if tutor.present is not None:
            read.append(tutor.present.text)
            if tutor.present.is_task:
                make(session, edits(name))
        if not (done := tutor.look()):
            session.run()
            done = tutor.look()
    assert done.startswith("It works")
    assert sorted(read) == sorted(lesson.text for lesson in session.lessons if lesson.place.text != "end")


@needs_gcc
def test_the_image_of_a_lesson_is_what_idtviz_builds_of_what_the_student_finds(name, tmp_path):
    path = copy(COURSE / f"{name}.toml", tmp_path)
    assert build(path).image.read_bytes() == (COURSE / f"{name}.elf").read_bytes()
