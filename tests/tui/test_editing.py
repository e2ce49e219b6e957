"""Editing by keys and by the command line."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from idtviz.debugger import editing
from idtviz.lab.session import LabSession
from idtviz.tui.app import IdtvizApp
from idtviz.tui.edit_completion import EditSuggester, completed
from idtviz.tui.editing import FieldSheet, SlotSheet
from tests.tui.test_debugger import WIDE, go, opened, panel, screen_of, settled, text_of

SMALL = (80, 24)


def line(app: IdtvizApp) -> str | None:
    """What stands in the input line; None where it is closed."""
    found = app.screen.query_one("#line", Input)
    return found.value if found.display and app.focused is found else None


def value(app: IdtvizApp, path: str) -> int:
    return editing.slot(screen_of(app).session, path).value


async def press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await settled(pilot)


async def put_cursor(pilot: Pilot[None], number: str, name: str, words: str) -> None:
    """The cursor on the row of a panel that holds `words`."""
    await press(pilot, number)
    found = panel(pilot.app, name)  # type: ignore[arg-type]
    found.go_to(next(place for place, row in enumerate(found.rows) if words in row.text))
    await pilot.pause()


async def command(pilot: Pilot[None], text: str) -> None:
    await press(pilot, "colon")
    pilot.app.screen.query_one("#line", Input).value = text
    await press(pilot, "enter")


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_a_field_of_a_gate_is_chosen_from_a_sheet_and_changed_on_the_line(size: tuple[int, int]) -> None:
    app = opened("page_fault")
    async with app.run_test(size=size) as pilot:
        await go(pilot, "#PF")
        await put_cursor(pilot, "5", "idt", "#PF")
        await press(pilot, "e")
        assert isinstance(app.screen, SlotSheet)
        sheet = panel(app, "sheet")
        sheet.go_to(next(place for place, row in enumerate(sheet.rows) if " dpl " in row.text))
        await press(pilot, "enter")
        assert line(app) == "idt[14].dpl = 0"
        await press(pilot, "3", "enter")
        assert value(app, "idt[14].dpl") == 3
        assert "edit: idt[14].dpl 0 → 3" in text_of(app, "story")
        assert app.focused is panel(app, "idt")
        assert "#PF" in (panel(app, "idt").row or sheet.rows[0]).text
        assert next(row for row in panel(app, "idt").rows if "#PF" in row.text).text.startswith("●")


async def test_a_value_that_does_not_fit_is_said_and_the_line_stays_for_correction() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await go(pilot, "#PF")
        await press(pilot, "2", "e")
        assert "tss.rsp0" in text_of(app, "sheet")
        await press(pilot, "down", "down", "e")
        assert line(app) == "idt[14].ist = 0"
        await press(pilot, "9", "enter")
        assert "3 bits" in text_of(app, "story")
        assert line(app) == "idt[14].ist = 9"
        await press(pilot, "2", "enter")
        assert line(app) is None
        assert value(app, "idt[14].ist") == 2


async def test_e_on_a_field_of_an_open_structure_edits_that_field() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await go(pilot, "#PF")
        await put_cursor(pilot, "5", "idt", "#PF")
        await press(pilot, "enter")
        assert isinstance(app.screen, FieldSheet)
        sheet = panel(app, "sheet")
        for words, path in (("offset 31:16", "idt[14].offset"), ("ring 0 only", "idt[14].dpl"), (" P ", "idt[14].p")):
            sheet = panel(app, "sheet")
            sheet.go_to(next(place for place, row in enumerate(sheet.rows) if words in row.text))
            await press(pilot, "e")
            found = line(app)
            assert found is not None and found.startswith(f"{path} = ")
            await press(pilot, "escape")
            await press(pilot, "enter")


async def test_e_in_a_page_walk_edits_the_entry_of_the_level_that_the_cursor_is_in() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await go(pilot, "user_start")
        await put_cursor(pilot, "3", "registers", "rip ")
        await press(pilot, "enter")
        sheet = panel(app, "sheet")
        rows = [place for place, row in enumerate(sheet.rows) if " P  " in row.text]
        sheet.go_to(rows[2])
        await press(pilot, "e")
        assert line(app) == "pde[0x400000].p = 1"
        await press(pilot, "0", "enter")
        assert value(app, "pde[rip].p") == 0
        await press(pilot, "m")
        assert "page fault" in text_of(app, "delivery")


ONE = (
    ("1", "code", "mov     [rdi], eax", "[0x40000a] = 89 07"),
    ("3", "registers", "rip ", "rip = 0x40000a"),
    ("4", "stack", "402ff8", "[0x402ff8]:8 = 0"),
)


async def test_a_row_with_one_value_opens_the_line_with_its_path_and_value() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await go(pilot, "#PF")
        for number, name, words, expected in ONE:
            await put_cursor(pilot, number, name, words)
            await press(pilot, "e")
            assert line(app) == expected
            await press(pilot, "escape")
            assert line(app) is None
            assert app.focused is panel(app, name)


async def test_a_word_of_the_interrupt_frame_goes_by_its_name() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await go(pilot, "page_fault_handler")
        await put_cursor(pilot, "4", "stack", "rflags")
        await press(pilot, "e")
        found = line(app)
        assert found is not None and found.startswith("frame.rflags = 0x")


SEVERAL = (
    ("3", "registers", "rax ", ("rax", "r8")),
    ("3", "registers", "rflags ", ("rflags", "if", "iopl")),
    ("3", "registers", "cr0 ", ("cr0", "wp", "pg")),
    ("3", "registers", "cs ", ("cs", "ss")),
    ("6", "gdt", "20 code64", ("type", "base", "dpl")),
    ("7", "tss", "RSP0", ("rsp0", "ist7", "io_map_base")),
    ("8", "pic", "IMR", ("pic.master.imr", "pic.slave.imr")),
    ("8", "pic", "8254", ("pit[0].reload", "pit[2].mode")),
    ("8", "pic", "8042", ("keyboard.output", "keyboard.command_byte")),
    ("8", "pic", "INTR", ("pic.master.irr", "pic.slave.vector_base")),
)


async def test_a_row_with_several_values_opens_a_sheet_of_them() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await go(pilot, "#PF")
        for number, name, words, paths in SEVERAL:
            await put_cursor(pilot, number, name, words)
            await press(pilot, "e")
            shown = text_of(app, "sheet").split()
            assert [path for path in paths if path not in shown] == []
            await press(pilot, "escape")


async def test_where_there_is_nothing_to_edit_the_story_line_says_what_can_be() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await press(pilot, "9", "e")
        assert "nothing to edit" in text_of(app, "story")
        assert line(app) is None


async def test_without_a_panel_the_line_asks_for_a_path() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await press(pilot, "e")
        assert line(app) == ""
        await press(pilot, *"rax=7", "enter")
        assert value(app, "rax") == 7


async def test_set_shows_changes_and_refuses() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await go(pilot, "#PF")
        await command(pilot, "set rflags.if")
        assert "rflags.if = 1 (1 bit) · maskable interrupts are taken" in text_of(app, "story")
        await command(pilot, "set rflags.if = off")
        assert value(app, "rflags.if") == 0
        await command(pilot, "set cr0.pg = 0")
        assert "paging cannot be switched off in 64-bit mode" in text_of(app, "story")
        await command(pilot, "set")
        assert "A path, = and a value" in text_of(app, "story")
        await command(pilot, "set idt[14]")
        assert isinstance(app.screen, SlotSheet)


async def test_an_edit_of_a_gate_that_a_delivery_has_read_already_says_that_it_comes_late() -> None:
    app = opened("breakpoint")
    async with app.run_test(size=WIDE) as pilot:
        await go(pilot, "int 0x80+1")
        await command(pilot, "set idt[0x80].dpl = 2")
        assert "already" not in text_of(app, "story")
        await press(pilot, "m")
        await command(pilot, "set idt[0x80].dpl = 3")
        assert "has read it already" in text_of(app, "story")


async def test_an_edit_is_still_there_after_going_away_and_back() -> None:
    app = opened("page_fault")
    async with app.run_test(size=WIDE) as pilot:
        await go(pilot, "#PF")
        await command(pilot, "set idt[14].p = 0")
        await press(pilot, "s")
        await press(pilot, "S", "S")
        await go(pilot, "#PF")
        assert value(app, "idt[14].p") == 0


@pytest.mark.parametrize(
    ("typed", "whole"),
    [
        ("rfl", "rflags"),
        ("rflags.i", "rflags.if"),
        ("idt[14].d", "idt[14].dpl"),
        ("pte[user_st", "pte[user_start"),
        ("pic.master.v", "pic.master.vector_base"),
        ("tss.i", "tss.ist1"),
        ("rflags.if = o", "rflags.if = on"),
        ("idt[14].type = tr", "idt[14].type = trap gate"),
        ("rip = kernel_r", "rip = kernel_ready"),
        ("nonsense.x", None),
    ],
)
def test_a_half_written_edit_is_completed(typed: str, whole: str | None) -> None:
    session = LabSession.open("page_fault")
    session.seek("#PF")
    assert completed(session, typed) == whole


async def test_the_command_line_completes_an_edit_and_the_edit_line_completes_a_path() -> None:
    session = LabSession.open("page_fault")
    assert await EditSuggester(session, "").get_suggestion("set rflags.i") == "set rflags.if"
    assert await EditSuggester(session, "").get_suggestion("brea") == "break"
    assert await EditSuggester(session, "set ").get_suggestion("cr0.w") == "cr0.wp"
