"""The task switch through a task gate (SDM 3A 7.3, table 7-1), and what is left of it when it fails."""

from __future__ import annotations

import pytest

from idtviz.x86.control import CR0_TS
from tests.oracle.protected_mode import (
    AVAILABLE_TSS16,
    BUSY_TSS,
    CODE,
    GDT,
    KERNEL_CODE,
    KERNEL_DATA,
    KERNEL_STACK,
    LDT_CODE,
    PAGE_TABLES,
    SPARE,
    STACK,
    TASK,
    TASK16,
    TASK_EIP,
    TASK_GATE_TYPE,
    TASK_LDT_SELECTOR,
    TASK_STACK,
    TASK_TSS,
    TSS,
    TSS_SELECTOR,
    USER_CODE,
    USER_DATA,
    USER_STACK,
    ProtectedModeWorld,
    code_segment,
    stack_segment,
    task_segment,
)

from .worlds import GP, INT, UD, delivered, outcome, words

NT, RF, VM = 1 << 14, 1 << 16, 1 << 17


def gated(world: ProtectedModeWorld, **changes: object) -> ProtectedModeWorld:
    """The world with the events of these tests handled by a task."""
    gate = {"type": TASK_GATE_TYPE, "selector": TASK, "offset": 0, "dpl": 3} | changes
    for vector in (6, 13, 0x80):
        world = world.with_gate(vector, **gate)
    return world


WORLD = gated(ProtectedModeWorld(cpl=3))


def test_the_old_task_is_saved_in_its_tss_and_stays_busy() -> None:
    found = delivered(WORLD, UD)
    assert words(found, TSS + 0x20, 2) == [CODE, 0x2 | RF]
    assert words(found, TSS + 0x38, 1) == [WORLD.rsp]
    assert words(found, TSS + 0x48, 4) == [USER_DATA, USER_CODE, USER_STACK, USER_DATA]
    assert found.memory.read(GDT + TSS_SELECTOR + 5, 1) == b"\x8b"


def test_the_new_task_is_linked_to_the_old_one_and_is_busy() -> None:
    found = delivered(WORLD, UD)
    assert words(found, TASK_TSS, 1, 2) == [TSS_SELECTOR]
    assert found.memory.read(GDT + TASK + 5, 1) == b"\x8b"


def test_the_new_task_runs_with_the_registers_of_its_tss_with_nt_and_cr0_ts_set() -> None:
    after = delivered(WORLD, UD).after
    assert after is not None
    assert (after.rip, after.rflags, after.cpl) == (TASK_EIP, 0x2 | NT, 0)
    assert after.general[:8] == (0xA1, 0xC1, 0xD1, 0xB1, TASK_STACK + 0x1000, 0xB2, 0x51, 0xD2)
    assert (after.cs.selector, after.ss.selector, after.ds.selector) == (KERNEL_CODE, KERNEL_STACK, KERNEL_DATA)
    assert (after.tr.selector, after.tr.base, after.tr.flags >> 8 & 0xF) == (TASK, TASK_TSS, BUSY_TSS)
    assert after.cr0 & CR0_TS


def test_a_task_gate_leaves_no_frame_and_names_its_stack_task() -> None:
    found = delivered(WORLD, INT)
    assert found.frame is None and found.stack is not None
    assert (found.stack.source, found.stack.pointer, found.stack.address) == (
        "task", TASK_STACK + 0x1000, TASK_TSS + 0x38,
    )  # fmt: skip


def test_an_error_code_is_pushed_on_the_stack_of_the_new_task() -> None:
    found = delivered(WORLD, GP)
    assert found.after is not None
    assert found.after.rsp == TASK_STACK + 0xFFC
    assert words(found, STACK + TASK_STACK + 0xFFC, 1) == [0x5678]


def test_a_task_of_the_80286_gets_an_error_code_of_two_bytes_and_has_no_fs_and_gs() -> None:
    found = delivered(gated(WORLD, selector=TASK16), GP)
    assert found.after is not None
    assert found.after.rsp == 0xFFFF_0000 | TASK_STACK + 0xFFE
    assert found.after.fs.selector == found.after.gs.selector == 0


def test_cr3_is_loaded_only_with_paging() -> None:
    plain = delivered(WORLD.with_task(TASK_TSS, cr3=0x5000), UD).after
    assert plain is not None and plain.cr3 == 0
    paged = delivered(WORLD.with_(paging="32-bit").with_task(TASK_TSS, cr3=PAGE_TABLES | 0x18), UD).after
    assert paged is not None and paged.cr3 == PAGE_TABLES | 0x18


@pytest.mark.parametrize("trap", [False, True])
def test_the_t_bit_of_the_new_tss_asks_for_a_debug_trap(trap: bool) -> None:
    found = delivered(WORLD.with_task(TASK_TSS, trap=trap), UD)
    assert (outcome(found), found.debug_trap) == ("entered", trap)


def test_vm_in_the_eflags_of_the_new_tss_makes_its_segments_paragraphs() -> None:
    task = WORLD.with_task(TASK_TSS, eflags=0x2 | VM, cs=CODE >> 4, eip=0x200, task_ss=STACK >> 4, ds=0x1234)
    after = delivered(task, UD).after
    assert after is not None
    assert (after.mode, after.cpl, after.cs.base, after.ds.base) == ("vm86", 3, CODE, 0x12340)


BEFORE = {
    "in the ldt": (gated(WORLD, selector=TASK | 4), "task.selector #GP(0x9d)"),
    "beyond the gdt": (gated(WORLD, selector=0xF0), "task.selector #GP(0xf1)"),
    "no tss": (gated(WORLD, selector=KERNEL_CODE), "task.type #GP(0x9)"),
    "busy": (gated(WORLD, selector=TSS_SELECTOR), "task.type #GP(0x29)"),
    "absent": (WORLD.with_descriptor(TASK, task_segment(TASK_TSS, present=False)), "task.present #NP(0x99)"),
    "too small": (WORLD.with_descriptor(TASK, task_segment(TASK_TSS, limit=0x66)), "task.limit #TS(0x99)"),
    "286 too small": (
        WORLD.with_descriptor(TASK, task_segment(TASK_TSS, AVAILABLE_TSS16, limit=0x2A)), "task.limit #TS(0x99)",
    ),
    "old too small": (WORLD.with_(tss_limit=0x5E), "task.limit #TS(0x29)"),
    "new not mapped": (WORLD.with_page(TASK_TSS, present=False), "task.paged #PF(0x0)"),
    "old not writable": (WORLD.with_page(TSS, writable=False), "task.paged #PF(0x3)"),
}  # fmt: skip


@pytest.mark.parametrize("name", BEFORE)
def test_a_fault_before_the_commitment_finds_the_old_task_untouched(name: str) -> None:
    world, expected = BEFORE[name]
    found = delivered(world, UD)
    assert outcome(found) == expected
    assert (found.committed, found.written) == (None, [])


def with_segment(register: str, selector: int, **changes: object) -> ProtectedModeWorld:
    world = WORLD.with_task(TASK_TSS, **{register: selector})
    if not changes:
        return world
    kind = code_segment if register == "cs" else stack_segment
    return world.with_descriptor(SPARE, kind(**changes))


BEHIND = {
    "ldt in the ldt": (with_segment("ldt", LDT_CODE), "task.ldt #TS(0xd)"),
    "ldt of code": (with_segment("ldt", KERNEL_CODE), "task.segment.type #TS(0x9)"),
    "ss null": (with_segment("task_ss", 0), "task.segment.null #TS(0x1)"),
    "ss beyond": (with_segment("task_ss", 0xF0), "task.segment.limit #TS(0xf1)"),
    "ss of code": (with_segment("task_ss", KERNEL_CODE), "task.segment.type #TS(0x9)"),
    "ss absent": (with_segment("task_ss", SPARE, present=False), "task.segment.present #SS(0x71)"),
    "ss of another ring": (with_segment("task_ss", USER_STACK), "task.segment.dpl #TS(0x91)"),
    "ds absent": (with_segment("ds", SPARE, present=False), "task.segment.present #NP(0x71)"),
    "ds of a task in ring 3": (
        with_segment("ds", KERNEL_DATA).with_task(TASK_TSS, cs=USER_CODE, task_ss=USER_STACK),
        "task.segment.dpl #TS(0x11)",
    ),
    "cs null": (with_segment("cs", 0), "task.segment.null #TS(0x1)"),
    "cs of data": (with_segment("cs", KERNEL_DATA), "task.segment.type #TS(0x11)"),
    "cs dpl": (with_segment("cs", SPARE, dpl=1), "task.segment.dpl #TS(0x71)"),
    "cs absent": (with_segment("cs", SPARE, present=False), "task.segment.present #NP(0x71)"),
    "eip": (
        with_segment("cs", SPARE, granularity=False, limit=TASK_EIP - 1), "handler.limit #GP(0x1)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BEHIND)
def test_a_fault_behind_the_commitment_is_one_of_the_new_task(name: str) -> None:
    world, expected = BEHIND[name]
    found = delivered(world, UD)
    assert outcome(found) == expected
    assert found.after is None and found.committed is not None
    assert (found.committed.rip, found.committed.tr.selector) == (TASK_EIP, TASK)


def test_the_segments_loaded_before_a_fault_can_be_used_and_the_others_not() -> None:
    now = delivered(with_segment("cs", 0), UD).committed
    assert now is not None
    assert now.ss.present and now.ds.present
    assert not now.cs.present


def test_no_room_for_the_error_code_is_a_stack_fault_of_the_new_task() -> None:
    found = delivered(WORLD.with_task(TASK_TSS, general=(0, 0, 0, 0, 2, 0, 0, 0)), GP)
    assert outcome(found) == "push.room #SS(0x1)"
    assert found.committed is not None and found.committed.rsp == 2


def test_the_ldt_of_the_new_task_is_there_when_its_segments_are_looked_up() -> None:
    world = WORLD.with_task(TASK_TSS, ldt=TASK_LDT_SELECTOR, ds=LDT_CODE)
    world = world.with_(extra_memory=((0x9800 + (LDT_CODE & ~7), code_segment().encode()),))
    assert outcome(delivered(world, UD)) == "entered"
