"""Keys that come faster than the screen can follow: none is lost, and none is taken for another."""

from __future__ import annotations

import os
import pty
import struct
import sys
import termios
from fcntl import ioctl

import pytest
from textual import events
from textual.pilot import Pilot

from idtviz.debugger.moment import START, Moment
from idtviz.lab.session import LabSession
from idtviz.tui.app import IdtvizApp
from idtviz.tui.debugger import DebuggerScreen
from idtviz.tui.dialogs import Sheet
from idtviz.tui.panel import RowsPanel
from tests.tui.test_debugger import WIDE, screen_of, text_of
from tests.tui.test_terminal import LEAVE_ALTERNATE_SCREEN, read_until
from tests.tui.test_timeline import opened_at, settled

NAMES = {"/": "slash", ":": "colon", "#": "number_sign", " ": "space", "=": "equals_sign", ".": "full_stop"}


async def at_once(pilot: Pilot[None], *keys: str) -> None:
    """All keys before the application has looked at the first."""
    for key in keys:
        pilot.app.post_message(events.Key(NAMES.get(key, key), key if len(key) == 1 else None))
    app = pilot.app
    assert isinstance(app, IdtvizApp)
    await pilot.pause()
    while app.is_behind:
        await pilot.pause()
    if isinstance(app.screen, DebuggerScreen):
        await settled(pilot)


async def test_a_moment_can_be_typed_without_waiting_for_the_line() -> None:
    app = opened_at("page_fault", "0")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await at_once(pilot, "/", *"300", "enter")
        assert screen_of(app).session.moment == Moment(300)


@pytest.mark.parametrize(("key", "what"), [(":", "command"), ("k", "keyboard"), ("i", "line"), ("v", "vector")])
async def test_letters_behind_a_key_that_opens_the_line_are_no_commands(key: str, what: str) -> None:
    app = opened_at("page_fault", "#PF")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        before = screen_of(app).session.moment
        await at_once(pilot, key, *"sSmq2")
        line = app.screen.query_one("#line")
        assert line.value == "sSmq2"  # type: ignore[attr-defined]
        assert what in str(line.border_title)
        assert screen_of(app).session.moment == before


async def test_what_follows_the_line_is_a_command_again() -> None:
    app = opened_at("page_fault", "300")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await at_once(pilot, ":", *"break #DF", "enter", "5")
        assert text_of(app, "story") == "breakpoint 1: #DF"
        assert isinstance(app.screen.focused, RowsPanel)
        assert app.screen.focused.id == "idt"


async def test_a_gate_can_be_edited_without_waiting_for_panel_sheet_or_line() -> None:
    app = opened_at("page_fault", "#PF")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await at_once(pilot, "5", "home", "down", "e", *["down"] * 7, "enter", "0", "enter")
        session = screen_of(app).session
        assert session.branch.name == "edit idt[14].p 1 → 0"


async def test_a_field_of_an_opened_structure_can_be_edited_without_waiting() -> None:
    app = opened_at("page_fault", "#PF")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await at_once(pilot, "5", "home", "enter", *["down"] * 3, "e")
        line = app.screen.query_one("#line")
        assert line.display
        await at_once(pilot, "1", "enter")
        assert screen_of(app).session.branch.name.startswith("edit idt[8].")


async def test_a_key_behind_one_that_opens_a_sheet_is_for_the_sheet() -> None:
    session = LabSession.open("page_fault")
    session.seek("end")
    session.seek("#PF")
    session.edit("idt[14].p", 0)
    session.run()
    app = IdtvizApp(session)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await at_once(pilot, "=", "q")
        assert not isinstance(app.screen, Sheet)
        assert isinstance(app.screen, DebuggerScreen), "q closed the sheet, not the program"


async def test_what_is_pasted_behind_a_key_goes_to_the_line() -> None:
    app = opened_at("page_fault", "0")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        app.post_message(events.Key("slash", "/"))
        app.post_message(events.Paste("300"))
        await at_once(pilot, "enter")
        assert screen_of(app).session.moment == Moment(300)


async def test_a_command_is_taken_as_before_when_nothing_opens() -> None:
    app = opened_at("page_fault", "0")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await at_once(pilot, *"sssSs")
        assert screen_of(app).session.moment == Moment(3)
        await at_once(pilot, "C")
        assert screen_of(app).session.moment == START


def test_in_a_terminal_a_moment_is_typed_in_one_go() -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execv(sys.executable, [sys.executable, "-m", "idtviz", "run", "page_fault"])
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 48, 160, 0, 0))
    read_until(terminal, b"Delivery")
    os.write(terminal, b"/300\r")
    read_until(terminal, b"instruction 300")
    os.write(terminal, b"q")
    read_until(terminal, LEAVE_ALTERNATE_SCREEN)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    os.close(terminal)
