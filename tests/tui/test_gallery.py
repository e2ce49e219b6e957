"""The gallery: the course with what has been done of it, what was opened before, and the way back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.widgets import OptionList

from idtviz.lab import recent
from idtviz.lab.copies import copy
from idtviz.lab.library import course, folder
from idtviz.lab.premises import Premises
from idtviz.lab.teaching.progress import Progress
from idtviz.tui.app import IdtvizApp
from idtviz.tui.gallery import Gallery
from tests.tui.test_debugger import screen_of, settled

pytestmark = pytest.mark.usefixtures("nothing_done")


def listed(app: IdtvizApp) -> list[str]:
    return [str(option.prompt) for option in app.screen.query_one(OptionList).options]


async def test_the_course_comes_first_and_shows_how_far_one_has_come() -> None:
    first, second = course()[:2]
    Progress(first.name, {"a": "1", "b": "2"}, 3).save()
    Progress(second.name, {"a": "1"}, 1, done=True).save()
    app = IdtvizApp()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        lines = listed(app)
        assert lines[0] == "The course"
        assert lines[1].startswith(" 2/3 1. ")
        assert lines[2].startswith("   ✓ 2. ")
        assert lines[3].startswith("     3. ")


@pytest.mark.parametrize("width", [60, 100, 200])
async def test_no_line_is_broken_in_two(width: int) -> None:
    app = IdtvizApp()
    async with app.run_test(size=(width, 30)) as pilot:
        await pilot.pause()
        room = app.screen.query_one(OptionList).scrollable_content_region.width
        assert all(len(line) <= room - 2 for text in listed(app) for line in text.splitlines())


async def test_leaving_a_lesson_leads_back_to_the_list_at_the_same_place() -> None:
    app = IdtvizApp()
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.pause()
        await pilot.press("down", "down", "enter")
        await settled(pilot)
        opened = screen_of(app).session.scenario.title
        assert opened == course()[2].title
        await pilot.press("q")
        await settled(pilot)
        assert isinstance(app.screen, Gallery)
        options = app.screen.query_one(OptionList)
        assert options.highlighted_option is not None
        assert options.highlighted_option.id == str(course()[2].path)


async def test_a_file_of_ones_own_is_listed_once_it_was_opened(tmp_path: Path) -> None:
    own = copy(folder() / "page_fault.toml", tmp_path)
    recent.opened(own)
    recent.opened(tmp_path / "gone.toml")
    recent.opened(folder() / "keyboard.toml")
    app = IdtvizApp()
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.pause()
        lines = listed(app)
        at = lines.index("Opened before")
        assert lines[at + 1].strip() == str(own)
        assert lines[at + 2] == ""


def test_a_damaged_list_of_files_is_as_good_as_none(nothing_done: Premises) -> None:
    path = nothing_done.data / "recent.json"
    path.parent.mkdir(exist_ok=True)
    for damage in (b"\xff", b"{}", b"[1, null]", json.dumps(["\0"]).encode()):
        path.write_bytes(damage)
        assert recent.files() == ()
