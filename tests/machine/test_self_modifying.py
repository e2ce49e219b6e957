"""Code that writes over what comes next: each store happens once, and counts once, in steps and in runs."""

from __future__ import annotations

import struct

import pytest

from idtviz.debugger.moment import Moment
from tests.debugger.sessions import code
from tests.oracle.long_mode import CODE

INC_EAX, NOP = b"\xff\xc0", b"\x90"
HALT = b"\xf4"


def store_word(address: int, value: bytes) -> bytes:
    """mov word ptr [address], value"""
    return b"\x66\xc7\x04\x25" + struct.pack("<I", address) + value


def add_byte(address: int) -> bytes:
    """mov edi, address; mov al, 1; then add [rdi], al"""
    return b"\xbf" + struct.pack("<I", address) + b"\xb0\x01" + b"\x00\x07"


OVER_THE_NEXT_BUT_ONE = NOP + store_word(CODE + 13, INC_EAX) + NOP * 6 + HALT
OVER_THE_NEXT = store_word(CODE + 10, INC_EAX) + NOP * 2 + HALT
OVER_ITSELF = store_word(CODE, INC_EAX) + NOP + HALT
A_COUNTER_IN_THE_LOOP = add_byte(CODE + 13) + bytes.fromhex("ffc1 83c300 83f909 75f4") + HALT  # add ebx, imm8 grows
CASES = {
    "the next but one": (OVER_THE_NEXT_BUT_ONE, 8),
    "the next": (OVER_THE_NEXT, 3),
    "itself": (OVER_ITSELF, 3),
    "an operand in a loop": (A_COUNTER_IN_THE_LOOP, 2 + 5 * 9 + 1),
}


@pytest.mark.parametrize("name", CASES)
def test_a_store_into_its_own_block_is_one_instruction_stepped_and_run(name: str) -> None:
    raw, count = CASES[name]
    stepped, ran = code(raw), code(raw)
    while not stepped.machine.stuck:
        before = stepped.moment
        stepped.step()
        assert stepped.moment == Moment(before.instruction + 1)
    ran.run()
    assert stepped.moment == ran.moment == Moment(count)
    assert stepped.digest() == ran.digest()


def test_what_was_written_is_what_runs_next() -> None:
    session = code(OVER_THE_NEXT)
    session.run()
    assert session.view.registers.general[0] == 1
    session = code(A_COUNTER_IN_THE_LOOP)
    session.run()
    assert session.view.registers.general[3] == sum(range(1, 10))


@pytest.mark.parametrize("count", range(1, 48))
def test_a_run_to_any_count_is_as_far_as_so_many_steps(count: int) -> None:
    stepped, ran = code(A_COUNTER_IN_THE_LOOP), code(A_COUNTER_IN_THE_LOOP)
    for _ in range(count):
        stepped.step()
    ran.run(Moment(count))
    assert (stepped.moment, stepped.digest()) == (ran.moment, ran.digest())
    assert ran.moment == Moment(count)
