"""Delivery in protected and virtual-8086 mode (SDM 2A INT n; 3A 6.12; 3B 20.3), one check at a time."""

from __future__ import annotations

import pytest

from tests.oracle.protected_mode import (
    CODE,
    CONFORMING_CODE,
    INTERRUPT_GATE16,
    KERNEL_CODE,
    KERNEL_DATA,
    KERNEL_STACK,
    LDT_CODE,
    RING1_CODE,
    RING1_STACK,
    SPARE,
    STACK,
    TASK_GATE_TYPE,
    TRAP_GATE,
    TSS,
    USER_CODE,
    USER_STACK,
    ProtectedModeWorld,
    code_segment,
    handler,
    stack_segment,
)

from .worlds import GP, INT, IRQ, UD, delivered, outcome, words

IF, TF, NT, VM, RF = 1 << 9, 1 << 8, 1 << 14, 1 << 17, 1 << 16
KERNEL, USER = ProtectedModeWorld(), ProtectedModeWorld(cpl=3)


def gate(world: ProtectedModeWorld, **changes: object) -> ProtectedModeWorld:
    return world.with_gate(6, **changes)


def test_a_handler_in_the_same_ring_gets_eflags_cs_and_eip_on_the_stack_that_goes_on() -> None:
    found = delivered(KERNEL, UD)
    assert found.after is not None and found.frame is not None and found.stack is not None
    assert found.stack.source == "same"
    assert words(found, found.frame.address, 3) == [CODE, KERNEL_CODE, 0x2 | RF]
    assert found.after.rsp == KERNEL.rsp - 12
    assert (found.after.cs.selector, found.after.rip) == (KERNEL_CODE, handler(6))
    assert found.frame.encode() == found.memory.read(found.frame.address, found.frame.size)


def test_a_handler_in_an_inner_ring_gets_ss_and_esp_too_on_the_stack_of_the_tss() -> None:
    found = delivered(USER, UD)
    assert found.after is not None and found.frame is not None and found.stack is not None
    assert (found.stack.source, found.stack.address) == ("tss.rsp0", TSS + 4)
    assert words(found, found.frame.address, 5) == [CODE, USER_CODE, 0x2 | RF, USER.rsp, USER_STACK]
    assert (found.after.cpl, found.after.ss.selector) == (0, KERNEL_STACK)
    assert found.frame.address == STACK + found.after.rsp


def test_a_handler_in_ring_1_takes_the_stack_of_ring_1() -> None:
    found = delivered(gate(USER, selector=RING1_CODE), UD)
    assert found.after is not None and found.stack is not None
    assert found.stack.source == "tss.rsp1"
    assert (found.after.cpl, found.after.ss.selector) == (1, RING1_STACK)


def test_a_conforming_handler_runs_in_the_ring_and_on_the_stack_of_the_interrupted_code() -> None:
    found = delivered(gate(USER, selector=CONFORMING_CODE), UD)
    assert found.after is not None and found.stack is not None
    assert (found.stack.source, found.after.cpl) == ("same", 3)
    assert found.after.cs.selector == CONFORMING_CODE | 3


def test_a_286_gate_pushes_words_of_two_bytes_and_uses_sixteen_bits_of_the_offset() -> None:
    found = delivered(gate(USER, type=INTERRUPT_GATE16, offset=0xABCD0000 | handler(6)), UD)
    assert found.after is not None and found.frame is not None
    assert (found.frame.word_size, found.after.rip) == (2, handler(6))
    assert words(found, found.frame.address, 5, 2) == [CODE, USER_CODE, 0x2, USER.rsp, USER_STACK]


def test_a_286_tss_holds_sp_and_ss_in_two_bytes_each() -> None:
    found = delivered(USER.with_tss(narrow=True), UD)
    assert found.after is not None and found.stack is not None
    assert (found.stack.address, found.stack.pointer) == (TSS + 2, 0x2000)


def test_an_exception_with_an_error_code_pushes_it_last() -> None:
    found = delivered(USER, GP)
    assert found.frame is not None
    assert words(found, found.frame.address, 2) == [0x5678, CODE]


@pytest.mark.parametrize(("type_", "flag"), [(0xE, 0), (0xF, IF)])
def test_an_interrupt_gate_clears_if_and_a_trap_gate_keeps_it_and_both_clear_tf_and_nt(type_: int, flag: int) -> None:
    found = delivered(gate(KERNEL.with_(rflags=0x2 | IF | TF | NT), type=type_), UD)
    assert found.after is not None
    assert found.after.rflags == 0x2 | flag


def test_the_descriptor_of_the_handler_is_marked_as_accessed() -> None:
    world = gate(KERNEL, selector=SPARE).with_descriptor(SPARE, code_segment(type=0xA))
    found = delivered(world, UD)
    assert found.memory.read(found.descriptor_address + 5, 1) == b"\x9b"


def test_a_handler_may_lie_in_the_ldt() -> None:
    assert outcome(delivered(gate(KERNEL, selector=LDT_CODE), UD)) == "entered"
    assert outcome(delivered(gate(KERNEL, selector=LDT_CODE).with_(ldt_usable=False), UD)) == "selector.limit #GP(0xd)"


FAILURES = {
    "idt limit": (KERNEL.with_(idt_limit=0x36), UD, "idt.limit #GP(0x33)"),
    "gate type": (gate(KERNEL, type=0xC), UD, "gate.type #GP(0x33)"),
    "gate of code": (gate(KERNEL, system=False), UD, "gate.type #GP(0x33)"),
    "gate dpl": (USER, INT, "gate.dpl #GP(0x402)"),
    "gate absent": (gate(KERNEL, present=False), UD, "gate.present #NP(0x33)"),
    "null selector": (gate(KERNEL, selector=3), UD, "selector.null #GP(0x1)"),
    "selector beyond": (gate(KERNEL, selector=0xF0), UD, "selector.limit #GP(0xf1)"),
    "data": (gate(KERNEL, selector=KERNEL_DATA), UD, "descriptor.code #GP(0x11)"),
    "outer handler": (gate(KERNEL, selector=USER_CODE), UD, "descriptor.dpl #GP(0x19)"),
    "absent code": (
        gate(KERNEL, selector=SPARE).with_descriptor(SPARE, code_segment(present=False)), UD,
        "descriptor.present #NP(0x71)",
    ),
    "tss too small": (USER.with_(tss_limit=8), UD, "stack.select #TS(0x29)"),
    "ss null": (USER.with_tss(ss=(3, 0, 0)), UD, "stack.null #TS(0x1)"),
    "ss beyond": (USER.with_tss(ss=(0xF0, 0, 0)), UD, "stack.limit #TS(0xf1)"),
    "ss rpl": (USER.with_tss(ss=(KERNEL_STACK | 1, 0, 0)), UD, "stack.rpl #TS(0x41)"),
    "ss dpl": (USER.with_tss(ss=(RING1_STACK & ~3, 0, 0)), UD, "stack.dpl #TS(0x81)"),
    "ss code": (USER.with_tss(ss=(KERNEL_CODE, 0, 0)), UD, "stack.data #TS(0x9)"),
    "ss absent": (
        USER.with_tss(ss=(SPARE, 0, 0)).with_descriptor(SPARE, stack_segment(present=False)), UD,
        "stack.present #SS(0x71)",
    ),
    "no room inward": (USER.with_tss(esp=(0x10, 0, 0)), UD, "push.room #SS(0x41)"),
    "no room": (KERNEL.with_(rsp=8), UD, "push.room #SS(0x1)"),
    "offset": (
        gate(KERNEL, selector=SPARE, offset=0x10000).with_descriptor(
            SPARE, code_segment(granularity=False, limit=0xFFFF)
        ), UD, "handler.limit #GP(0x1)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_a_check_that_fails_ends_the_delivery_with_its_fault(name: str) -> None:
    world, event, expected = FAILURES[name]
    assert outcome(delivered(world, event)) == expected


PASSES = {
    "last byte of the idt": (KERNEL.with_(idt_limit=0x37), UD),
    "hardware does not ask for the dpl of the gate": (USER, IRQ),
    "the tss ends behind ss0": (USER.with_(tss_limit=9), UD),
    "twenty bytes are enough": (USER.with_tss(esp=(0x14, 0, 0)), UD),
    "twelve bytes are enough": (KERNEL.with_(rsp=12), UD),
    "a stack pointer of zero wraps around to the top": (
        KERNEL.with_tss().with_descriptor(KERNEL_STACK, stack_segment(base=0x20000, limit=0xFFFFF, granularity=True))
        .with_(rsp=0, ss=KERNEL_STACK), UD,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PASSES)
def test_what_just_passes_a_check_enters_the_handler(name: str) -> None:
    assert outcome(delivered(*PASSES[name])) == "entered"


def test_room_for_the_whole_frame_is_looked_for_before_anything_is_pushed() -> None:
    found = delivered(KERNEL.with_(rsp=8), UD)
    assert found.written == []


def test_an_expand_down_stack_has_its_room_above_the_limit() -> None:
    def world(limit: int) -> ProtectedModeWorld:
        return USER.with_tss(ss=(SPARE, 0, 0)).with_descriptor(SPARE, stack_segment(type=0x7, limit=limit))

    assert outcome(delivered(world(0x2000 - 21), UD)) == "entered"
    assert outcome(delivered(world(0x2000 - 20), UD)) == "push.room #SS(0x71)"


def test_a_16_bit_stack_changes_only_the_lower_half_of_esp() -> None:
    world = USER.with_tss(ss=(SPARE, 0, 0), esp=(0x77772000, 0, 0)).with_(rsp=0x5555_0FE0)
    found = delivered(world.with_descriptor(SPARE, stack_segment(default=False)), UD)
    assert found.after is not None
    assert found.after.rsp == 0x5555_1FEC


def test_virtual_8086_mode_is_left_with_its_data_segments_in_front_of_the_frame() -> None:
    found = delivered(ProtectedModeWorld(vm86=True), UD)
    assert found.after is not None and found.frame is not None
    image = [0, CODE >> 4, 0x2 | RF | VM, 0xFE0, STACK >> 4, 0x1111, 0x2000, 0x2222, 0x3333]
    assert words(found, found.frame.address, 9) == image
    assert [getattr(found.after, name).selector for name in ("ds", "es", "fs", "gs")] == [0, 0, 0, 0]
    assert (found.after.mode, found.after.cpl) == ("protected", 0)
    assert found.frame.encode() == found.memory.read(found.frame.address, 36)


def test_virtual_8086_mode_can_be_left_for_ring_0_only() -> None:
    world = ProtectedModeWorld(vm86=True)
    assert outcome(delivered(gate(world, selector=RING1_CODE), UD)) == "descriptor.vm86 #GP(0x51)"
    assert outcome(delivered(gate(world, selector=USER_CODE), UD)) == "descriptor.vm86 #GP(0x19)"
    assert outcome(delivered(gate(world, selector=CONFORMING_CODE), UD)) == "descriptor.vm86 #GP(0x49)"


def test_the_stack_of_a_handler_in_ring_0_is_written_to_as_a_supervisor_and_in_ring_3_as_a_user() -> None:
    inner = USER.with_(paging="32-bit")
    assert outcome(delivered(inner, UD)) == "entered"
    found = delivered(gate(inner, selector=CONFORMING_CODE).with_page(STACK, user=False), UD)
    assert outcome(found) == "push.rflags #PF(0x7)"


def test_a_task_gate_is_refused_with_the_selector_that_it_names() -> None:
    assert outcome(delivered(gate(KERNEL, type=TASK_GATE_TYPE), UD)) == "task.type #GP(0x9)"


def test_a_trap_gate_is_entered_by_an_interrupt_as_well() -> None:
    assert outcome(delivered(KERNEL.with_gate(0x30, type=TRAP_GATE), IRQ)) == "entered"
