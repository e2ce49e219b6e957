"""The code panel over source of compilers: long lines, several instructions a line, and lines out of order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from idtviz.debugger import symbols
from idtviz.debugger.session import Session, Setup
from idtviz.view import code
from idtviz.view.row import Panel
from tests.debugger import elves
from tests.debugger.elves import Elf, Entry, Row, Unit
from tests.machine.bare import bare
from tests.oracle.long_mode import LongModeWorld

START = LongModeWorld(code=b"\x90").rip
"""Where the world's code begins."""

NOPS = 0x30
SOURCE = tuple(f"\tstatement_{number}();" for number in range(1, 20))
PATH, HEADER = "/os/kernel.c", "/os/port.h"


def session(*rows: Row, at: int = 0, files: Sequence[tuple[int, str]] = ((0, "kernel.c"), (0, "port.h"))) -> Session:
    """A machine with NOPs, which are said to come from these lines; `at` of them have been executed."""
    end = START + NOPS
    unit = Unit([*rows, Row(end)], files=tuple(files), ranges=(START, end))
    text = elves.Section(".text", bytes(NOPS), START, elves.ALLOC | elves.EXEC)
    main = Entry("_ZN2os4mainEv", START, kind=elves.FUNC, size=NOPS)
    names = symbols.from_elf(Elf([text, *elves.dwarf([unit])], [main]).bytes())
    world = LongModeWorld(code=b"\x90" * NOPS)
    found = Session(Setup("nops", lambda: bare(world, {}).machine, names))
    for _ in range(at):
        found.step()
    return found


def drawn(found: Session, width: int = 60, lines: Sequence[str] = SOURCE) -> Panel:
    return code.panel(found.view, None, width, {PATH: lines, HEADER: ("// port", "\tout();")}.get)


def texts(panel: Panel) -> list[str]:
    return [row.text.rstrip() for row in panel.rows]


def at(offset: int, line: int, **more: int) -> Row:
    return Row(START + offset, line, **more)


def test_only_the_stretch_of_the_line_that_rip_is_in_stands_below_it():
    panel = drawn(session(at(0, 3), at(2, 5), at(4, 3), at(6, 7), at=5))
    place = texts(panel).index("▶    3     statement_3();")
    assert texts(panel)[place + 1 : place + 4] == [
        f"       {START + 4:#x}  nop",
        f"     ▶ {START + 5:#x}  nop",
        "     4     statement_4();",
    ]


def test_of_a_line_of_many_instructions_those_around_rip_are_shown():
    panel = drawn(session(at(0, 3), at=9))
    shown = [text for text in texts(panel) if "nop" in text or "…" in text]
    assert shown[0].strip() == "… 5 before"
    assert shown[-1].strip() == f"… {NOPS - 9 - 9} more"
    assert len(shown) == 4 + 1 + 8 + 2
    assert "▶" in texts(panel)[panel.focus]
    assert f"{START + 9:#x}" in texts(panel)[panel.focus]


def test_code_from_a_header_shows_the_header():
    panel = drawn(session(at(0, 3), at(2, 2, file=2), at(4, 4), at=2))
    assert panel.title == "Code  port.h · os::main+0x2"
    assert "▶    2     out();" in texts(panel)


def test_source_that_is_not_at_hand_leaves_its_name_and_line():
    found = session(at(0, 3), files=((0, "elsewhere.c"),))
    assert drawn(found).title == "Code  elsewhere.c:3 · os::main"
    assert any(text.startswith("▶") and "nop" in text for text in texts(drawn(found)))


def test_source_that_is_shorter_than_what_was_compiled_is_not_shown():
    panel = drawn(session(at(0, 19)), lines=SOURCE[:5])
    assert panel.title == "Code  kernel.c:19 · os::main"
    assert not any("statement" in text for text in texts(panel))


def test_a_long_statement_goes_on_in_the_next_rows_where_rip_is():
    words = " + ".join(f"operand_{number}" for number in range(12))
    panel = drawn(session(at(0, 2)), lines=("short();", f"\tx = {words};", f"\ty = {words};"))
    first = texts(panel).index("▶    2     x = operand_0 + operand_1 + operand_2 + operand_3")
    assert texts(panel)[first + 1].startswith(" " * 15 + "+ operand_4")
    assert texts(panel)[first + 2].endswith(" …")
    assert sum("y = operand_0" in text for text in texts(panel)) == 1
    assert texts(panel)[-1].endswith("…")


@pytest.mark.parametrize("width", [20, 38, 60, 90])
def test_no_row_is_wider_than_the_panel(width):
    long = "\t".join("if (something[index].is_true && other != 漢字 /* why */)" for _ in range(5)) + "\x1b[31m"
    panel = drawn(session(at(0, 2)), width, lines=(long, long, long))
    wide = [text for text in texts(panel) if "nop" not in text and len(text) > width]
    assert not wide
    assert not any(char in text for text in texts(panel) for char in "\x1b\t漢")


def test_a_mangled_name_is_shown_readable():
    assert "  os::main:" in texts(drawn(session(at(0, 3), files=((0, "elsewhere.c"),))))
