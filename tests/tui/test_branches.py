"""Branches on the screen: which one this is, what sets it apart, where it parts, and the way to another."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from idtviz.debugger.moment import Moment
from idtviz.tui.app import IdtvizApp
from idtviz.tui.debugger import DebuggerScreen
from idtviz.tui.dialogs import GoalSheet
from tests.tui.test_breakpoints import said, session_at
from tests.tui.test_debugger import WIDE, panel, screen_of, text_of
from tests.tui.test_editing import command
from tests.tui.test_snapshots import app_with_branches
from tests.tui.test_timeline import SMALL, opened_at, press, settled


async def choose(app: IdtvizApp, pilot: Pilot[None], part: str) -> None:
    """Enter on the row of a sheet that contains `part`."""
    assert isinstance(app.screen, GoalSheet)
    rows = panel(app, "sheet").rows
    place = next(place for place, row in enumerate(rows) if part in row.text)
    panel(app, "sheet").go_to(place)
    await pilot.press("enter")
    await pilot.pause()
    if isinstance(app.screen, DebuggerScreen):
        await settled(pilot)


async def compare(pilot: Pilot[None]) -> None:
    await pilot.press("equals_sign")
    while not isinstance(pilot.app.screen, GoalSheet):
        await pilot.pause()
    await pilot.pause()


async def test_an_edit_says_that_a_branch_begins_and_an_undo_that_it_is_gone() -> None:
    app = opened_at("page_fault", "#PF")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await command(pilot, "set idt[14].p = 0")
        told = "edit: idt[14].p 1 → 0 · branch 2 begins here: o shows branch 1 without it, = compares"
        assert told in " ".join(text_of(app, "story").split())
        assert "branch 2 of 2: edit idt[14].p 1 → 0, from 77 " in text_of(app, "head")
        await command(pilot, "set idt[14].ist = 1")
        assert "begins" not in text_of(app, "story"), "the same branch"
        await press(pilot, "u", "u")
        assert "with it branch 2 is gone: this is branch 1 again" in text_of(app, "story")
        assert "branch" not in text_of(app, "head")


async def test_keys_typed_in_the_past_say_so_too() -> None:
    app = opened_at("keyboard", "irq1:2")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await press(pilot, "k", "z", "enter")
        assert "given: keys 'z' · branch 2 begins here" in text_of(app, "story")
        assert "branch 2 of 2: keys 'z', from 271+1 " in text_of(app, "head")


async def test_keys_typed_where_nothing_is_ahead_begin_no_branch() -> None:
    app = opened_at("keyboard", "end")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await press(pilot, "k", "z", "enter")
        assert text_of(app, "story").startswith("given: keys 'z'")
        assert "branch" not in text_of(app, "story") + text_of(app, "head")


async def test_the_other_run_says_up_to_where_it_is_the_same() -> None:
    app = app_with_branches()
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await press(pilot, "o")
        assert text_of(app, "story") == "branch 1 of 2: the original run · the same as branch 2 up to 77"
        assert "branch 1 of 2: the original run " in text_of(app, "head")


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_the_number_of_the_branch_stands_on_every_screen(size: tuple[int, int]) -> None:
    app = app_with_branches()
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        assert "branch 2 of 2" in text_of(app, "head")
        assert "277" in text_of(app, "head")
        assert "Y" in panel(app, "timeline").rows[0].text


async def test_enter_on_an_event_of_a_comparison_goes_there_on_the_branch_that_has_it() -> None:
    app = app_with_branches()
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        session = screen_of(app).session
        await compare(pilot)
        await choose(app, pilot, "Events behind that")
        assert isinstance(app.screen, GoalSheet), "a heading leads nowhere"
        await choose(app, pilot, "INT 0x80")
        assert (session.branch.number, session.moment) == (1, Moment(1756))
        await compare(pilot)
        await choose(app, pilot, "double_fault_handler")
        assert (session.branch.number, session.moment) == (1, Moment(77, 25)), "both have it: on the present one"
        await compare(pilot)
        await choose(app, pilot, "#DF")
        assert (session.branch.number, session.moment) == (2, Moment(77, 5))


async def test_two_events_at_the_same_moment_stand_side_by_side() -> None:
    app = app_with_branches()
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await compare(pilot)
        (both,) = [row.text for row in panel(app, "sheet").rows if "its delivery met #NP" in row.text]
        assert "≠" in both
        assert both.split()[:2] == ["77", "#PF"]
        signs = "".join(row.spans[1].text.strip() for row in panel(app, "sheet").rows if len(row.spans) == 3)
        assert signs.count("▶") == 1
        assert signs.count("◀") == 6
        await pilot.press("equals_sign")
        await pilot.pause()
        assert isinstance(app.screen, DebuggerScreen), "the key that opens it closes it"


async def test_enter_in_the_list_of_branches_goes_to_one() -> None:
    app = app_with_branches()
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await command(pilot, "branch")
        await choose(app, pilot, "the original run")
        assert screen_of(app).session.branch.number == 1
        assert screen_of(app).session.moment == Moment(277)


async def test_a_click_on_where_branches_part_goes_there() -> None:
    app = opened_at("page_fault", "#PF+3")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await command(pilot, "set idt[14].p = 0")
        await press(pilot, "C")
        line = panel(app, "timeline")
        x = line.rows[0].text.index("Y") + line.content_region.x - line.region.x
        await pilot.click("#timeline", offset=(x, 1))
        await settled(pilot)
        assert screen_of(app).session.moment == Moment(77, 3)


def test_bytes_can_be_sent_to_the_serial_port() -> None:
    session = session_at("#PF")
    assert said(session, "serial hello\\n").startswith("given: serial b'hello\\n'")
    assert session.view.com1.received + session.view.com1.wire == b"hello\n"
