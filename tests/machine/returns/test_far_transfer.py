"""Far CALL, JMP and RET in every mode (SDM 2A CALL, JMP; 2B RET)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idtviz.x86 import flags
from tests.machine.returns.performed import after, performed, raised, rule_of, words
from tests.oracle import long_mode as long
from tests.oracle.long_mode import LongModeWorld
from tests.oracle.protected_mode import (
    CALL_GATE,
    CALL_GATE_TYPE,
    CODE,
    CONFORMING_CODE,
    KERNEL_CODE,
    KERNEL_DATA,
    KERNEL_STACK,
    LDT_SELECTOR,
    RING_STACKS,
    RSP,
    SPARE,
    STACK,
    TASK,
    TASK_EIP,
    TASK_GATE,
    TSS,
    TSS_SELECTOR,
    USER_CODE,
    USER_DATA,
    USER_STACK,
    Gate,
    ProtectedModeWorld,
    code_segment,
    stack_segment,
)
from tests.oracle.real_mode import RealModeWorld

CALL, JUMP, RETF, RETF_N = b"\x9a", b"\xea", b"\xcb", b"\xca"
BACK = CODE + 0x40
CALL_GATE16_TYPE = 0x4
PARAMETERS = (0x11111111, 0x22222222, 0x33333333)
INNER_TOP = STACK + RING_STACKS[0] + 0x1000
GATE_64 = 0x80


def to(opcode: bytes, selector: int, offset: int = BACK, size: int = 4) -> bytes:
    return opcode + offset.to_bytes(size, "little") + selector.to_bytes(2, "little")


def protected(code: bytes, cpl: int = 0, **knobs: object) -> ProtectedModeWorld:
    return ProtectedModeWorld(cpl=cpl, code=code).with_(**knobs)


def through_gate(opcode: bytes, cpl: int = 3, **gate: object) -> ProtectedModeWorld:
    knobs: dict[str, object] = {"selector": KERNEL_CODE, "offset": BACK, "type": CALL_GATE_TYPE, "dpl": 3, **gate}
    world = protected(to(opcode, SPARE, 0xDEAD), cpl, frame=PARAMETERS)
    return world.with_descriptor(SPARE, Gate(**knobs))  # type: ignore[arg-type]


def long_gate(opcode: int, cpl: int, **gate: object) -> LongModeWorld:
    """CALL (3) or JMP (5) through memory to a 64-bit call gate."""
    pointer = bytes(4) + GATE_64.to_bytes(2, "little")
    made = long.Gate(**{"selector": long.KERNEL_CODE, "offset": BACK, "type": 0xC, "dpl": 3, **gate})  # type: ignore[arg-type]
    extra = ((long.GDT + GATE_64, made.encode(0)), (long.DATA, pointer))
    code = bytes([0xFF, opcode << 3 | 4, 0x25]) + long.DATA.to_bytes(4, "little")
    return LongModeWorld(cpl=cpl, code=code, gdt_limit=GATE_64 + 15, extra_memory=extra)


# Real and virtual-8086 mode


def test_a_real_mode_call_pushes_cs_and_ip_and_loads_a_paragraph() -> None:
    found = performed(RealModeWorld(code=to(CALL, 0xD00, 0x40, 2)).case(""))
    now = after(found)
    assert (now.rip, now.cs.selector, now.cs.base, now.rsp) == (0x40, 0xD00, 0xD000, 0xFE0 - 4)
    assert words(found, 0x10000 + now.rsp, 2, 2) == [5, 0xC00]


def test_a_real_mode_jump_pushes_nothing() -> None:
    now = after(performed(RealModeWorld(code=to(JUMP, 0xD00, 0x40, 2)).case("")))
    assert (now.rip, now.cs.base, now.rsp) == (0x40, 0xD000, 0xFE0)


def test_a_real_mode_offset_beyond_the_limit_is_gp_with_nothing_pushed() -> None:
    found = performed(RealModeWorld(code=b"\x66" + to(CALL, 0xD00, 0x1_0000)).case(""))
    assert raised(found) == ("#GP", 0)
    assert not found.written


def test_a_real_mode_return_releases_parameters() -> None:
    world = RealModeWorld(code=RETF_N + b"\x06\x00", frame=(0x40, 0xD00))
    assert after(performed(world.case(""))).rsp == 0xFE0 + 4 + 6


def test_virtual_8086_code_calls_by_paragraph_whatever_iopl() -> None:
    now = after(performed(protected(to(CALL, 0xD00, 0x40, 2), vm86=True).case("")))
    assert (now.mode, now.cpl, now.cs.base, now.cs.limit, now.cs.dpl) == ("vm86", 3, 0xD000, 0xFFFF, 3)


# Protected mode, without a gate


def test_a_call_in_the_ring_pushes_the_return_address() -> None:
    found = performed(protected(to(CALL, KERNEL_CODE)).case(""))
    now = after(found)
    assert (now.rip, now.cs.selector, now.rsp) == (BACK, KERNEL_CODE, RSP - 8)
    assert words(found, STACK + now.rsp, 2, 4) == [CODE + 7, KERNEL_CODE]


def test_a_16_bit_call_pushes_words_of_two_bytes() -> None:
    found = performed(protected(b"\x66" + to(CALL, KERNEL_CODE, size=2)).case(""))
    assert words(found, STACK + after(found).rsp, 2, 2) == [CODE + 6, KERNEL_CODE]


def test_the_far_pointer_in_memory_is_a_step_of_its_own() -> None:
    pointer = BACK.to_bytes(4, "little") + KERNEL_CODE.to_bytes(2, "little")
    world = protected(b"\xff\x2d" + (0x20080).to_bytes(4, "little"), extra_memory=((0x20080, pointer),))
    found = performed(world.case(""))
    assert after(found).rip == BACK
    assert [(span.address, span.size) for span in found.steps[1].reads] == [(0x20080, 4), (0x20084, 2)]


@pytest.mark.parametrize(("segment", "expected"), [(b"", "#GP"), (b"\x36", "#SS")])
def test_a_far_pointer_beyond_its_segment_is_gp_or_ss_by_the_segment(segment: bytes, expected: str) -> None:
    case = protected(segment + b"\xff\x2d" + (0x7000).to_bytes(4, "little")).case("")
    small = stack_segment(base=0, limit=0x7004)
    state = replace(case.state, ds=small.segment(KERNEL_DATA), ss=small.segment(KERNEL_STACK))
    found = performed(replace(case, state=state))
    assert raised(found) == (expected, 0)
    assert rule_of(found) == "far.operand"


def test_a_far_pointer_through_a_null_segment_is_gp() -> None:
    world = protected(b"\x64\xff\x2d" + (0x7000).to_bytes(4, "little"))
    assert raised(performed(world.case(""))) == ("#GP", 0)


@pytest.mark.parametrize("opcode", [CALL, JUMP])
@pytest.mark.parametrize(
    ("selector", "expected"),
    [(0, ("#GP", 0)), (0x100, ("#GP", 0x100)), (KERNEL_DATA, ("#GP", KERNEL_DATA)), (USER_CODE & ~3, ("#GP", 0x18)),
     (KERNEL_CODE | 1, ("#GP", KERNEL_CODE)), (LDT_SELECTOR, ("#GP", LDT_SELECTOR)),
     (TSS_SELECTOR, ("#GP", TSS_SELECTOR))],
)  # fmt: skip
def test_what_is_gone_to_is_code_of_the_ring_a_gate_or_a_free_task(
    opcode: bytes, selector: int, expected: tuple[str, int]
) -> None:
    assert raised(performed(protected(to(opcode, selector)).case(""))) == expected


def test_conforming_code_runs_in_the_ring_of_its_caller() -> None:
    now = after(performed(protected(to(CALL, CONFORMING_CODE), cpl=3).case("")))
    assert (now.cpl, now.cs.selector) == (3, CONFORMING_CODE | 3)


def test_conforming_code_of_an_outer_ring_is_gp() -> None:
    world = protected(to(CALL, SPARE)).with_descriptor(SPARE, code_segment(3, type=0xF))
    assert raised(performed(world.case(""))) == ("#GP", SPARE)


def test_code_that_is_not_present_is_np() -> None:
    world = protected(to(JUMP, SPARE)).with_descriptor(SPARE, code_segment(present=False))
    assert raised(performed(world.case(""))) == ("#NP", SPARE)


@pytest.mark.parametrize(("offset", "fits"), [(BACK, True), (BACK + 1, False)])
def test_an_offset_beyond_the_limit_is_gp_with_nothing_pushed(offset: int, fits: bool) -> None:
    small = code_segment(granularity=False, limit=BACK)
    found = performed(protected(to(CALL, SPARE, offset)).with_descriptor(SPARE, small).case(""))
    assert (found.fault is None) is fits
    if not fits:
        assert raised(found) == ("#GP", 0)
        assert not found.written


@pytest.mark.parametrize(("esp", "fits"), [(8, True), (7, False)])
def test_a_return_address_that_finds_no_room_is_a_stack_fault(esp: int, fits: bool) -> None:
    case = protected(to(CALL, KERNEL_CODE)).case("")
    found = performed(replace(case, state=replace(case.state, rsp=esp)))
    assert (found.fault is None) is fits
    if not fits:
        assert raised(found) == ("#SS", 0)


def test_rf_is_clear_behind_a_jump() -> None:
    now = after(performed(protected(to(JUMP, KERNEL_CODE), rflags=0x2 | flags.RF).case("")))
    assert now.rflags == 0x2


# Call gates


def test_a_call_through_a_gate_goes_to_the_inner_ring_on_the_stack_of_the_tss() -> None:
    found = performed(through_gate(CALL).case(""))
    now = after(found)
    assert (now.cpl, now.rip, now.cs.selector, now.ss.selector) == (0, BACK, KERNEL_CODE, KERNEL_STACK)
    assert words(found, INNER_TOP - 16, 4, 4) == [CODE + 7, USER_CODE, RSP, USER_STACK]


def test_a_gate_copies_parameters_below_the_callers_stack_pointer() -> None:
    found = performed(through_gate(CALL, parameters=3).case(""))
    assert words(found, INNER_TOP - 28, 7, 4) == [CODE + 7, USER_CODE, *PARAMETERS, RSP, USER_STACK]


def test_a_16_bit_gate_pushes_and_copies_words_of_two_bytes() -> None:
    found = performed(through_gate(CALL, type=CALL_GATE16_TYPE, parameters=2).case(""))
    now = after(found)
    assert now.rip == BACK & 0xFFFF
    assert words(found, INNER_TOP - 12, 6, 2) == [CODE + 7 & 0xFFFF, USER_CODE, 0x1111, 0x1111, RSP, USER_STACK]


def test_a_gate_to_the_same_ring_keeps_the_stack_and_copies_nothing() -> None:
    found = performed(through_gate(CALL, selector=USER_CODE, parameters=3).case(""))
    now = after(found)
    assert (now.cpl, now.rsp) == (3, RSP - 8)


def test_a_jump_through_a_gate_stays_in_its_ring() -> None:
    assert after(performed(through_gate(JUMP, selector=USER_CODE).case(""))).rip == BACK
    assert raised(performed(through_gate(JUMP).case(""))) == ("#GP", KERNEL_CODE)


@pytest.mark.parametrize(("dpl", "allowed"), [(3, True), (2, False)])
def test_a_gate_serves_the_rings_up_to_its_dpl(dpl: int, allowed: bool) -> None:
    found = performed(through_gate(CALL, dpl=dpl).case(""))
    assert (found.fault is None) is allowed
    if not allowed:
        assert raised(found) == ("#GP", SPARE)


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ({"present": False}, ("#NP", SPARE)),
        ({"selector": 0}, ("#GP", 0)),
        ({"selector": 0x100}, ("#GP", 0x100)),
        ({"selector": KERNEL_DATA}, ("#GP", KERNEL_DATA)),
        ({"type": 0xE}, ("#GP", SPARE)),
    ],
)
def test_a_gate_is_present_and_names_code(gate: dict[str, object], expected: tuple[str, int]) -> None:
    assert raised(performed(through_gate(CALL, **gate).case(""))) == expected


@pytest.mark.parametrize(("limit", "fits"), [(4 + 5, True), (4 + 4, False)])
def test_the_stack_of_the_inner_ring_lies_within_the_tss(limit: int, fits: bool) -> None:
    found = performed(through_gate(CALL).with_(tss_limit=limit).case(""))
    assert (found.fault is None) is fits
    if not fits:
        assert raised(found) == ("#TS", TSS_SELECTOR)


@pytest.mark.parametrize(
    ("ss", "expected"),
    [(0, ("#TS", 0)), (0x100, ("#TS", 0x100)), (KERNEL_STACK | 1, ("#TS", KERNEL_STACK)),
     (KERNEL_CODE, ("#TS", KERNEL_CODE)), (USER_DATA & ~3, ("#TS", USER_DATA & ~3))],
)  # fmt: skip
def test_the_inner_ss_is_a_writable_segment_of_that_ring(ss: int, expected: tuple[str, int]) -> None:
    world = through_gate(CALL)
    assert raised(performed(world.with_tss(ss=(ss, *world.tss.ss[1:])).case(""))) == expected


def test_an_inner_ss_that_is_not_present_is_a_stack_fault_with_its_selector() -> None:
    world = through_gate(CALL).with_descriptor(KERNEL_STACK, stack_segment(present=False))
    assert raised(performed(world.case(""))) == ("#SS", KERNEL_STACK)


@pytest.mark.parametrize(("esp", "fits"), [(28, True), (27, False)])
def test_the_inner_stack_has_room_for_parameters_and_four_words(esp: int, fits: bool) -> None:
    world = through_gate(CALL, parameters=3)
    found = performed(world.with_tss(esp=(esp, *world.tss.esp[1:])).case(""))
    assert (found.fault is None) is fits
    if not fits:
        assert raised(found) == ("#SS", KERNEL_STACK)


# Other tasks


@pytest.mark.parametrize("selector", [TASK, TASK_GATE])
def test_a_call_to_another_task_links_back_and_a_jump_does_not(selector: int) -> None:
    called = performed(protected(to(CALL, selector)).case(""))
    now = after(called)
    assert (now.tr.selector, now.rip) == (TASK, TASK_EIP)
    assert now.rflags & flags.NT
    assert words(called, now.tr.base, 1, 2) == [TSS_SELECTOR]
    jumped = after(performed(protected(to(JUMP, selector)).case("")))
    assert not jumped.rflags & flags.NT


def test_the_task_left_by_a_call_goes_on_behind_it() -> None:
    called = performed(protected(to(CALL, TASK)).case(""))
    assert words(called, TSS + 32, 1, 4) == [CODE + 7]


def test_a_task_gate_that_is_not_present_is_np() -> None:
    gate = Gate(TASK, 0, 0x5, dpl=3, present=False)
    world = protected(to(CALL, SPARE)).with_descriptor(SPARE, gate)
    assert raised(performed(world.case(""))) == ("#NP", SPARE)


# Far RET


def test_a_return_in_the_ring_takes_two_words_and_releases_parameters() -> None:
    world = protected(RETF_N + b"\x08\x00", frame=(BACK, KERNEL_CODE), rsp=0xF00)
    now = after(performed(world.case("")))
    assert (now.rip, now.rsp) == (BACK, 0xF00 + 8 + 8)


def test_a_return_outward_releases_parameters_on_both_stacks() -> None:
    frame = (BACK, USER_CODE, 1, 2, 0xFC0, USER_STACK)
    now = after(performed(protected(RETF_N + b"\x08\x00", frame=frame, rsp=0xF00).case("")))
    assert (now.cpl, now.rip, now.ss.selector, now.rsp, now.ds.selector) == (3, BACK, USER_STACK, 0xFC0 + 8, 0)


def test_a_far_return_never_goes_inward() -> None:
    world = protected(RETF, cpl=3, frame=(BACK, KERNEL_CODE), rsp=0xF00)
    assert raised(performed(world.case(""))) == ("#GP", KERNEL_CODE)


# Long mode


def test_a_64_bit_gate_to_the_inner_ring_takes_rsp_from_the_tss_and_a_null_ss() -> None:
    found = performed(long_gate(3, cpl=3).case(""))
    now = after(found)
    top = long.RSP_STACKS[0] + 0x1000
    assert (now.cpl, now.rip, now.ss.selector, now.rsp) == (0, BACK, 0, top - 32)
    assert words(found, now.rsp, 4, 8)[1:] == [long.USER_CODE, long.STACK + 0xFE8, long.USER_DATA]


def test_a_64_bit_gate_in_the_ring_pushes_two_words_of_eight_bytes() -> None:
    found = performed(long_gate(3, cpl=0).case(""))
    assert words(found, after(found).rsp, 2, 8) == [CODE + 7, long.KERNEL_CODE]


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ({"type": 0x4}, ("#GP", GATE_64)),
        ({"type": 0x9}, ("#GP", GATE_64)),
        ({"present": False}, ("#NP", GATE_64)),
        ({"reserved": 0x100}, ("#GP", GATE_64)),
        ({"offset": long.NON_CANONICAL}, ("#GP", 0)),
        ({"selector": long.SPARE}, ("#GP", long.SPARE)),
    ],
)
def test_a_64_bit_gate_is_whole_and_names_64_bit_code(gate: dict[str, object], expected: tuple[str, int]) -> None:
    world = long_gate(3, cpl=0, **gate).with_descriptor(long.SPARE, long.code_segment(long=False, default=True))
    assert raised(performed(world.case(""))) == expected


def test_both_halves_of_a_64_bit_gate_lie_within_the_table() -> None:
    assert raised(performed(long_gate(3, cpl=0).with_(gdt_limit=GATE_64 + 14).case(""))) == ("#GP", GATE_64)


def test_an_rsp_of_the_tss_that_is_not_canonical_is_a_stack_fault_without_selector() -> None:
    tss = long.TaskState(rsp=(long.NON_CANONICAL, 0, 0))
    assert raised(performed(long_gate(3, cpl=3).with_(tss=tss).case(""))) == ("#SS", 0)


@pytest.mark.parametrize(("default", "allowed"), [(False, True), (True, False)])
def test_l_and_d_are_not_both_set_in_code_that_is_jumped_to(default: bool, allowed: bool) -> None:
    pointer = BACK.to_bytes(4, "little") + long.SPARE.to_bytes(2, "little")
    code = b"\xff\x2c\x25" + long.DATA.to_bytes(4, "little")
    world = LongModeWorld(code=code, extra_memory=((long.DATA, pointer),))
    found = performed(world.with_descriptor(long.SPARE, long.code_segment(default=default)).case(""))
    assert (found.fault is None) is allowed
    if not allowed:
        assert raised(found) == ("#GP", long.SPARE)


def test_a_64_bit_return_pops_words_of_eight_bytes() -> None:
    frame = (long.HIGH_HALF + BACK, long.KERNEL_CODE)
    now = after(performed(LongModeWorld(code=b"\x48\xcb", frame=frame, rsp=long.STACK + 0xF00).case("")))
    assert (now.rip, now.rsp) == (long.HIGH_HALF + BACK, long.STACK + 0xF10)


def test_a_64_bit_return_outward_may_take_a_null_ss_but_to_ring_3() -> None:
    for cs, ss, allowed in ((long.RING1_CODE, 1, True), (long.USER_CODE, 3, False)):
        frame = (BACK, cs, long.STACK + 0xFC0, ss)
        found = performed(LongModeWorld(code=b"\x48\xcb", frame=frame, rsp=long.STACK + 0xF00).case(""))
        assert (found.fault is None) is allowed


def test_compatibility_code_calls_64_bit_code_directly() -> None:
    world = LongModeWorld(code=to(CALL, long.KERNEL_CODE))
    case = world.case("")
    narrow = long.code_segment(long=False, default=True).segment(long.SPARE)
    found = performed(replace(case, state=replace(case.state, cs=narrow)))
    assert after(found).mode == "long"
    assert words(found, after(found).rsp, 2, 4) == [CODE + 7, long.SPARE]


def test_the_call_gate_of_the_worlds_gdt_leads_into_ring_0() -> None:
    assert after(performed(protected(to(CALL, CALL_GATE), cpl=3).case(""))).cpl == 0
