"""Delivery in real mode (SDM 2A INT n; 3B 20.1.4)."""

from __future__ import annotations

import pytest

from tests.oracle.real_mode import CODE_SELECTOR, HANDLER_SELECTOR, IVT, STACK, RealModeWorld, segment

from .worlds import GP, INT, UD, delivered, outcome, words

AC, RF, NT, TF, IF = 1 << 18, 1 << 16, 1 << 14, 1 << 8, 1 << 9
WORLD = RealModeWorld()


def test_a_handler_finds_flags_cs_and_ip_of_two_bytes_each() -> None:
    found = delivered(WORLD.with_(rflags=0x202), INT)
    assert found.after is not None and found.frame is not None
    assert words(found, STACK + WORLD.rsp - 6, 3, 2) == [2, CODE_SELECTOR, 0x202]
    assert found.frame.encode() == found.memory.read(found.frame.address, 6)
    assert (found.after.cs.selector, found.after.cs.base) == (HANDLER_SELECTOR, HANDLER_SELECTOR << 4)
    assert found.after.rip == 0x800


@pytest.mark.parametrize("event", [UD, GP])
def test_no_exception_pushes_an_error_code(event: str) -> None:
    found = delivered(WORLD, event)
    assert found.frame is not None
    assert (found.frame.size, found.frame.error_code) == (6, None)


def test_if_tf_ac_and_rf_are_cleared_and_nt_is_kept() -> None:
    found = delivered(WORLD.with_(rflags=0x2 | IF | TF | AC | NT | RF), INT)
    assert found.after is not None
    assert found.after.rflags == 0x2 | NT


def test_a_vector_beyond_the_limit_of_the_table_is_a_general_protection() -> None:
    assert outcome(delivered(WORLD.with_(idt_limit=0x202), INT)) == "idt.limit #GP(0x0)"
    assert outcome(delivered(WORLD.with_(idt_limit=0x203), INT)) == "entered"


def test_the_vector_table_lies_where_idtr_says() -> None:
    found = delivered(WORLD.with_(idt_base=0x2000), INT)
    assert (found.gate_address, outcome(found)) == (0x2000 + 4 * 0x80, "entered")
    assert delivered(WORLD, INT).gate_address == IVT + 4 * 0x80


def test_a_stack_pointer_of_zero_wraps_around_to_the_top_of_the_segment() -> None:
    found = delivered(WORLD.with_(rsp=0), INT)
    assert found.after is not None
    assert found.after.rsp == 0xFFFA
    assert words(found, STACK + 0xFFFA, 3, 2) == [2, CODE_SELECTOR, 2]


@pytest.mark.parametrize("rsp", [2, 4])
def test_the_frame_itself_may_wrap_around_between_two_words(rsp: int) -> None:
    found = delivered(WORLD.with_(rsp=rsp), INT)
    assert found.after is not None
    assert found.after.rsp == rsp - 6 & 0xFFFF


@pytest.mark.parametrize("rsp", [1, 3, 5])
def test_a_word_that_would_lie_across_the_end_of_the_stack_segment_is_a_stack_fault(rsp: int) -> None:
    found = delivered(WORLD.with_(rsp=rsp), INT)
    assert outcome(found) == "push.room #SS(0x0)"
    assert found.written == []


def test_an_odd_stack_pointer_is_fine_elsewhere() -> None:
    assert outcome(delivered(WORLD.with_(rsp=7), INT)) == "entered"


def test_the_upper_half_of_esp_is_kept() -> None:
    found = delivered(WORLD.with_(rsp=0xABCD0100), INT)
    assert found.after is not None
    assert found.after.rsp == 0xABCD00FA


def test_ip_must_lie_within_the_limit_that_cs_has() -> None:
    world = WORLD.with_(cs=segment(CODE_SELECTOR, limit=0x800))
    assert outcome(delivered(world, INT)) == "entered"
    assert outcome(delivered(world.with_vector(0x80, HANDLER_SELECTOR, 0x801), INT)) == "handler.limit #GP(0x0)"
