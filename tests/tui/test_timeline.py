"""The timeline driven by keys and the mouse."""

from __future__ import annotations

import threading

import pytest
from textual.pilot import Pilot

from idtviz.debugger.inputs import Poke
from idtviz.debugger.moment import START, Moment
from idtviz.lab.session import LabSession
from idtviz.tui.actions import ACTIONS, PANEL_HELP
from idtviz.tui.app import IdtvizApp
from idtviz.tui.debugger import DebuggerScreen
from idtviz.tui.picture import Picture
from idtviz.view.row import Role
from idtviz.view.timeline import Mark
from tests.tui.test_debugger import WIDE, panel, screen_of, text_of

SMALL = (80, 24)


def opened_at(name: str, place: str) -> IdtvizApp:
    """A scenario that is recorded to its end, at `place`."""
    session = LabSession.open(name)
    session.seek("end")
    session.seek(place)
    return IdtvizApp(session)


async def settled(pilot: Pilot[None]) -> None:
    """Wait until nothing moves any more."""
    screen = screen_of(pilot.app)  # type: ignore[arg-type]
    await pilot.pause()
    while screen.is_busy:
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
    await pilot.pause()


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


def column_of(screen: DebuggerScreen, moment: Moment) -> int:
    """The column of the timeline's rows that stands for a moment."""
    scale = screen.picture.scale
    assert scale is not None
    return scale.left + scale.column(moment.instruction)


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_arrows_go_along_the_timeline_column_by_column_and_back(size: tuple[int, int]) -> None:
    app = opened_at("page_fault", "#PF:2")
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        screen = screen_of(app)
        here = column_of(screen, screen.session.moment)
        await press(pilot, "right")
        assert column_of(screen, screen.session.moment) == here + 1
        assert panel(app, "timeline").rows[-1].text.index("▲") == here + 1
        await press(pilot, "left", "left")
        assert column_of(screen, screen.session.moment) == here - 1
        assert panel(app, "timeline").rows[-1].text.index("▲") == here - 1


@pytest.mark.parametrize("key", "1234567890")
async def test_arrows_scrub_from_every_panel(key: str) -> None:
    app = opened_at("page_fault", "#PF:2")
    async with app.run_test(size=WIDE) as pilot:
        await press(pilot, key)
        session = screen_of(app).session
        before = session.moment
        await press(pilot, "right")
        assert session.moment > before
        await press(pilot, "left", "left")
        assert session.moment < before


async def test_on_the_input_line_arrows_move_in_the_line() -> None:
    app = opened_at("page_fault", "#PF:2")
    async with app.run_test(size=WIDE) as pilot:
        before = screen_of(app).session.moment
        await press(pilot, "colon", "a", "c", "left", "b", "+", "[")
        assert app.screen.query_one("#line").value == "ab+[c"  # type: ignore[attr-defined]
        assert screen_of(app).session.moment == before


async def test_the_ends_of_the_recording_are_the_ends_of_scrubbing() -> None:
    app = opened_at("page_fault", "0")
    async with app.run_test(size=WIDE) as pilot:
        session = screen_of(app).session
        await press(pilot, "left")
        assert session.moment == START
        session.seek(session.frontier)
        await press(pilot, "right")
        assert session.moment == session.frontier
        assert "s, n and c go on" in text_of(app, "story")


async def test_held_keys_lead_as_far_as_they_were_pressed_but_not_through_every_moment() -> None:
    app = opened_at("page_fault", "0")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        screen = screen_of(app)
        session, sought = screen.session, []
        may_go_on, seek = threading.Event(), session.seek

        def slow(moment: Moment) -> object:
            sought.append(moment)
            may_go_on.wait(10)
            return seek(moment)

        session.seek = slow  # type: ignore[method-assign, assignment]
        for _ in range(20):
            screen.action_scrub()
        may_go_on.set()
        await settled(pilot)
        assert len(sought) == 2, "the first, and the last that was asked for"
        assert column_of(screen, session.moment) == column_of(screen, START) + 20


async def test_other_moves_are_dropped_while_one_goes_on() -> None:
    app = opened_at("page_fault", "0")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        screen = screen_of(app)
        may_go_on, seek = threading.Event(), screen.session.seek

        def slow(moment: Moment) -> object:
            may_go_on.wait(10)
            return seek(moment)

        screen.session.seek = slow  # type: ignore[method-assign, assignment]
        screen.action_frontier()
        screen.action_step()
        screen.action_event_back()
        may_go_on.set()
        await settled(pilot)
        assert screen.session.moment == screen.session.frontier


async def test_brackets_and_shifted_arrows_go_from_event_to_event() -> None:
    app = opened_at("page_fault", "0")
    async with app.run_test(size=WIDE) as pilot:
        session = screen_of(app).session
        events = [Moment(event.instruction, event.step) for event in session.events]
        await press(pilot, "right_square_bracket")
        assert session.moment == events[0]
        await press(pilot, "shift+right")
        assert session.moment == events[1]
        shown = panel(app, "events").row
        assert shown is not None
        assert shown.key == 1
        await press(pilot, "left_square_bracket")
        assert session.moment == events[0]
        await press(pilot, "shift+left")
        assert session.moment == START


async def test_home_and_end_on_the_timeline_are_the_start_and_the_frontier() -> None:
    app = opened_at("page_fault", "#PF:2")
    async with app.run_test(size=WIDE) as pilot:
        panel(app, "timeline").focus()
        session = screen_of(app).session
        await press(pilot, "end")
        assert session.moment == session.frontier
        await press(pilot, "home")
        assert session.moment == START


async def test_tab_leads_to_the_timeline_and_its_help_explains_it() -> None:
    app = opened_at("page_fault", "#PF:2")
    async with app.run_test(size=WIDE) as pilot:
        await press(pilot, "9", "tab")
        assert app.screen.focused is panel(app, "timeline")
        await press(pilot, "tab")
        assert app.screen.focused is panel(app, "events")
        panel(app, "timeline").focus()
        await pilot.press("question_mark")
        await pilot.pause()
        words = " ".join(text_of(app, "sheet").split())
        assert PANEL_HELP["timeline"] in words
        assert all(action.help in words for action in ACTIONS)


async def test_plus_and_minus_zoom_around_the_present() -> None:
    app = opened_at("page_fault", "#PF:2")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        screen = screen_of(app)
        whole = screen.picture.whole
        await press(pilot, "plus", "plus", "plus")
        assert screen.picture.window is not None
        assert screen.picture.window.span == pytest.approx(whole.span / 8, abs=2)
        assert screen.picture.window.holds(screen.session.moment.instruction)
        assert "zoom ×8" in str(panel(app, "timeline").border_title)
        assert f"{screen.picture.window.first:,}" in text_of(app, "timeline")
        await press(pilot, "minus", "minus", "minus")
        assert screen.picture.window is None
        await press(pilot, "plus", "plus", "underscore")
        assert screen.picture.window is None
        assert "zoom" not in str(panel(app, "timeline").border_title)


async def test_a_zoomed_timeline_scrubs_in_finer_steps_and_follows_the_present() -> None:
    app = opened_at("page_fault", "#PF:2")
    async with app.run_test(size=WIDE) as pilot:
        screen = screen_of(app)
        before = screen.session.moment.instruction
        await press(pilot, *["plus"] * 12, "right")
        assert screen.session.moment == Moment(before + 1)
        window = screen.picture.window
        assert window is not None
        await press(pilot, *["left"] * window.span)
        assert screen.session.moment == Moment(before + 1 - window.span)
        assert screen.picture.window != window
        assert "▲" in text_of(app, "timeline")
        await press(pilot, "c")
        assert screen.picture.window is not None
        assert screen.picture.window.holds(screen.session.moment.instruction)


async def test_back_from_the_middle_of_a_delivery_leads_in_front_of_it() -> None:
    app = opened_at("page_fault", "#PF:2+5")
    async with app.run_test(size=WIDE) as pilot:
        here = screen_of(app).session.moment.instruction
        await press(pilot, *["plus"] * 12, "left")
        assert screen_of(app).session.moment == Moment(here)
        await press(pilot, "left")
        assert screen_of(app).session.moment == Moment(here - 1)


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_a_click_on_a_sign_goes_to_its_event(size: tuple[int, int]) -> None:
    app = opened_at("page_fault", "0")
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        screen = screen_of(app)
        session, line = screen.session, panel(app, "timeline")
        event = session.events[2]
        x = column_of(screen, Moment(event.instruction))
        border = line.content_region.x - line.region.x, line.content_region.y - line.region.y
        await pilot.click("#timeline", offset=(border[0] + x, border[1]))
        await settled(pilot)
        assert session.moment == Moment(event.instruction, event.step)
        await pilot.click("#timeline", offset=(border[0] + x + 3, border[1]))
        await settled(pilot)
        assert session.moment == Moment(screen.picture.scale.stretch(x + 3)[0])  # type: ignore[union-attr]
        assert app.mouse_captured is None


async def test_a_drag_takes_the_present_along_even_beyond_the_panel() -> None:
    app = opened_at("page_fault", "0")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        session, line = screen_of(app).session, panel(app, "timeline")
        left = line.content_region.x - line.region.x
        await pilot.mouse_down("#timeline", offset=(left + 20, 1))
        await settled(pilot)
        first = session.moment
        assert first > START
        await pilot.hover("#timeline", offset=(left + 40, 1))
        await settled(pilot)
        assert session.moment > first
        await pilot.hover("#story")
        await pilot.hover("#timeline", offset=(left + line.columns - 1, 1))
        await pilot.mouse_up("#timeline", offset=(left + line.columns - 1, 1))
        await settled(pilot)
        assert session.moment.instruction >= session.frontier.instruction * 9 // 10
        there = session.moment
        await pilot.hover("#timeline", offset=(left + 30, 1))
        await settled(pilot)
        assert session.moment == there, "the button is up"


async def test_the_wheel_zooms_about_the_pointer() -> None:
    app = opened_at("page_fault", "#PF:2")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        screen, line = screen_of(app), panel(app, "timeline")
        assert screen.picture.scale is not None
        x = 80
        under = screen.picture.scale.stretch(x)[0]
        before = screen.session.moment
        line.post_message(line.Zoomed(x, nearer=True))
        line.post_message(line.Zoomed(x, nearer=True))
        await settled(pilot)
        assert screen.picture.window is not None
        assert abs(screen.picture.scale.column(under) + screen.picture.scale.left - x) <= 1
        assert screen.session.moment == before
        for _ in range(2):
            line.post_message(line.Zoomed(x, nearer=False))
        await settled(pilot)
        assert screen.picture.window is None


async def test_enter_on_an_event_moves_the_timeline_and_the_cursor_goes_along() -> None:
    app = opened_at("keyboard", "end")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        screen, listed = screen_of(app), panel(app, "events")
        await press(pilot, "0", *["up"] * 40, "enter")
        row = listed.row
        assert row is not None
        assert row.lit is not None
        assert screen.session.moment < screen.session.frontier
        shown = panel(app, "timeline").rows[-1].text
        assert shown.index("▲") == column_of(screen, screen.session.moment)
        await press(pilot, "left")
        assert listed.row is not None
        assert listed.row.lit is not None


async def test_a_list_of_events_that_is_read_stays_where_it_is_while_the_timeline_zooms() -> None:
    app = opened_at("keyboard", "end")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await press(pilot, "0", *["up"] * 40)
        row = panel(app, "events").row
        await press(pilot, "plus")
        screen_of(app).draw()
        assert panel(app, "events").row == row
        assert row is not None
        assert row.lit is None


async def test_on_a_small_screen_the_list_of_events_and_the_timeline_stand_together() -> None:
    app = opened_at("keyboard", "end")
    async with app.run_test(size=SMALL) as pilot:
        await press(pilot, "0")
        assert panel(app, "timeline").region.height == 1
        assert panel(app, "events").region.height > 4
        assert "▲" in text_of(app, "timeline")


async def test_a_scrub_that_fails_says_why_and_the_screen_lives_on() -> None:
    app = opened_at("page_fault", "0")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        screen = screen_of(app)
        seek = screen.session.seek

        def broken(_moment: Moment) -> object:
            raise RuntimeError("a fault of ours")

        screen.session.seek = broken  # type: ignore[method-assign, assignment]
        screen.action_frontier()
        await pilot.pause()
        while screen.is_busy:
            await pilot.pause()
        assert "a fault of ours" in text_of(app, "story")
        screen.session.seek = seek  # type: ignore[method-assign]
        await press(pilot, "right")
        assert screen.session.moment > START


async def test_a_click_on_a_persons_mark_goes_there(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = Mark(Moment(300), "◆", Role.TITLE, "your note")
    monkeypatch.setattr(Picture, "marks", property(lambda _: (mark,)))
    app = opened_at("page_fault", "0")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        screen, line = screen_of(app), panel(app, "timeline")
        assert "◆ your note" in str(line.border_subtitle)
        x = line.rows[0].text.index("◆")
        await pilot.click("#timeline", offset=(x + line.content_region.x - line.region.x, 1))
        await settled(pilot)
        assert screen.session.moment == Moment(300)


async def test_the_faults_of_one_instruction_are_gone_through_one_by_one_when_zoomed_in() -> None:
    app = opened_at("double_fault_no_ist", "#PF")
    async with app.run_test(size=WIDE) as pilot:
        await press(pilot, *["plus"] * 4)
        line, session = panel(app, "timeline"), screen_of(app).session
        assert "xx✗" in line.rows[0].text
        places = []
        for key in ("]", "]", "[", "["):
            places.append((session.moment, line.rows[-1].text.index("▲")))
            await press(pilot, key)
        there, forward = line.rows[0].text.index("xx✗"), [Moment(88), Moment(88, 15), Moment(88, 30), Moment(88, 15)]
        assert places == [(moment, there + max(0, moment.step // 15)) for moment in forward]
        assert session.moment == Moment(88)


async def test_another_run_has_a_timeline_of_its_own() -> None:
    app = opened_at("page_fault", "#PF:2")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        screen, line = screen_of(app), panel(app, "timeline")
        first = line.rows[0].text
        screen.session.give(Poke(0x9000, b"\x01"))
        screen.look_again()
        assert line.rows[0].text != first
        assert line.rows[-1].text.split()[-2:] == ["620", "▲"]
        await press(pilot, "o")
        there = line.rows[0].text.index("Y")
        assert line.rows[0].text == f"{first[:there]}Y{first[there + 1 :]}"
        assert "Y branches part" in str(line.border_subtitle)
