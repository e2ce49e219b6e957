"""Keys that go back to a cause, and from one run to another."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from idtviz.debugger.inputs import Keys, Poke
from idtviz.debugger.moment import Moment
from idtviz.debugger.stops import Stop
from idtviz.machine.watch import Bytes
from idtviz.tui.app import IdtvizApp
from idtviz.tui.cause_commands import command, registers_in
from idtviz.tui.cursor import bytes_of
from idtviz.tui.problem import CommandError
from idtviz.view.row import Row, Span
from tests.tui.test_debugger import WIDE, panel, screen_of, text_of
from tests.tui.test_timeline import opened_at, press, settled


async def enter(pilot: Pilot[None], text: str) -> None:
    await pilot.press("colon")
    pilot.app.screen.query_one("#line").value = text  # type: ignore[attr-defined]
    await pilot.press("enter")
    await settled(pilot)


def asked(app: IdtvizApp) -> list[Bytes | str]:
    """Everything that the session is asked from now on: who wrote this?"""
    places: list[Bytes | str] = []

    def who_wrote(place: Bytes | str) -> Stop:
        places.append(place)
        return session.stop

    session = screen_of(app).session
    session.who_wrote = who_wrote  # type: ignore[method-assign]
    return places


async def test_the_event_that_called_a_handler_is_a_key_away() -> None:
    app = opened_at("page_fault", "#PF:2")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        session = screen_of(app).session
        came = session.moment
        await press(pilot, "s", "s", "s", "F")
        assert session.moment == came
        await press(pilot, "F")
        assert "no handler is running" in text_of(app, "story")
        assert session.moment == came


@pytest.mark.parametrize("key", ["4", "5", "6", "7"])
async def test_w_asks_who_wrote_the_bytes_of_the_row(key: str) -> None:
    app = opened_at("page_fault", "#PF:2")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        places = asked(app)
        await press(pilot, key, "home")
        focused = app.screen.focused
        while focused.row.key is None:  # type: ignore[union-attr]
            await press(pilot, "down")
        await press(pilot, "w")
        view = screen_of(app).session.view
        assert places == [bytes_of(view, focused.id, focused.row.key)]  # type: ignore[union-attr]


async def test_w_on_a_gate_is_about_all_of_its_bytes() -> None:
    app = opened_at("page_fault", "#PF:2")
    async with app.run_test(size=WIDE):
        view = screen_of(app).session.view
        assert bytes_of(view, "idt", 14) == Bytes(view.idt.base + 14 * 16, 16)


async def test_w_on_registers_asks_which_and_knows_if_there_is_but_one() -> None:
    app = opened_at("page_fault", "#PF:2")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        places = asked(app)
        line = app.screen.query_one("#line")
        await press(pilot, "3", "home", "w")
        assert line.display
        assert line.value == "rax"  # type: ignore[attr-defined]
        assert "rax or r8?" in text_of(app, "story")
        await press(pilot, *"ebx", "enter")
        assert places == ["rbx"]
        await press(pilot, "3", "home")
        while registers_in(panel(app, "registers").row or Row())[:1] != ("rflags",):
            await press(pilot, "down")
        await press(pilot, "w")
        assert line.value == "rflags"  # type: ignore[attr-defined]
        await press(pilot, "enter")
        assert places == ["rbx", "rflags"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("who rax", "rax"),
        ("who AH", "rax"),
        ("who 0x600000 8", Bytes(0x600000, 8)),
        ("who 0x600000 2", Bytes(0x600000, 2)),
    ],
)
async def test_the_command_line_asks_about_registers_and_bytes(text: str, place: Bytes | str) -> None:
    app = opened_at("page_fault", "#PF:2")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        places = asked(app)
        await enter(pilot, text)
        assert places == [place]


async def test_the_command_line_asks_about_symbols() -> None:
    app = opened_at("page_fault", "#PF:2")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        places = asked(app)
        await enter(pilot, "who kernel_stack_top")
        (place,) = places
        assert isinstance(place, Bytes)
        symbols = {symbol.name: symbol.address for symbol in screen_of(app).session.symbols.all}
        assert place.address == symbols["kernel_stack_top"]


def test_nothing_and_nonsense_are_answered_in_words() -> None:
    session = opened_at("page_fault", "0")._session
    assert session is not None
    with pytest.raises(CommandError, match="who wrote what"):
        command("who", "", session)
    with pytest.raises(CommandError):
        command("who", "nobody_at_all", session)
    assert command("step", "", session) is None


def test_the_registers_of_a_row_are_those_that_it_names() -> None:
    assert registers_in(Row((Span("  rax 000000000000002a  r8  0000000000000000"),))) == ("rax", "r8")
    assert registers_in(Row((Span("  rflags 246 IF ZF PF  CPL 0"),))) == ("rflags",)


async def test_what_wrote_a_word_is_the_next_thing_to_happen() -> None:
    app = opened_at("page_fault", "#PF:2")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        session = screen_of(app).session
        await press(pilot, "s", "4", "home")
        stack = panel(app, "stack")
        while "error" not in stack.row.text:  # type: ignore[union-attr]
            await press(pilot, "down")
        key = stack.row.key  # type: ignore[union-attr]
        await press(pilot, "w")
        assert session.view.procedure is not None
        step = session.view.procedure.steps[session.view.procedure.performed]
        assert [span.address for span in step.writes] == [key]
        assert text_of(app, "story")


async def test_an_edit_is_taken_back_by_its_key() -> None:
    app = opened_at("page_fault", "#PF:2")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        session = screen_of(app).session
        here, before = session.moment, session.digest()
        await press(pilot, "u")
        assert "nothing has been edited" in text_of(app, "story")
        session.give(Poke(0x9000, b"\x01"))
        assert session.digest() != before
        await press(pilot, "u")
        assert "taken back" in text_of(app, "story")
        assert (session.moment, session.digest()) == (here, before)


async def test_the_runs_that_have_parted_are_gone_round_by_one_key() -> None:
    app = opened_at("keyboard", "irq1:2")
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        session = screen_of(app).session
        await press(pilot, "o")
        assert "one run only" in text_of(app, "story")
        here = session.moment
        frontier = session.frontier
        session.give(Keys("x"))
        assert [branch.number for branch in session.branches] == [1, 2]
        assert session.branch.number == 2
        await press(pilot, "o")
        assert "branch 1" in text_of(app, "story")
        assert (session.branch.number, session.moment, session.frontier) == (1, here, frontier)
        events = len(session.events)
        assert f"{session.seen} of {events}" in str(panel(app, "events").border_subtitle)
        await press(pilot, "o")
        assert session.branch.number == 2
        assert session.frontier < frontier
        assert screen_of(app).picture.whole.last == max(here.instruction, session.frontier.instruction)
        assert Moment(session.frontier.instruction) >= Moment(here.instruction)
