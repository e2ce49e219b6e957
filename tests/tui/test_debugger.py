"""The debugger driven by the keys that a person would press."""

import pytest
from textual.pilot import Pilot

from idtviz.debugger.moment import Moment
from idtviz.debugger.session import Phase
from idtviz.lab.library import course, shipped
from idtviz.lab.session import LabSession
from idtviz.tui.app import Gallery, IdtvizApp
from idtviz.tui.debugger import DebuggerScreen
from idtviz.tui.panel import RowsPanel

SCENARIOS = tuple(item.name for item in shipped())
WIDE = (160, 48)


def opened(name: str) -> IdtvizApp:
    return IdtvizApp(LabSession.open(name))


def screen_of(app: IdtvizApp) -> DebuggerScreen:
    found = app.screen
    assert isinstance(found, DebuggerScreen)
    return found


def panel(app: IdtvizApp, name: str) -> RowsPanel:
    return app.screen.query_one(f"#{name}", RowsPanel)


def text_of(app: IdtvizApp, name: str) -> str:
    return "\n".join(row.text for row in panel(app, name).rows)


async def settled(pilot: Pilot[None]) -> None:
    """Wait until a move in the worker has come to its end and is on the screen."""
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def go(pilot: Pilot[None], place: str) -> None:
    await pilot.press("slash")
    line = pilot.app.screen.query_one("#line")
    line.value = place  # type: ignore[attr-defined]
    await pilot.press("enter")
    await settled(pilot)


@pytest.mark.parametrize("name", SCENARIOS)
async def test_run_to_the_end_and_back_to_the_start_finds_the_first_state_again(name: str) -> None:
    app = opened(name)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        session = screen_of(app).session
        first = session.digest()
        await pilot.press("c")
        await settled(pilot)
        assert session.moment > Moment(0)
        assert session.phase is Phase.ENDED or session.idle
        await pilot.press("C")
        await settled(pilot)
        assert session.moment == Moment(0)
        assert session.digest() == first


@pytest.mark.parametrize("name", SCENARIOS)
async def test_every_check_of_the_first_delivery_can_be_stepped_and_stepped_back(name: str) -> None:
    app = opened(name)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        await go(pilot, "delivery:0")
        session = screen_of(app).session
        seen = [(session.moment, session.digest())]
        while len(seen) <= 20 and not session.machine.stuck:
            await pilot.press("m")
            seen.append((session.moment, session.digest()))
        assert len(set(seen)) == len(seen)
        for moment, digest in reversed(seen[:-1]):
            await pilot.press("M")
            assert (session.moment, session.digest()) == (moment, digest)


async def test_a_check_of_the_delivery_lights_the_gate_that_it_read() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        await go(pilot, "#PF+2")
        lit = [row for row in panel(app, "idt").rows if row.lit is not None]
        assert [row.key for row in lit] == [14]
        assert "check 2 of" in text_of(app, "delivery")


async def test_a_panel_that_is_shown_on_a_small_screen_has_the_whole_width() -> None:
    app = opened("page_fault")
    async with app.run_test(size=(80, 24)) as pilot:
        await go(pilot, "#PF")
        await pilot.press("7")
        await pilot.pause()
        assert "RSP0    000000000010a000 kernel_stack_top" in text_of(app, "tss")


async def test_enter_on_a_register_shows_the_page_walk_of_its_address() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await go(pilot, "#PF")
        await pilot.press("3", *["down"] * 8, "enter")
        await pilot.pause()
        sheet = app.screen.query_one("#sheet", RowsPanel)
        assert "4-level paging" in "".join(row.text for row in sheet.rows)


async def test_the_double_fault_without_an_ist_ends_in_an_explained_shutdown() -> None:
    app = opened("double_fault_no_ist")
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        await pilot.press("c")
        await settled(pilot)
        told = text_of(app, "delivery")
        assert "shut down" in told
        assert "1. #PF: its delivery met #PF at “push SS”" in told
        assert "2. #DF: its delivery met #PF at “push SS”" in told
        assert "shutdown" in text_of(app, "head")
        events = text_of(app, "events")
        assert "#PF" in events
        assert "#DF" in events


async def test_keys_typed_live_reach_the_guest_and_its_screen() -> None:
    app = opened("keyboard")
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        await pilot.press("c")
        await settled(pilot)
        await pilot.press("k", "o", "k", "enter")
        await settled(pilot)
        await pilot.press("c")
        await settled(pilot)
        assert "ok" in text_of(app, "display")


async def test_a_breakpoint_on_a_gate_stops_in_front_of_its_delivery() -> None:
    app = opened("breakpoint")
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        await go(pilot, "kernel_ready")
        await pilot.press("5", "home")
        while panel(app, "idt").row is None or panel(app, "idt").row.key != 3:
            await pilot.press("down")
        await pilot.press("b", "c")
        await settled(pilot)
        session = screen_of(app).session
        assert session.view.procedure is not None
        assert session.view.procedure.event is not None
        assert session.view.procedure.event.vector == 3
        assert session.view.procedure.performed == 0


async def test_enter_on_a_gate_opens_it_bit_by_bit() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        await go(pilot, "kernel_ready")
        await pilot.press("5", "home", "enter")
        await pilot.pause()
        assert "DPL" in text_of(app, "sheet")
        await pilot.press("escape")
        assert isinstance(app.screen, DebuggerScreen)


async def test_what_if_shows_the_delivery_of_a_vector_without_moving() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        await go(pilot, "kernel_ready")
        session = screen_of(app).session
        before = session.digest()
        await pilot.press("v")
        app.screen.query_one("#line").value = "#GP"  # type: ignore[attr-defined]
        await pilot.press("enter")
        await pilot.pause()
        assert "if it came now" in text_of(app, "delivery")
        assert "will be" in text_of(app, "delivery")
        assert session.digest() == before


async def test_a_command_that_means_nothing_is_answered_in_words() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        await go(pilot, "nowhere_at_all")
        assert "nowhere_at_all" in text_of(app, "story")
        assert screen_of(app).session.moment == Moment(0)


@pytest.mark.parametrize("size", [(80, 24), (100, 30), WIDE, (240, 70), (40, 12)])
async def test_every_panel_can_be_reached_at_every_size(size: tuple[int, int]) -> None:
    app = opened("page_fault")
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await go(pilot, "#PF+9")
        for key in "1234567890":
            await pilot.press(key)
            await pilot.pause()
            focused = app.screen.focused
            assert isinstance(focused, RowsPanel)
            assert focused.region.height > 0
            assert focused.rows


async def test_a_step_repaints_only_lines_that_changed() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        await go(pilot, "#PF+4")
        await pilot.press("m")
        await pilot.pause()
        before = {found.id: found.painted for found in app.screen.query(RowsPanel)}
        await pilot.press("m")
        await pilot.pause()
        painted = {found.id: found.painted - before[found.id] for found in app.screen.query(RowsPanel)}
        assert painted["registers"] == 0
        assert painted["display"] == 0
        assert 0 < painted["delivery"] <= 8


async def test_the_gallery_lists_the_scenarios_and_enter_opens_one() -> None:
    app = IdtvizApp()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        assert isinstance(app.screen, Gallery)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, DebuggerScreen)
        assert screen_of(app).session.setup.name == course()[0].path.name


async def test_a_guest_that_spins_with_interrupts_off_can_be_paused() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        session = screen_of(app).session
        rip = session.machine.cpu.rip
        session.machine.memory.write(rip, b"\xeb\xfe")
        await pilot.press("c")
        await pilot.pause(0.2)
        assert session.phase is Phase.RUNNING
        await pilot.press("escape")
        await settled(pilot)
        assert session.phase is Phase.STOPPED
        assert "paused" in text_of(app, "head")


async def test_what_is_painted_is_what_the_panel_shows_when_the_line_has_come_and_gone() -> None:
    app = opened("double_fault")
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        await go(pilot, "#DF+20")
        for keys in (("slash", "escape"), ("M", "M", "M"), ("colon",), ("escape",)):
            await pilot.press(*keys)
            await settled(pilot)
            found = panel(app, "delivery")
            first = found.content_region
            painted = [strip.text for strip in app.screen._compositor.render_strips()]  # type: ignore[attr-defined]
            shown = [line[first.x : first.right].rstrip() for line in painted[first.y : first.bottom]]
            texts = [row.text.rstrip() for row in found.rows]
            assert any(texts[top : top + len(shown)] == shown for top in range(len(texts) - len(shown) + 1))


async def test_the_input_line_is_seen_from_a_panel_on_the_whole_screen() -> None:
    app = opened("page_fault")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("5", "z", "slash")
        await pilot.pause()
        assert app.screen.query_one("#line").region.height == 3
        assert screen_of(app).maximized is None
