"""IRET in protected mode: frame, ring, virtual-8086 mode, task (SDM 2A IRET)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idtviz.machine.delivery.returns import Return
from idtviz.x86 import flags
from tests.machine.returns.performed import after, performed, raised, rule_of
from tests.oracle.protected_mode import (
    CODE,
    CONFORMING_CODE,
    KERNEL_CODE,
    KERNEL_DATA,
    OUTER,
    OUTER_TSS,
    SPARE,
    SPARE2,
    STACK,
    TASK,
    TASK_EIP,
    TSS,
    USER_CODE,
    USER_DATA,
    USER_STACK,
    ProtectedModeWorld,
    code_segment,
    stack_segment,
)

IRET, IRETD = b"\x66\xcf", b"\xcf"
BACK = CODE + 0x40
SP = 0xF40
USER_SP = 0xFC0
PLAIN = 0x2
UPPER = 0xABCD_0000


def same_ring(eip: int = BACK, cs: int = KERNEL_CODE, eflags: int = PLAIN, **knobs: object) -> ProtectedModeWorld:
    return ProtectedModeWorld(code=IRETD, rsp=SP, frame=(eip, cs, eflags)).with_(**knobs)


def outward(cs: int = USER_CODE, ss: int = USER_STACK, eip: int = BACK, **knobs: object) -> ProtectedModeWorld:
    return ProtectedModeWorld(code=IRETD, rsp=SP, frame=(eip, cs, PLAIN, USER_SP, ss)).with_(**knobs)


def to_vm86(eip: int = 0x40, cpl: int = 0, **knobs: object) -> ProtectedModeWorld:
    frame = (eip, 0xC00, PLAIN | flags.VM, 0x1FF0, 0x1000, 0x1111, 0x2000, 0x3333, 0x4444)
    return ProtectedModeWorld(cpl=cpl, code=IRETD, rsp=SP, frame=frame).with_(**knobs)


def nested(link: int = OUTER, cpl: int = 0) -> ProtectedModeWorld:
    return ProtectedModeWorld(cpl=cpl, code=IRETD, rflags=PLAIN | flags.NT).with_tss(link=link)


def test_a_return_in_the_ring_pops_three_words_and_keeps_the_stack_segment() -> None:
    now = after(performed(same_ring().case("")))
    assert (now.rip, now.cs.selector, now.rsp, now.ss.selector, now.cpl) == (BACK, KERNEL_CODE, SP + 12, 0x40, 0)


def test_a_16_bit_return_pops_words_of_two_bytes() -> None:
    world = same_ring().with_(code=IRET, frame=(BACK & 0xFFFF, KERNEL_CODE, PLAIN | flags.CF), frame_word=2)
    now = after(performed(world.case("")))
    assert (now.rip, now.rsp, now.rflags) == (BACK, SP + 6, PLAIN | flags.CF)


def test_a_16_bit_return_leaves_the_upper_half_of_eflags_but_for_rf() -> None:
    world = same_ring().with_(code=IRET, frame=(BACK & 0xFFFF, KERNEL_CODE, PLAIN), frame_word=2)
    now = after(performed(world.with_(rflags=PLAIN | flags.ID | flags.AC | flags.RF).case("")))
    assert now.rflags == PLAIN | flags.ID | flags.AC


def test_the_base_is_the_linear_address_of_the_word_popped_first() -> None:
    found = performed(same_ring().case(""))
    assert isinstance(found, Return)
    assert found.base == STACK + SP
    assert found.steps[2].reads[0].address == STACK + SP


def test_a_16_bit_stack_pointer_leaves_the_upper_half_of_esp_alone() -> None:
    case = same_ring().case("")
    narrow = stack_segment(default=False, limit=0xFFFF).segment(0x40)
    state = replace(case.state, ss=narrow, rsp=UPPER | SP)
    assert after(performed(replace(case, state=state))).rsp == UPPER | SP + 12


@pytest.mark.parametrize(("limit", "fits"), [(SP + 11, True), (SP + 10, False)])
def test_the_frame_lies_within_the_limit_of_the_stack_segment_or_is_a_stack_fault(limit: int, fits: bool) -> None:
    case = same_ring().case("")
    short = replace(case, state=replace(case.state, ss=stack_segment(limit=limit).segment(0x40)))
    found = performed(short)
    if fits:
        assert after(found).rip == BACK
    else:
        assert raised(found) == ("#SS", 0)
        assert rule_of(found) == "pop.room"


def test_an_outer_return_takes_esp_and_ss_and_the_ring_of_cs() -> None:
    now = after(performed(outward().case("")))
    assert (now.cpl, now.cs.selector, now.ss.selector, now.rsp) == (3, USER_CODE, USER_STACK, USER_SP)


def test_an_outer_return_drops_the_data_segments_of_inner_rings_only() -> None:
    kept = {"ds": KERNEL_DATA, "es": USER_DATA, "fs": CONFORMING_CODE, "gs": 0}
    now = after(performed(outward(data_selectors=kept).case("")))
    assert (now.ds.selector, now.es.selector, now.fs.selector) == (0, USER_DATA, CONFORMING_CODE)
    assert not now.ds.present


def test_a_same_ring_return_keeps_every_data_segment() -> None:
    now = after(performed(same_ring().case("")))
    assert now.ds.selector == KERNEL_DATA
    assert now.ds.present


@pytest.mark.parametrize(
    ("cs", "expected"),
    [(0, ("#GP", 0)), (3, ("#GP", 0)), (0x100, ("#GP", 0x100)), (KERNEL_DATA, ("#GP", KERNEL_DATA)),
     (USER_CODE & ~3, ("#GP", USER_CODE & ~3))],
)  # fmt: skip
def test_the_return_cs_must_be_a_code_segment_that_fits_the_ring(cs: int, expected: tuple[str, int]) -> None:
    assert raised(performed(same_ring(cs=cs).case(""))) == expected


def test_no_return_goes_inward() -> None:
    world = ProtectedModeWorld(cpl=3, code=IRETD, rsp=SP, frame=(BACK, KERNEL_CODE, PLAIN))
    assert raised(performed(world.case(""))) == ("#GP", KERNEL_CODE)


def test_a_return_cs_that_is_not_present_is_np() -> None:
    world = same_ring(cs=SPARE).with_descriptor(SPARE, code_segment(present=False))
    assert raised(performed(world.case(""))) == ("#NP", SPARE)


@pytest.mark.parametrize(("eip", "fits"), [(BACK, True), (BACK + 1, False)])
def test_the_return_address_lies_within_the_limit_of_the_code_segment(eip: int, fits: bool) -> None:
    small = code_segment(granularity=False, limit=BACK)
    found = performed(same_ring(eip=eip, cs=SPARE).with_descriptor(SPARE, small).case(""))
    assert (found.fault is None) is fits
    if not fits:
        assert raised(found) == ("#GP", 0)


@pytest.mark.parametrize(
    ("descriptor", "selector", "expected"),
    [
        (stack_segment(3), SPARE2, ("#GP", SPARE2)),
        (stack_segment(0), SPARE2 | 3, ("#GP", SPARE2)),
        (stack_segment(3, type=1), SPARE2 | 3, ("#GP", SPARE2)),
        (stack_segment(3, present=False), SPARE2 | 3, ("#SS", SPARE2)),
        (stack_segment(3), 3, ("#GP", 0)),
    ],
)
def test_the_return_ss_is_a_present_writable_segment_of_the_ring(
    descriptor: object, selector: int, expected: tuple[str, int]
) -> None:
    world = outward(ss=selector).with_descriptor(SPARE2, descriptor)  # type: ignore[arg-type]
    assert raised(performed(world.case(""))) == expected


def test_a_segment_that_is_returned_to_becomes_accessed() -> None:
    world = same_ring(cs=SPARE).with_descriptor(SPARE, code_segment(type=0xA))
    found = performed(world.case(""))
    assert after(found).cs.flags & 0x100
    assert any(span.size == 1 for span in found.written)


@pytest.mark.parametrize(("cpl", "iopl", "changes"), [(0, 0, True), (3, 0, False), (3, 3, True)])
def test_if_is_restored_where_cpl_is_at_most_iopl(cpl: int, iopl: int, changes: bool) -> None:
    cs = KERNEL_CODE if cpl == 0 else USER_CODE
    world = ProtectedModeWorld(cpl=cpl, code=IRETD, rsp=SP, frame=(BACK, cs, PLAIN | flags.IF))
    now = after(performed(world.with_(rflags=PLAIN | iopl << 12).case("")))
    assert bool(now.rflags & flags.IF) is changes


@pytest.mark.parametrize(("cpl", "iopl"), [(0, 3), (3, 0)])
def test_iopl_and_the_virtual_interrupt_flags_are_restored_in_ring_0_alone(cpl: int, iopl: int) -> None:
    cs = KERNEL_CODE if cpl == 0 else USER_CODE
    image = PLAIN | flags.IOPL | flags.VIF | flags.VIP
    world = ProtectedModeWorld(cpl=cpl, code=IRETD, rsp=SP, frame=(BACK, cs, image))
    now = after(performed(world.case("")))
    assert (now.rflags & flags.IOPL) >> 12 == iopl
    assert bool(now.rflags & flags.VIF) is (cpl == 0)


def test_ring_0_returns_to_virtual_8086_mode_with_nine_words() -> None:
    now = after(performed(to_vm86().case("")))
    assert now.mode == "vm86"
    assert (now.cpl, now.rip, now.rsp) == (3, 0x40, 0x1FF0)
    assert [getattr(now, name).selector for name in ("cs", "ss", "es", "ds", "fs", "gs")] == [
        0xC00, 0x1000, 0x1111, 0x2000, 0x3333, 0x4444
    ]  # fmt: skip
    assert (now.cs.base, now.cs.limit, now.cs.dpl) == (0xC000, 0xFFFF, 3)


def test_vm_in_the_image_means_nothing_to_ring_3() -> None:
    world = to_vm86(cpl=3).with_(frame=(BACK, USER_CODE, PLAIN | flags.VM))
    now = after(performed(world.case("")))
    assert now.mode == "protected"


def test_an_eip_beyond_64_kib_is_gp_on_the_way_to_virtual_8086_mode() -> None:
    assert raised(performed(to_vm86(eip=0x1_0000).case(""))) == ("#GP", 0)
    assert after(performed(to_vm86(eip=0xFFFF).case(""))).rip == 0xFFFF


def test_nt_returns_to_the_task_of_the_back_link_and_leaves_the_old_one_available() -> None:
    found = performed(nested().case(""))
    now = after(found)
    assert (now.tr.selector, now.tr.base, now.rip) == (OUTER, OUTER_TSS, TASK_EIP)
    assert not now.rflags & flags.NT
    assert isinstance(found, Return)
    assert found.to == (KERNEL_CODE, TASK_EIP)


def test_the_task_returned_from_goes_on_behind_its_iret() -> None:
    found = performed(nested().case(""))
    assert int.from_bytes(found.memory.read(TSS + 32, 4), "little") == CODE + len(IRETD)


@pytest.mark.parametrize(("link", "code"), [(0, 0), (TASK, TASK), (OUTER | 4, OUTER | 4), (0x100, 0x100)])
def test_a_back_link_to_anything_but_a_busy_tss_is_ts(link: int, code: int) -> None:
    assert raised(performed(nested(link).case(""))) == ("#TS", code)
