"""`write rax`: where runs stop, what they say, and that steps and running back find the same."""

from __future__ import annotations

import pytest

from idtviz.debugger.breakpoint_text import parse_breakpoint
from idtviz.debugger.breakpoints import RegisterBreakpoint, WriteBreakpoint
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.stops import Reason
from idtviz.debugger.symbols import from_text
from tests.debugger.breaking import run_back_through, run_through, set_at, stepped_through
from tests.debugger.sessions import END, KERNELS, code, kernel

REGISTERS = ("write rdi", "write cr0", "write idtr", "write rsp", "write cr2", "write tr")


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("text", REGISTERS)
def test_runs_steps_and_running_back_stop_at_the_same_moments(name: str, text: str) -> None:
    session = kernel(name)
    set_at(session, text)
    end = Moment(250)
    found = run_through(session, end)
    assert stepped_through(kernel(name), end, text) == found
    assert run_back_through(session) == found[::-1]


def test_a_stop_tells_who_wrote_the_register_and_what_it_was() -> None:
    session = code(bytes.fromhex("90 b805000000 90 f4"))
    set_at(session, "write rax")
    stop = session.run(END)
    assert (stop.reason, session.moment) == (Reason.BREAKPOINT, Moment(2))
    assert stop.text == "“mov eax, 5” at 0xc001 wrote rax: 0x0 → 0x5"


def test_a_step_that_wrote_a_register_is_named_by_its_text() -> None:
    session = kernel("page_fault")
    set_at(session, "write cr2")
    stop = session.run(END)
    assert stop.reason is Reason.BREAKPOINT
    assert " of #PF wrote cr2: 0x0 → 0x" in stop.text
    assert session.moment.step == 1


def test_a_table_register_shows_base_and_limit() -> None:
    session = kernel("page_fault")
    set_at(session, "write idtr")
    stop = session.run(END)
    assert "lidt" in stop.text
    assert stop.text.partition(" → ")[2].startswith("0x")
    assert " limit 0x" in stop.text


def test_a_register_wins_over_a_symbol_and_a_symbol_over_the_part_of_a_register() -> None:
    symbols = from_text(b"00009000 00000004 D tr\n00009100 00000002 D flags\n")
    assert parse_breakpoint("write tr", symbols) == RegisterBreakpoint("tr")
    assert parse_breakpoint("write EAX", symbols) == RegisterBreakpoint("rax")
    for text in ("write tr 4", "write flags", "write 0x9000"):
        assert isinstance(parse_breakpoint(text, symbols), WriteBreakpoint)
    assert str(parse_breakpoint("write AH", symbols)) == "write rax"


def test_going_back_behind_a_register_breakpoint_leaves_nothing_changed() -> None:
    session = code(bytes.fromhex("ffc0 90 ebfb"))
    set_at(session, "write rax")
    session.run(END)
    session.breakpoints.clear()
    session.run(Moment(3001))
    digest = session.digest()
    session.seek(START)
    session.seek(Moment(3001))
    assert session.digest() == digest
