"""Scenarios run to their ends, and what they expect is judged."""

from __future__ import annotations

import subprocess
import sys

import pytest

import idtviz
from idtviz.debugger.inputs import Keys
from idtviz.debugger.moment import Moment
from idtviz.lab.library import shipped
from idtviz.lab.run import run
from idtviz.lab.session import LabSession
from idtviz.lab.teaching.narration import accepts, narration, passed_lessons
from tests.lab.folders import FIVE_LEVELS, GOOD, HALT, LOOP, NAMES, SCENARIOS, write

STI_HLT_LOOP = bytes.fromhex("fb f4 eb fd")


def outcomes(tmp_path, expect: str, code: bytes = HALT, **options: int) -> list[tuple[bool, str]]:
    end = run(LabSession.open(write(tmp_path, GOOD + expect, code)), **options)
    return [(outcome.ok, outcome.detail) for outcome in end.outcomes]


def test_the_package_gives_the_session_by_its_public_name():
    assert idtviz.Session is LabSession


def test_importing_the_package_loads_neither_emulator_nor_screen():
    code = "import sys, idtviz; assert not {'unicorn', 'capstone', 'textual', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=SCENARIOS.parent)


def test_the_library_lists_the_shipped_scenarios():
    assert {item.name for item in shipped()} >= set(NAMES)
    assert all(item.title and item.summary for item in shipped())


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_scenario_opens_by_name_and_all_that_it_expects_holds(name):
    end = run(LabSession.open(name, narrated=False))
    assert end.outcomes
    assert [outcome.detail for outcome in end.outcomes if not outcome.ok] == []
    assert end.ok


@pytest.mark.parametrize("name", NAMES)
def test_a_run_and_single_steps_give_the_same_events_and_the_same_end(name):
    ran, stepped = LabSession.open(name, narrated=False), LabSession.open(name, narrated=False)
    one = run(ran)
    other = run(stepped, on_instruction=lambda begun: None)
    assert ran.events == stepped.events
    assert (one, ran.moment, ran.digest()) == (other, stepped.moment, stepped.digest())


@pytest.mark.parametrize("name", NAMES)
def test_lessons_do_not_change_the_run(name):
    plain, narrated = LabSession.open(name, narrated=False), LabSession.open(name)
    run(plain)
    run(narrated)
    assert plain.events == narrated.events
    assert plain.digest() == narrated.digest()


def test_the_keyboard_scenario_ends_when_all_has_been_typed_and_handled():
    session = LabSession.open("keyboard", narrated=False)
    assert run(session).reason == "expectations"
    assert not session.machine.board.pic.intr


def test_a_bare_kernel_gets_memory_and_symbols_of_its_own():
    session = LabSession.open(SCENARIOS / "page_fault.elf")
    assert session.scenario.machine.memory == 16 << 20
    assert session.symbols.address_of("_start") is not None
    assert run(session).reason == "halted"


def test_sources_are_those_that_the_scenario_names_and_no_others():
    session = LabSession.open("page_fault")
    assert session.source("page_fault.S")
    assert session.source("Makefile") is None
    assert session.source("../README.md") is None


def test_a_limit_stops_after_exactly_so_many_instructions(tmp_path):
    session = LabSession.open(write(tmp_path, GOOD, LOOP))
    assert run(session, limit=1000).reason == "limit"
    assert session.moment == Moment(1000)


@pytest.mark.parametrize("limit", [0, 1, 500, 1210])
def test_a_limit_counts_instructions_and_not_the_time_spent_in_hlt(limit):
    ran, stepped = LabSession.open("keyboard", narrated=False), LabSession.open("keyboard", narrated=False)
    assert run(ran, limit=limit).reason == "limit"
    assert run(stepped, limit=limit, on_instruction=lambda begun: None).reason == "limit"
    assert ran.machine.instructions == stepped.machine.instructions == limit
    assert ran.digest() == stepped.digest()


def test_a_machine_that_faults_for_ever_is_stopped(tmp_path):
    session = LabSession.open(write(tmp_path, GOOD, bytes.fromhex("0f0b")))
    assert run(session).reason == "shutdown"


def test_what_the_machine_does_not_model_is_an_end_of_its_own(tmp_path):
    session = LabSession.open(write(tmp_path, GOOD, FIVE_LEVELS))
    end = run(session)
    assert end.reason == "unsupported"
    assert "only 4-level paging" in end.text
    assert not end.ok


def test_an_event_that_did_not_come_is_answered_with_the_nearest_that_did():
    end = run(LabSession.open("double_fault_no_ist", narrated=False))
    assert end.outcomes[0].detail.startswith("delivery with vector 0xe, error_code 0x2, result #PF: seen once")


def test_an_expected_event_with_another_error_code_is_shown_beside_what_came(tmp_path):
    ((ok, detail),) = outcomes(tmp_path, "[[expect]]\nevent = { vector = 6, error_code = 9 }\n", bytes.fromhex("0f0b"))
    assert not ok
    assert "not seen; the nearest was delivery 0 at instruction 0: #UD" in detail


def test_an_expected_count_is_exact(tmp_path):
    text = "[[expect]]\nevent = { vector = 6, count = 1 }\n[[expect]]\nevent = { vector = 6, count = 2 }\n"
    (one, two) = outcomes(tmp_path, text, bytes.fromhex("0f0b"))
    assert one[0]
    assert two == (False, "delivery with vector 0x6: seen once, expected 2 times")


def test_no_delivery_at_all_is_said(tmp_path):
    assert outcomes(tmp_path, "[[expect]]\nevent = { vector = 3 }\n")[0][1].endswith("nothing was delivered")


def test_registers_are_compared_by_name(tmp_path):
    code = bytes.fromhex("48c7c034120000 fa f4")  # mov rax, 0x1234; cli; hlt
    text = "[[expect]]\nregister = { rax = '0x1234', cs = 8 }\n[[expect]]\nregister = { rax = 1 }\n"
    held, missed = outcomes(tmp_path, text, code)
    assert held[0]
    assert missed == (False, "rax is 0x1234, expected 0x1")


def test_serial_output_and_screen_are_searched(tmp_path):
    code = bytes.fromhex("66baf803 b041 ee c60425 00800b00 42 fa f4")  # 'A' to COM1, 'B' to the screen
    text = "".join(f'[[expect]]\n{what} = "{wanted}"\n' for what in ("serial", "screen") for wanted in ("A", "B"))
    found = outcomes(tmp_path, text, code)
    assert [ok for ok, _ in found] == [True, False, False, True]
    assert "the last that was sent is 'A'" in found[1][1]
    assert "the nearest row says 'B'" in found[2][1]


def test_a_run_that_ends_otherwise_than_expected_says_how(tmp_path):
    assert outcomes(tmp_path, '[[expect]]\nend = "shutdown"\n') == [(False, "the run ended: halted; expected shutdown")]


def test_inputs_of_every_kind_reach_the_machine(tmp_path):
    text = GOOD + "".join(
        f"[[input]]\nat = 1\n{what}\n"
        for what in ('keys = "a"', "irq = 5", "nmi = true", 'serial = "x"', 'poke = { address = 0x9000, bytes = "cc" }')
    )
    session = LabSession.open(write(tmp_path, text, b"\x90\x90" + LOOP))
    session.run(limit=1)
    assert len(session.inputs) == 5
    assert session.machine.memory.read(0x9000, 1) == b"\xcc"


def test_the_narration_is_the_latest_lesson_reached():
    session = LabSession.open("page_fault")
    first = narration(session)
    assert first is not None
    assert first.place.text == "_start"
    session.seek("#PF+2")
    assert narration(session).place.text == "#PF+2"
    session.seek("page_fault_handler")
    assert narration(session).place.text == "page_fault_handler"
    session.seek(Moment(0))
    assert narration(session) is first


@pytest.mark.parametrize("name", NAMES)
def test_every_lesson_of_a_shipped_scenario_is_reached(name):
    session = LabSession.open(name)
    run(session)
    reached = [lesson for _, lesson in passed_lessons(session)]
    assert len(reached) == len(session.lessons)
    assert all(lesson in reached for lesson in session.lessons)


def test_a_question_takes_its_answer_in_any_notation():
    session = LabSession.open("breakpoint")
    (question,) = [lesson for lesson in session.lessons if lesson.is_question]
    assert accepts(question, "0x402", session)
    assert accepts(question, " 1026 ", session)
    assert not accepts(question, "0x400", session)
    assert not accepts(question, "", session)


def test_an_answer_may_be_computed_from_the_machine(tmp_path):
    text = GOOD + '[[lesson]]\nat = 0\nask = "RSP?"\nvalue = "register.rsp"\n'
    session = LabSession.open(write(tmp_path, text))
    assert accepts(session.lessons[0], "0x7000", session)
    assert not accepts(session.lessons[0], "0x7008", session)


def test_lessons_that_lay_ahead_are_forgotten_where_an_input_takes_another_way():
    session = LabSession.open("keyboard")
    run(session)
    session.seek("kernel_ready")
    session.give(Keys("x"))
    assert narration(session).place.text == "kernel_ready"
    assert all(at <= session.moment for at, _ in passed_lessons(session))
    session.run("keyboard_handler")
    assert narration(session).place.text == "keyboard_handler"
