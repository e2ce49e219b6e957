"""Findings in the debugger: they appear when they happen, and lead where they happened."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from idtviz.lab.session import LabSession
from idtviz.tui.app import IdtvizApp
from idtviz.tui.completion import completed
from idtviz.tui.dialogs import GoalSheet
from idtviz.view.findings import when
from tests.tui.test_debugger import WIDE, panel, screen_of, settled, text_of
from tests.tui.test_timeline import column_of

SMALL = (80, 24)
BUG = "bugs/error_code_not_popped"


def fresh() -> IdtvizApp:
    return IdtvizApp(LabSession.open(BUG))


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys, each when what came of the one before has ended; a sheet may be open then."""
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


async def enter(pilot: Pilot[None], text: str) -> None:
    await pilot.press("colon")
    pilot.app.screen.query_one("#line").value = text  # type: ignore[attr-defined]
    await press(pilot, "enter")
    await pilot.pause()


def sheet_text(app: IdtvizApp) -> str:
    sheet = app.screen
    assert isinstance(sheet, GoalSheet)
    return "\n".join(row.text for row in panel(app, "sheet").rows)


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_a_finding_appears_with_the_step_that_comes_to_it(size: tuple[int, int]) -> None:
    app = fresh()
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        assert "⚑" not in text_of(app, "head") + text_of(app, "story")
        await enter(pilot, "until page_fault_handler")
        assert "⚑" not in text_of(app, "head") + text_of(app, "story")
        await press(pilot, "s")
        assert "⚑1 (x)" in text_of(app, "head")
        assert "⚑ STK001: the handler of #PF" in text_of(app, "story")
        await press(pilot, "s")
        assert "⚑1 (x)" in text_of(app, "head")
        assert "STK001" not in text_of(app, "story")


async def test_what_a_run_has_come_to_is_told_behind_why_it_stopped() -> None:
    app = fresh()
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await press(pilot, "c")
        story = " ".join(text_of(app, "story").split())
        assert story.startswith(screen_of(app).session.stop.text)
        assert screen_of(app).session.stop.text
        assert "⚑ STK001: the handler of #PF returns" in story


async def test_x_runs_on_to_the_next_finding_and_goes_round_those_that_are_known() -> None:
    app = fresh()
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        session = screen_of(app).session
        await press(pilot, "x")
        (finding,) = session.findings
        assert session.moment == when(finding)
        assert panel(app, "timeline").rows[0].text[column_of(screen_of(app), session.moment)] == "⚑"
        await press(pilot, "X")
        assert "nothing was found before this moment" in text_of(app, "story")
        await press(pilot, "x")
        assert "nothing more was found" in text_of(app, "story")
        assert session.moment == session.frontier
        await press(pilot, "X")
        assert session.moment == when(finding)
        assert "⚑ STK001" in text_of(app, "story")
        await enter(pilot, "goto 0")
        assert "⚑ 1 ahead (x)" in text_of(app, "head")
        await press(pilot, "x")
        assert session.moment == when(finding)


async def test_enter_on_a_finding_among_the_events_goes_there_and_opens_its_page() -> None:
    app = fresh()
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        session = screen_of(app).session
        await press(pilot, "c", "0", "home")
        await press(pilot, "down", "enter")
        assert session.moment == when(session.findings[0])
        assert "Take the error code off the stack" in sheet_text(app)
        await press(pilot, "enter")
        assert "⚑ STK001" in text_of(app, "story")


async def test_the_list_of_findings_leads_to_each() -> None:
    app = fresh()
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        session = screen_of(app).session
        await press(pilot, "c")
        await enter(pilot, "findings")
        assert "⚑ STK001" in sheet_text(app)
        await press(pilot, "enter")
        assert session.moment == when(session.findings[0])


@pytest.mark.parametrize(
    ("line", "part"), [("explain STK001", "IRET"), ("explain #PF", "vector 14"), ("explain", "fix")]
)
async def test_the_command_line_explains(line: str, part: str) -> None:
    app = fresh()
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await press(pilot, "x")
        await enter(pilot, line)
        assert part in sheet_text(app)
        await press(pilot, "enter")
        assert screen_of(app)


async def test_what_cannot_be_explained_is_said_in_words() -> None:
    app = fresh()
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await enter(pilot, "explain")
        assert "nothing was found up to here" in text_of(app, "story")
        await enter(pilot, "explain nonsense")
        assert "neither a rule" in text_of(app, "story")
        await enter(pilot, "findings")
        assert "Nothing was found" in sheet_text(app)


async def test_play_stops_at_a_finding() -> None:
    app = fresh()
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        screen = screen_of(app)
        await enter(pilot, "until page_fault_handler")
        await press(pilot, "space")
        assert screen._playing is not None
        screen.action_step()
        assert screen._playing is None


async def test_the_gate_that_is_wrong_bears_the_sign_and_is_in_sight() -> None:
    app = IdtvizApp(LabSession.open("bugs/gate_dpl"))
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await press(pilot, "x")
        idt = panel(app, "idt")
        (marked,) = [row for row in idt.rows if "⚑" in row.text]
        assert marked.key == 0x80
        await press(pilot, "5")
        assert idt.row is marked


async def test_a_branch_has_the_findings_of_its_own_run() -> None:
    app = fresh()
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        session = screen_of(app).session
        await press(pilot, "c")
        assert len(screen_of(app).picture.findings) == 1
        await enter(pilot, "goto page_fault_handler")
        session.edit("rsp", session.view.registers.rsp + 8)
        await press(pilot, "s")
        assert session.branch.number == 2
        assert "⚑" not in text_of(app, "head")
        await press(pilot, "o")
        assert "⚑" in text_of(app, "head")


async def test_what_is_asked_for_once_is_not_asked_for_while_painting(monkeypatch: pytest.MonkeyPatch) -> None:
    app = fresh()
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await press(pilot, "x")
        asked = []
        monkeypatch.setattr(LabSession, "findings", property(lambda _: asked.append(1) or ()))
        screen_of(app).draw()
        await pilot.pause()
        assert not asked
        await press(pilot, "S")
        assert len(asked) == 1


async def test_why_tells_how_it_came_to_this_and_leads_there() -> None:
    app = IdtvizApp(LabSession.open("bugs/missing_eoi"))
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        session = screen_of(app).session
        session.run()
        await press(pilot, "W")
        assert "A handler returns without EOI" in sheet_text(app)
        await press(pilot, "enter")
        assert session.moment == when(session.findings[0])


async def test_why_on_a_gate_and_on_the_controllers_is_about_an_interrupt() -> None:
    app = IdtvizApp(LabSession.open("bugs/missing_eoi"))
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await press(pilot, "c", "8", "W")
        assert "IRQ0 does not arrive: ISR of the master is 0x01" in sheet_text(app)
        await press(pilot, "escape", "5")
        idt = panel(app, "idt")
        idt.go_to(next(place for place, row in enumerate(idt.rows) if row.key == 14))
        await press(pilot, "W")
        assert "#PF is an exception" in sheet_text(app)


async def test_the_line_for_why_names_what_it_takes() -> None:
    app = fresh()
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await press(pilot, "8", "W")
        line = app.screen.query_one("#line")
        assert line.display
        await press(pilot, "1", "enter")
        assert "IRQ1 does not arrive" in sheet_text(app)
        await press(pilot, "escape")
        for wrong in ("why irq 2", "why nonsense", "why 14"):
            await enter(pilot, wrong)
            assert "why irq" in text_of(app, "story")


@pytest.mark.parametrize(
    ("text", "whole"),
    [("explain ST", "explain STK001"), ("explain idt.l", "explain idt.limit"), ("why v", "why vector")],
)
def test_what_can_be_explained_is_completed(text: str, whole: str) -> None:
    assert completed(text, LabSession.open(BUG).symbols) == whole
