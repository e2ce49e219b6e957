"""IRET in long mode where it differs between 64-bit and compatibility mode (SDM 2A IRET; 3A 6.14.3).

The checks of the frame stand in the named cases of `tests/oracle/iret_cases.py`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from idtviz.machine.delivery.returns import Return
from idtviz.x86 import flags
from tests.machine.returns.performed import after, performed, raised, rule_of
from tests.oracle.case import Case
from tests.oracle.long_mode import (
    CODE,
    KERNEL_CODE,
    KERNEL_DATA,
    SPARE,
    STACK,
    USER_CODE,
    USER_DATA,
    LongModeWorld,
    code_segment,
    data_segment,
)

BACK = CODE + 0x40
IRETQ, IRETD = b"\x48\xcf", b"\xcf"
PLAIN = 0x2
SP = 0xF40
COMPATIBILITY = code_segment(long=False, default=True)


def compatibility(words: tuple[int, ...], limit: int = 0xFFFF, wide: bool = True, rsp: int = SP) -> Case:
    """About to execute IRETD in compatibility mode, on a stack segment that begins at `STACK`."""
    data = b"".join(word.to_bytes(4, "little") for word in words)
    world = LongModeWorld(code=IRETD, extra_memory=((STACK + SP, data),)).with_descriptor(SPARE, COMPATIBILITY)
    case = world.case("")
    stack = data_segment(base=STACK, granularity=False, limit=limit, default=wide)
    cs, ss = COMPATIBILITY.segment(KERNEL_CODE), stack.segment(KERNEL_DATA)
    return replace(case, state=replace(case.state, cs=cs, ss=ss, rsp=rsp))


def test_a_return_of_64_bit_mode_pops_the_stack_pointer_always() -> None:
    frame = (BACK, KERNEL_CODE, PLAIN, STACK + 0xFD0, KERNEL_DATA)
    now = after(performed(LongModeWorld(code=IRETQ, rsp=STACK + SP, frame=frame).case("")))
    assert (now.rsp, now.ss.selector) == (STACK + 0xFD0, KERNEL_DATA)


def test_a_return_of_compatibility_mode_pops_it_only_with_the_ring() -> None:
    now = after(performed(compatibility((BACK, KERNEL_CODE, PLAIN))))
    assert (now.rsp, now.ss.base, now.mode) == (SP + 12, STACK, "long")
    now = after(performed(compatibility((BACK, USER_CODE, PLAIN, 0x10FD0, USER_DATA))))
    assert (now.rsp, now.ss.selector, now.cpl) == (0x10FD0, USER_DATA, 3)


def test_the_base_of_ss_counts_in_compatibility_mode() -> None:
    found = performed(compatibility((BACK, KERNEL_CODE, PLAIN)))
    assert isinstance(found, Return)
    assert found.base == STACK + SP


def test_the_base_of_ss_does_not_count_in_64_bit_mode() -> None:
    frame = (BACK, KERNEL_CODE, PLAIN, STACK + 0xFD0, KERNEL_DATA)
    case = LongModeWorld(code=IRETQ, rsp=STACK + SP, frame=frame).case("")
    based = data_segment(base=0x5000, granularity=False, limit=0xFF).segment(KERNEL_DATA)
    found = performed(replace(case, state=replace(case.state, ss=based)))
    assert isinstance(found, Return)
    assert found.base == STACK + SP
    assert after(found).rip == BACK


@pytest.mark.parametrize(("limit", "fits"), [(SP + 11, True), (SP + 10, False)])
def test_the_limit_of_ss_counts_in_compatibility_mode(limit: int, fits: bool) -> None:
    found = performed(compatibility((BACK, KERNEL_CODE, PLAIN), limit))
    assert (found.fault is None) is fits
    if not fits:
        assert raised(found) == ("#SS", 0)
        assert rule_of(found) == "pop.room"


def test_a_16_bit_stack_moves_sp_alone() -> None:
    now = after(performed(compatibility((BACK, KERNEL_CODE, PLAIN), wide=False, rsp=0x7_0000 | SP)))
    assert now.rsp == 0x7_0000 | SP + 12


def test_only_the_low_half_of_rip_counts_on_the_way_to_compatibility_mode() -> None:
    frame = (0x7_0000_0000 | BACK, SPARE, PLAIN, STACK + 0xFD0, KERNEL_DATA)
    world = LongModeWorld(code=IRETQ, rsp=STACK + SP, frame=frame)
    small = code_segment(long=False, default=True, granularity=False, limit=BACK)
    now = after(performed(world.with_descriptor(SPARE, small).case("")))
    assert (now.rip, now.mode) == (BACK, "compatibility")


def test_nt_is_gp_in_long_mode() -> None:
    frame = (BACK, KERNEL_CODE, PLAIN, STACK + 0xFD0, KERNEL_DATA)
    world = LongModeWorld(code=IRETQ, rsp=STACK + SP, frame=frame, rflags=PLAIN | flags.NT)
    assert raised(performed(world.case(""))) == ("#GP", 0)
