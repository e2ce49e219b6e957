"""Breakpoints from the keyboard: b at the cursor, the command line, the sheet."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from idtviz.debugger.breakpoints import AddressBreakpoint, DeliveryBreakpoint, WriteBreakpoint
from idtviz.debugger.moment import Moment
from idtviz.debugger.stops import Reason
from idtviz.lab.session import LabSession
from idtviz.machine.watch import Bytes
from idtviz.tui.breakpoint_commands import command
from idtviz.tui.commands import WORDS, interpret
from idtviz.tui.completion import completed
from idtviz.tui.cursor import toggle_breakpoint
from idtviz.tui.problem import CommandError
from idtviz.tui.rate import Rate
from idtviz.view.row import Panel
from tests.tui.test_debugger import WIDE, opened, panel, screen_of, settled, text_of


def session_at(place: str, name: str = "page_fault") -> LabSession:
    session = LabSession.open(name)
    session.run(place)
    return session


def said(session: LabSession, text: str) -> str:
    answer = interpret(text, session)()
    assert isinstance(answer, str)
    return answer


def test_breakpoints_are_set_switched_listed_and_deleted_by_number() -> None:
    session = session_at("kernel_ready")
    assert said(session, "break #PF if error & 4") == "breakpoint 1: #PF if error & 4"
    assert said(session, "break port 0x60 read") == "breakpoint 2: port 0x60 read"
    assert said(session, "off 2") == "breakpoint 2: port 0x60 read, switched off"
    sheet = interpret("breakpoints", session)()
    assert isinstance(sheet, Panel)
    first, second = (row.text.split() for row in sheet.rows)
    assert first == ["■", "1", "#PF", "if", "error", "&", "4"]
    assert second == ["□", "2", "port", "0x60", "read", "off"]
    assert said(session, "on 2") == "breakpoint 2: port 0x60 read"
    assert said(session, "delete 1") == "breakpoint 1 deleted: #PF if error & 4"
    assert said(session, "delete") == "all breakpoints deleted"
    assert not len(session.breakpoints)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("break nowhere", "nothing to stop at"),
        ("until", "stop at what"),
        ("off", "no number"),
        ("on 7", "there are: none"),
        ("delete 7", "there are: none"),
        ("run nowhere", "no moment"),
        ("fly", "no command"),
    ],
)
def test_a_command_that_cannot_be_carried_out_is_answered_in_words(text: str, answer: str) -> None:
    with pytest.raises(CommandError, match=answer):
        interpret(text, session_at("kernel_ready"))


def test_until_runs_to_a_breakpoint_that_is_not_set() -> None:
    session = session_at("kernel_ready")
    interpret("until iret", session)()
    assert session.stop.reason is Reason.BREAKPOINT
    assert "iret" in session.view.code.here.mnemonic if session.view.code.here else False
    assert not len(session.breakpoints)


def test_only_commands_about_breakpoints_are_taken_for_one() -> None:
    assert command("step", "", session_at("kernel_ready")) is None


def test_b_on_a_word_of_the_stack_a_descriptor_or_a_tss_watches_its_bytes() -> None:
    session = session_at("#PF")
    view = session.view
    word = view.stack.linear
    for panel_, key, place in (
        ("stack", word, Bytes(word, 8)),
        ("gdt", 0x08, Bytes(view.gdt.base + 8, 8)),
        ("tss", view.tss.selector, Bytes(view.tss.base, 104)),
    ):
        toggle_breakpoint(session, session.view, panel_, key)
        found = list(session.breakpoints)[-1]
        assert isinstance(found, WriteBreakpoint)
        assert found.place == place


def test_b_twice_takes_the_breakpoint_away() -> None:
    session = session_at("#PF")
    toggle_breakpoint(session, session.view, "idt", 14)
    assert [type(item) for item in session.breakpoints] == [DeliveryBreakpoint]
    assert "deleted" in toggle_breakpoint(session, session.view, "idt", 14)
    assert not len(session.breakpoints)


def test_b_where_there_is_nothing_to_stop_at_says_where_to_press_it() -> None:
    session = session_at("#PF")
    for name, key in (("registers", 1), ("gdt", 0xFFF8), ("code", None)):
        assert "Press b on" in toggle_breakpoint(session, session.view, name, key)
    assert not len(session.breakpoints)


def test_b_on_code_whose_segment_has_a_base_stops_at_the_linear_address() -> None:
    session = LabSession.open("real_mode_ivt")
    session.run("#DE")
    code = session.view.code
    toggle_breakpoint(session, session.view, "code", code.rip)
    (item,) = session.breakpoints
    assert isinstance(item, AddressBreakpoint)
    assert item.addresses == (code.linear(code.rip),)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("br", "break"),
        ("break int", "break interrupt"),
        ("break fau", "break fault in delivery"),
        ("break #P", "break #PF"),
        ("break page_fault_h", "break page_fault_handler"),
        ("until ir", "until irq"),
        ("break #PF if er", "break #PF if error"),
        ("break #PF if error & 4 and rip in page_fault_h", "break #PF if error & 4 and rip in page_fault_handler"),
        ("goto kernel_r", "goto kernel_ready"),
        ("step ", None),
        ("break ", None),
        ("xyz", None),
    ],
)
def test_a_line_is_completed_with_words_and_symbols(text: str, whole: str | None) -> None:
    found = completed(text, session_at("kernel_ready").symbols)
    if whole == "break interrupt":
        assert found in ("break int ", whole)
    else:
        assert found == whole


def test_a_line_that_asks_for_a_place_is_completed_like_goto() -> None:
    symbols = session_at("kernel_ready").symbols
    assert completed("kernel_r", symbols, "goto ") == "kernel_ready"


def test_every_command_word_is_completed() -> None:
    symbols = session_at("kernel_ready").symbols
    for word in WORDS:
        if not any(other != word and word.startswith(other) for other in WORDS):
            assert completed(word[:-1], symbols) is not None, word


def test_the_rate_is_taken_over_the_last_second() -> None:
    now = 0.0
    rate = Rate(lambda: now)
    assert rate.look(0) is None
    now = 0.5
    assert rate.look(5_000_000) == 10_000_000
    now = 1.5
    assert rate.look(50_000_000) == 45_000_000
    rate.start()
    assert rate.look(0) is None


async def enter(pilot: object, text: str) -> None:
    await pilot.press("colon")  # type: ignore[attr-defined]
    pilot.app.screen.query_one("#line", Input).value = text  # type: ignore[attr-defined]
    await pilot.press("enter")  # type: ignore[attr-defined]
    await settled(pilot)  # type: ignore[arg-type]


async def test_a_write_breakpoint_from_the_command_line_stops_with_old_and_new_value_on_the_screen() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        await enter(pilot, "break write 0xb8000 4000")
        assert "breakpoint 1: write 0xb8000 4000" in text_of(app, "story")
        await pilot.press("c")
        await settled(pilot)
        assert "wrote 0xb8" in text_of(app, "story")
        assert "→" in text_of(app, "story")
        assert screen_of(app).session.stop.reason is Reason.BREAKPOINT


async def test_the_sheet_of_breakpoints_opens_by_its_key_and_shows_hits() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        await enter(pilot, "break #PF")
        await pilot.press("c")
        await settled(pilot)
        await pilot.press("B")
        await settled(pilot)
        assert "#PF" in text_of(app, "sheet")
        assert "1 hit" in text_of(app, "sheet")
        await pilot.press("escape")
        assert screen_of(app).session.moment > Moment(0)


async def test_the_right_arrow_takes_the_completion() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        await pilot.press("colon", *"breakpo")
        await pilot.pause()
        await pilot.press("right")
        assert app.screen.query_one("#line", Input).value == "breakpoints"


async def test_the_head_shows_instructions_rate_and_virtual_time_while_a_run_goes_on() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        session = screen_of(app).session
        session.machine.memory.write(session.machine.cpu.rip, b"\xeb\xfe")
        await pilot.press("c")
        while "MIPS" not in text_of(app, "head"):
            await pilot.pause(0.05)
        head = text_of(app, "head")
        await pilot.press("escape")
        await settled(pilot)
        assert "running" in head
        assert "instructions" in head
        assert "s · Esc stops" in head
        assert panel(app, "head").rows


@pytest.mark.parametrize("text", ["goto _", "goto 0x_", "run 1__2", "until port 010", "break #PF if error == 0x_"])
def test_a_number_that_is_none_is_an_answer_and_no_fault(text: str) -> None:
    with pytest.raises(CommandError):
        interpret(text, session_at("#PF"))


@pytest.mark.parametrize("text", ["goto {}", "goto #PF:{}", "irq {}", "break port {}", "until irq{}", "step {}"])
def test_a_number_of_thousands_of_digits_is_an_answer_and_no_fault(text: str) -> None:
    with pytest.raises(CommandError):
        interpret(text.format("9" * 5000), session_at("#PF"))
