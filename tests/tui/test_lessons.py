"""A lesson in the debugger: held at a question, behind covers, with a part written in the editor."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static, TextArea

from idtviz.debugger.inputs import Irq
from idtviz.debugger.moment import Moment
from idtviz.lab.library import folder
from idtviz.lab.session import LabSession
from idtviz.lab.teaching.progress import Progress
from idtviz.lab.teaching.tutor import Tutor
from idtviz.lab.teaching.workshop import at_work, retrace
from idtviz.tui.app import IdtvizApp
from idtviz.tui.dialogs import GoalSheet, Sheet
from idtviz.tui.editor import Editor
from tests.lab.teaching.test_tutor import QUESTIONS, lesson_of
from tests.tui.test_debugger import WIDE, panel, screen_of, settled, text_of

LAB = "course/02_frame"
PART = "02_frame_handler.S"


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


async def answer(pilot: Pilot[None], text: str) -> None:
    await pilot.press("a")
    pilot.app.screen.query_one("#line").value = text  # type: ignore[attr-defined]
    await press(pilot, "enter")


@pytest.fixture
def asked(tmp_path: Path) -> IdtvizApp:
    return IdtvizApp(lesson_of(tmp_path, QUESTIONS))


async def test_a_question_holds_the_run_and_covers_its_panels_until_it_is_answered(asked: IdtvizApp) -> None:
    async with asked.run_test(size=WIDE) as pilot:
        await press(pilot, "c")
        assert screen_of(asked).session.moment == Moment(77, 7)
        assert "Which bit says" in text_of(asked, "story")
        assert "Covered" in text_of(asked, "stack")
        assert "Covered" not in text_of(asked, "registers")
        await press(pilot, "s", "c")
        assert screen_of(asked).session.moment == Moment(77, 7)
        await answer(pilot, "7")
        assert "No" in text_of(asked, "story")
        assert "Covered" in text_of(asked, "stack")
        await answer(pilot, "1")
        assert "Right" in text_of(asked, "story")
        assert "Covered" not in text_of(asked, "stack")
        await press(pilot, "c")
        assert screen_of(asked).session.moment == Moment(200)


@pytest.mark.parametrize("size", [WIDE, (80, 24)])
async def test_the_whole_question_and_its_keys_can_be_read(asked: IdtvizApp, size: tuple[int, int]) -> None:
    async with asked.run_test(size=size) as pilot:
        await press(pilot, "c")
        story = panel(asked, "story")
        shown = "".join(story.render_line(line).text for line in range(story.content_size.height))
        assert "was a write?" in shown
        assert "a answers" in shown
        await answer(pilot, "1")
        assert panel(asked, "story").content_size.height == (3 if size == WIDE else 2)


async def test_keys_for_a_question_say_so_where_there_is_none(asked: IdtvizApp) -> None:
    async with asked.run_test(size=WIDE) as pilot:
        await press(pilot, "a")
        assert "no question" in text_of(asked, "story")
        await press(pilot, "h")
        assert "nothing to be answered" in text_of(asked, "story")
        await press(pilot, "E")
        assert "leaves nothing to be written" in text_of(asked, "story")


async def test_the_page_of_the_lesson_leads_to_its_moments(asked: IdtvizApp) -> None:
    async with asked.run_test(size=WIDE) as pilot:
        await press(pilot, "c")
        await answer(pilot, "1")
        await press(pilot, "c", "l")
        page = asked.screen
        assert isinstance(page, GoalSheet)
        text = "\n".join(row.text for row in page.query_one("RowsPanel").rows)  # type: ignore[attr-defined]
        assert "✓ 1. W/R." in text
        assert "RSP?" in text
        await press(pilot, "home", "enter")
        assert screen_of(asked).session.moment == Moment(77, 7)


async def test_a_lab_stops_a_run_where_something_is_said_once(lab: IdtvizApp) -> None:
    async with lab.run_test(size=WIDE) as pilot:
        await pilot.pause()
        session = screen_of(lab).session
        assert session.scenario.summary in text_of(lab, "story").replace("\n", " ")
        await press(pilot, "c")
        ready = session.moment
        assert session.symbols.address_of("kernel_ready") == session.view.registers.rip
        assert "c goes on" in text_of(lab, "story")
        await press(pilot, "c", "C")
        assert session.moment == Moment(0)
        await press(pilot, "c")
        assert session.moment > ready


async def test_playing_stops_at_a_question(asked: IdtvizApp) -> None:
    async with asked.run_test(size=WIDE) as pilot:
        await press(pilot, "c")
        screen = screen_of(asked)
        screen.action_play()
        screen._play()
        assert screen._playing is None


@pytest.fixture
def lab() -> IdtvizApp:
    """A lesson of the course in its unfinished state, all of its questions answered."""
    path = at_work(folder() / f"{LAB}.toml")
    for name in (PART, path.with_suffix(".elf").name):
        (path.parent / name).write_bytes((folder() / "course" / name).read_bytes())
    return IdtvizApp(LabSession.open(path))


def answered(app: IdtvizApp) -> None:
    screen = screen_of(app)
    for question in screen.tutor.questions:
        screen.tutor.progress.answered[question.key] = ""
    screen.tutor.progress.done = False


def solution() -> str:
    return (folder() / "course" / "solutions" / PART).read_text()


async def built(pilot: Pilot[None]) -> None:
    for _ in range(3):
        await settled(pilot)


async def test_a_part_that_is_written_in_the_editor_makes_the_lab_work(lab: IdtvizApp) -> None:
    async with lab.run_test(size=WIDE) as pilot:
        await pilot.pause()
        answered(lab)
        while not screen_of(lab).session.machine.stuck:
            await press(pilot, "c")
        assert not screen_of(lab).tutor.progress.done
        await press(pilot, "C")
        screen_of(lab).session.seek("kernel_ready")
        here = screen_of(lab).session.moment
        await press(pilot, "E")
        editor = lab.screen
        assert isinstance(editor, Editor)
        editor.query_one(TextArea).text = solution()
        await pilot.press("f2")
        await built(pilot)
        assert "built with" in text_of(lab, "story")
        assert screen_of(lab).session.moment == here
        answered(lab)
        while not screen_of(lab).session.machine.stuck:
            await press(pilot, "c")
        assert screen_of(lab).tutor.progress.done
        assert "It works" in text_of(lab, "story")


async def test_a_part_that_another_editor_has_saved_is_built_as_well(lab: IdtvizApp) -> None:
    async with lab.run_test(size=WIDE) as pilot:
        await pilot.pause()
        screen = screen_of(lab)
        (screen.session.path.parent / PART).write_text(solution())
        screen._look_at_parts()
        await built(pilot)
        assert screen_of(lab) is not screen
        assert "built with" in text_of(lab, "story")


async def test_a_handler_that_does_not_get_on_ends_the_run_and_once_mended_one_is_back_at_the_task(
    lab: IdtvizApp,
) -> None:
    async with lab.run_test(size=WIDE) as pilot:
        await pilot.pause()
        answered(lab)
        path = screen_of(lab).session.path.parent / PART
        unfinished = path.read_text()
        path.write_text(unfinished.replace("unfinished", "iretq"))
        screen_of(lab)._look_at_parts()
        await built(pilot)
        answered(lab)
        while "RUN002" not in text_of(lab, "story"):
            await press(pilot, "c")
        assert screen_of(lab).session.seen < 100
        path.write_text(solution())
        screen_of(lab)._look_at_parts()
        await built(pilot)
        assert "at the task" in text_of(lab, "story")
        answered(lab)
        tutor = screen_of(lab).tutor
        assert tutor.present == tutor.tasks[0]


async def test_a_run_that_has_ended_says_what_the_task_still_lacks(lab: IdtvizApp) -> None:
    async with lab.run_test(size=WIDE) as pilot:
        await pilot.pause()
        answered(lab)
        while not screen_of(lab).session.machine.stuck:
            await press(pilot, "c")
        assert "Not done yet" in text_of(lab, "story")


async def test_nothing_is_built_under_an_open_page(lab: IdtvizApp) -> None:
    async with lab.run_test(size=WIDE) as pilot:
        await pilot.pause()
        screen = screen_of(lab)
        await press(pilot, "l")
        (screen.session.path.parent / PART).write_text(solution())
        screen._look_at_parts()
        await built(pilot)
        assert isinstance(lab.screen, Sheet)
        await press(pilot, "escape")
        screen._look_at_parts()
        await built(pilot)
        assert "built with" in text_of(lab, "story")


async def test_what_the_assembler_complains_of_is_shown_and_the_machine_stays(lab: IdtvizApp) -> None:
    async with lab.run_test(size=WIDE) as pilot:
        await pilot.pause()
        before = screen_of(lab)
        await press(pilot, "s", "E")
        lab.screen.query_one(TextArea).text = solution() + "\n    mov rax, rbx, rcx\n"
        await pilot.press("escape")
        await built(pilot)
        sheet = lab.screen
        assert isinstance(sheet, Sheet)
        text = "\n".join(row.text for row in sheet.query_one("RowsPanel").rows)  # type: ignore[attr-defined]
        assert f"{PART}:" in text
        await press(pilot, "E")
        assert isinstance(lab.screen, Editor)
        assert "rbx, rcx" in lab.screen.query_one(TextArea).text
        await press(pilot, "f4")
        assert screen_of(lab) is before
        assert before.session.moment == Moment(1)


async def test_leaving_the_editor_without_saving_changes_nothing(lab: IdtvizApp) -> None:
    async with lab.run_test(size=WIDE) as pilot:
        await pilot.pause()
        before = screen_of(lab)
        path = before.session.path.parent / PART
        text = path.read_text()
        await press(pilot, "E")
        lab.screen.query_one(TextArea).text = "nonsense"
        await pilot.press("f4")
        await built(pilot)
        assert path.read_text() == text
        assert screen_of(lab) is before


async def test_what_another_editor_has_saved_meanwhile_is_not_lost_unsaid(lab: IdtvizApp) -> None:
    async with lab.run_test(size=WIDE) as pilot:
        await pilot.pause()
        path = screen_of(lab).session.path.parent / PART
        await press(pilot, "E")
        lab.screen.query_one(TextArea).text = "// mine\n"
        path.write_text("// theirs\n")
        await press(pilot, "f2")
        assert isinstance(lab.screen, Editor)
        assert "changed by another program" in str(lab.screen.query_one("#keys", Static).render())
        assert path.read_text() == "// theirs\n"
        await pilot.press("f2")
        assert path.read_text() == "// mine\n"
        await built(pilot)


async def test_keys_that_were_typed_are_typed_again_behind_a_rebuild(tmp_path: Path) -> None:
    old = LabSession.open("keyboard")
    old.seek("kernel_ready")
    old.give(Irq(5))
    old.run("irq0")
    old.step()
    new = LabSession.open("keyboard")
    retrace(new, old)
    assert new.moment == old.moment
    assert new.digest() == old.digest()


def test_a_shipped_lab_is_worked_at_in_a_copy_that_keeps_what_was_written() -> None:
    path = at_work(folder() / f"{LAB}.toml")
    assert not path.is_relative_to(folder())
    part = path.parent / PART
    part.write_text("// mine\n")
    assert at_work(folder() / f"{LAB}.toml") == path
    assert part.read_text() == "// mine\n"


def test_a_scenario_with_nothing_to_write_is_opened_where_it_is() -> None:
    path = folder() / "page_fault.toml"
    assert at_work(path) == path


def test_a_tutor_for_a_picture_lets_pass_what_lies_before(tmp_path: Path) -> None:
    session = lesson_of(tmp_path, QUESTIONS)
    session.seek(Moment(200))
    tutor = Tutor(session, Progress(""))
    tutor.pass_by(session.moment)
    assert tutor.question is not None
    assert tutor.question.text == "RSP?"
