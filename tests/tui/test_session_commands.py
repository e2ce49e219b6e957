"""`:save` and `:note`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from idtviz.lab.session import LabSession
from idtviz.tui.commands import WORDS, interpret
from idtviz.tui.problem import CommandError
from tests.tui.test_breakpoints import said, session_at
from tests.tui.test_debugger import WIDE, opened, screen_of, settled


def test_a_session_is_saved_under_a_name_and_from_then_on_without_one(tmp_path: Path) -> None:
    session = session_at("#PF")
    with pytest.raises(CommandError, match="under what name"):
        interpret("save", session)
    path = tmp_path / "one.idtviz"
    answer = f"saved: {path} (one run, at 77); idtviz run opens it again"
    assert said(session, f"save {tmp_path}/one") == answer
    session.step()
    assert said(session, "save") == answer.replace("at 77", f"at {session.moment}")
    again = LabSession.open(path)
    assert again.moment == session.moment
    assert said(again, "save") == said(session, "save")


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert str(tmp_path / "one.idtviz") in said(session_at("#PF"), "save ~/one")
    assert os.listdir(tmp_path) == ["one.idtviz"]  # noqa: PTH208 -- the names are what matters


def test_what_cannot_be_saved_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CommandError, match="is a file of another kind"):
        interpret(f"save {tmp_path}/notes.txt", session_at("#PF"))()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_moment_can_be_noted_and_the_note_taken_away() -> None:
    session = session_at("#PF")
    assert said(session, "note  the first fault ") == "noted at 77: the first fault"
    assert [(str(note.moment), note.text) for note in session.notes] == [("77", "the first fault")]
    assert said(session, "note") == "nothing is noted at 77 any more"
    assert not session.notes


def test_the_command_line_knows_the_words() -> None:
    assert {"save", "note"} <= set(WORDS)


async def test_a_save_from_the_screen_says_where_it_went(tmp_path: Path) -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press("colon", *"save ", *("slash" if sign == "/" else sign for sign in f"{tmp_path}/one"), "enter")
        await settled(pilot)
        assert f"saved: {tmp_path}/one.idtviz (one run, at 0)"[:60] in screen_of(app).picture.message
    assert LabSession.open(tmp_path / "one.idtviz").moment == (0, 0)
