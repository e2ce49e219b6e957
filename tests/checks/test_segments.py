"""The rules over GDT and TSS, on tables made of bytes."""

import pytest

from idtviz.machine.registers import Segment
from tests.checks.judged import GOOD, GOOD32, INT80, PUSH, RETURN, WAIT, findings, said
from tests.oracle.long_mode import (
    GDT,
    IST_STACKS,
    NON_CANONICAL,
    SPARE,
    STACK,
    TSS,
    UNMAPPED,
    TaskState,
    code_segment,
    data_segment,
)
from tests.oracle.protected_mode import KERNEL_STACK
from tests.oracle.protected_mode import TaskState as TaskState32

USER = GOOD.with_(cpl=3, code=INT80).with_gate(0x80, dpl=3)
USER32 = GOOD32.with_(cpl=3, code=INT80).with_gate(0x80, dpl=3)
TOP = IST_STACKS[0] + 0x1000
AT_RESET = Segment(0, 0, 0xFFFF, 0x8B00)


# GDT001, GDT002


def stale(selector, descriptor):
    """A register that holds a selector which meant something in a GDT that is no more in use."""
    return Segment(selector, descriptor.base, descriptor.last_offset, descriptor.attributes)


def test_a_stale_ss_is_told_of_when_it_is_pushed():
    found = findings(GOOD.with_(code=INT80), {0x80: RETURN}, ss=stale(0x28, data_segment()))[0]
    assert (found.rule, found.address) == ("GDT001", GDT + 0x28)
    assert found.message == (
        "SS is 0x28 when INT 0x80 comes, which in the GDT in use is a system descriptor (TSS64 busy), not a "
        "writable data segment: the frame holds it now, and the IRETQ that loads it will raise #GP(0x28)"
    )


@pytest.mark.parametrize(
    ("selector", "descriptor", "says"),
    [
        (0x80, None, "beyond the end of the GDT (limit 0x7f)"),
        (SPARE, data_segment(type=1), "with W=0, not a writable data segment"),
        (
            SPARE,
            data_segment(present=False),
            "with P=0: the frame holds it now, and the IRETQ that loads it will raise #SS",
        ),
        (SPARE, data_segment(3), "with DPL 3, and the ring is 0"),
        (SPARE, code_segment(), "a 64-bit code segment, not a writable data segment"),
    ],
)
def test_what_iret_will_not_take_for_ss(selector, descriptor, says):
    world = GOOD.with_(code=INT80)
    if descriptor is not None:
        world = world.with_descriptor(selector, descriptor)
    assert says in said(world, ss=stale(selector, data_segment()))["GDT001"]


def test_ss_may_be_null_in_ring_0_of_64_bit_mode():
    assert said(GOOD.with_(code=INT80, ss=0), {0x80: RETURN}) == {}


def test_protected_mode_pushes_no_ss_on_the_same_ring():
    assert said(GOOD32.with_(code=INT80), ss=stale(0x28, GOOD32.gdt[KERNEL_STACK])) == {}


def test_a_stale_cs_is_told_of_when_it_is_pushed():
    assert "CS is 0x28 when INT 0x80 comes" in said(GOOD.with_(code=INT80), cs=stale(0x28, code_segment()))["GDT002"]


# TSS001


def test_ring_3_finds_its_stack():
    assert said(USER) == {}
    assert said(USER32) == {}


def test_rsp0_is_zero():
    world = USER.with_(tss=TaskState(rsp=(0, 0, 0), ist=(TOP, 0, 0, 0, 0, 0, 0)))
    (found,) = findings(world)
    assert (found.rule, found.address) == ("TSS001", TSS + 4)
    assert found.message == (
        "INT 0x80 comes in ring 3 and takes its stack from the TSS, but RSP0 is 0: #PF at 0xfffffffffffffff8"
    )


@pytest.mark.parametrize(
    ("pointer", "says"), [(NON_CANONICAL + 0x10000, "not canonical"), (UNMAPPED + 0x800, "the frame cannot be written")]
)
def test_rsp0_is_bad(pointer, says):
    world = USER.with_(tss=TaskState(rsp=(pointer, 0, 0), ist=(TOP, 0, 0, 0, 0, 0, 0)))
    assert said(world).keys() == {"TSS001"}
    assert says in said(world)["TSS001"]


def test_tr_was_never_loaded():
    message = said(USER, tr=AT_RESET)["TSS001"]
    assert "but TR is null: LTR was never executed" in message


def test_gates_with_an_ist_need_tr_as_well():
    assert said(GOOD.with_(code=WAIT), {0x21: RETURN}, irq=1, tr=AT_RESET)["TSS001"] == (
        "TR is null: LTR was never executed. But the gate of vector 8 names an interrupt stack (IST) of the TSS"
    )


def test_ss0_and_esp0():
    assert "SS0 must not be null" in said(USER32.with_(tss=TaskState32(ss=(0, 0, 0))))["TSS001"]
    assert "names no writable data segment" in said(USER32.with_(tss=TaskState32(ss=(0x08, 0, 0))))["TSS001"]


# TSS002


def test_an_ist_that_is_zero_beside_one_that_is_not():
    world = GOOD.with_(code=PUSH, rsp=STACK, tss=TaskState(ist=(0, TOP, 0, 0, 0, 0, 0)))
    assert said(world) == {
        "TSS002": "#DF takes its stack from the TSS, but IST1 is 0: #PF at 0xfffffffffffffff8. IST2 is 0x15000: the "
        "interrupt stacks count from IST1, at offset 0x24"
    }


def test_an_ist_that_is_zero_is_seen_before_it_is_needed():
    world = GOOD.with_(code=WAIT, tss=TaskState(ist=(0, 0, 0, 0, 0, 0, 0)))
    found = [item for item in findings(world, {0x21: RETURN}, irq=1) if item.rule.startswith("TSS")]
    assert [(item.rule, item.address) for item in found] == [("TSS002", TSS + 0x24)]
    assert found[0].message == "the gate of vector 8 names IST1, but IST1 in the TSS is 0"


@pytest.mark.parametrize("distance", [-4, 4])
def test_a_tss_with_its_fields_four_bytes_off(distance):
    good = TaskState(rsp=(0x12000, 0, 0), ist=(TOP, TOP + 0x1000, 0, 0, 0, 0, 0)).encode()
    wrong = good[4:] + bytes(4) if distance < 0 else bytes(4) + good[:-4]
    message = said(USER.with_(extra_memory=((TSS, wrong),)))["TSS002"]
    assert (
        f"0x12000 stands at offset {4 + distance:#x} instead of 0x4: the fields are {distance:+} bytes off" in message
    )


def test_a_tss_in_protected_mode_without_its_link():
    wrong = TaskState32().encode()[4:] + bytes(4)
    assert "is the link at offset 0 left out?" in said(USER32.with_(extra_memory=((TSS, wrong),)))["TSS002"]


def test_a_limit_that_ends_in_front_of_rsp0():
    assert "RSP0 reaches beyond the limit of the TSS, 0x5" in said(USER.with_(tss=TaskState(limit=5)))["TSS002"]


def test_a_limit_below_the_minimum_is_a_warning():
    found = [item for item in findings(USER.with_(tss=TaskState(limit=0x60))) if item.rule == "TSS002"]
    assert [item.severity.value for item in found] == ["warning"]


def test_a_tss_that_is_not_mapped():
    assert "the TSS at 0x1f000 is not mapped" in said(USER.with_(tss=TaskState(base=UNMAPPED)))["TSS002"]


# GDT003


def test_a_gdt_that_is_not_mapped():
    assert "GDTR points to 0x8000" in said(GOOD.with_(code=INT80).with_page(GDT, present=False))["GDT003"]
