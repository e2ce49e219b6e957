"""DELIVERY.md on our machine, row by row: each case gives exactly the chain of events that the document says.

The ids are the cases' names: the step, the side of the check, what begins the delivery, and the ring.
`tests/oracle/test_against_bochs.py` holds the same cases against the Bochs CPU, byte by byte.
"""

from __future__ import annotations

import pytest

from tests.oracle import ours
from tests.oracle.cases import EXPECTED, NAMED_CASES, outcome


def named(*prefixes: str) -> pytest.MarkDecorator:
    names = [name for name in NAMED_CASES if name.startswith(prefixes)]
    assert names
    return pytest.mark.parametrize("name", names)


def gives(name: str) -> bool:
    """Whether the case gives its chain, stepped and at speed, with the same end."""
    stepped, ran = ours.answer(NAMED_CASES[name]), ours.answer(NAMED_CASES[name], at_speed=True)
    assert outcome(stepped) == EXPECTED[name]
    return stepped == ran


@named("prologue.")
def test_what_is_saved_and_pushed_depends_on_the_kind_of_event(name: str) -> None:
    assert gives(name)


@named("irq.")
def test_an_interrupt_is_taken_at_the_first_boundary_that_lets_it_through(name: str) -> None:
    assert gives(name)


@named("idt.")
def test_the_gate_is_looked_for_within_the_limit_of_the_idt(name: str) -> None:
    assert gives(name)


@named("gate.")
def test_the_gate_is_checked(name: str) -> None:
    assert gives(name)


@named("selector.", "cs.")
def test_the_code_segment_of_the_handler_is_checked(name: str) -> None:
    assert gives(name)


@named("stack.", "ss ", "conforming")
def test_the_stack_is_chosen_and_checked_and_the_frame_is_pushed(name: str) -> None:
    assert gives(name)


@named("rip.", "flags ")
def test_the_handler_is_entered(name: str) -> None:
    assert gives(name)


@named("double.")
def test_a_fault_in_a_delivery_is_serial_or_a_double_fault_or_a_shutdown(name: str) -> None:
    assert gives(name)


@named("iret")
def test_iret_checks_what_it_returns_to(name: str) -> None:
    assert gives(name)


def test_no_case_is_left_out() -> None:
    prefixes = ("prologue.", "irq.", "idt.", "gate.", "selector.", "cs.", "stack.", "ss ", "conforming", "rip.",
                "flags ", "double.", "iret")  # fmt: skip
    assert all(name.startswith(prefixes) for name in NAMED_CASES)
