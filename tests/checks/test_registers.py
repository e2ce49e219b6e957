"""What a handler does to the registers of the program that it interrupts: found, and what is no bug is not."""

from __future__ import annotations

import pytest

from idtviz.checks.finding import Severity
from idtviz.checks.trail import listed_registers
from tests.checks.guests import assembled, found, handler_address
from tests.oracle.long_mode import LongModeWorld

BREAKPOINT = 3
TIMER = 0x20
SEND_EOI = "push rax; mov al, 0x20; out 0x20, al; pop rax"


def rules(code: str, handlers: dict[int, str], timer: int = 0, world: LongModeWorld | None = None) -> list[str]:
    return [finding.rule for finding in found(code, handlers, world, timer)]


def behind(handler: str) -> int:
    """The address behind these instructions of the first handler."""
    return handler_address(0) + len(assembled(handler))


def test_a_register_that_is_not_saved_is_named_with_the_instruction_that_changes_it() -> None:
    (finding,) = found("mov rcx, 7; int3; hlt", {BREAKPOINT: "push rax; mov eax, 1; mov ecx, 5; pop rax; iretq"})
    assert finding.rule == "REG001"
    assert finding.message == "the handler of #BP does not give back RCX: RCX was 0x7 and is 0x5 behind IRET"
    assert finding.address == behind("push rax; mov eax, 1")


def test_a_register_that_is_saved_after_it_was_changed_is_not_given_back() -> None:
    (finding,) = found("mov rcx, 7; int3; hlt", {BREAKPOINT: "mov ecx, 5; push rcx; mov ecx, 6; pop rcx; iretq"})
    assert (finding.rule, finding.address) == ("REG001", handler_address(0))


def test_a_register_that_is_changed_behind_its_pop_is_not_given_back() -> None:
    handler = "push rax; nop; pop rax; mov al, 0x20; out 0x20, al; iretq"
    finding, *others = found("loop: mov eax, 1; jmp loop", {TIMER: handler}, timer=100)
    assert (finding.rule, others) == ("REG001", [])
    assert finding.address == behind("push rax; nop; pop rax")


def test_registers_that_are_popped_in_the_order_in_which_they_were_pushed_are_told_as_that() -> None:
    (finding,) = found("mov eax, 1; mov ecx, 2; int3; hlt", {BREAKPOINT: "push rax; push rcx; pop rax; pop rcx; iretq"})
    assert finding.rule == "REG001"
    assert [note.text.partition(" here")[0] for note in finding.notes] == [
        "RAX is given the value of RCX",
        "RCX is given the value of RAX",
    ]


@pytest.mark.parametrize(
    ("code", "vector", "handler"),
    [
        pytest.param("int3; hlt", 3, "push rcx; mov ecx, 5; pop rcx; iretq", id="it is saved"),
        pytest.param("int 0x30; hlt", 0x30, "mov eax, 5; iretq", id="the result of a system call"),
        pytest.param("mov eax, 4; cdq; xor ecx, ecx; div ecx; hlt", 0, "mov ecx, 1; iretq", id="a repaired operand"),
        pytest.param("ud2; hlt", 6, "mov eax, 5; add qword ptr [rsp], 2; iretq", id="an emulated instruction"),
        pytest.param("int3; hlt", 3, "push rax; mov qword ptr [rsp], 5; pop rax; iretq", id="a saved value edited"),
    ],
)
def test_a_register_that_is_meant_to_change_is_no_bug(code: str, vector: int, handler: str) -> None:
    assert rules(code, {vector: handler}) == []


def test_a_register_that_the_faulting_instruction_does_not_name_is_none_that_is_repaired() -> None:
    handler = "mov ecx, 1; mov ebx, 5; iretq"
    assert rules("mov eax, 4; cdq; xor ecx, ecx; div ecx; hlt", {0: handler}) == ["REG001"]


ALL = ("rax", "rcx", "rdx", "rbx", "rbp", "rsi", "rdi", *(f"r{number}" for number in range(8, 16)))
SWITCH = f"""
    {"; ".join(f"push {name}" for name in ALL)}
    mov al, 0x20; out 0x20, al
    cmp qword ptr [0x20000], 0
    je 1f
    xchg rsp, [0x20000]
    1: {"; ".join(f"pop {name}" for name in reversed(ALL))}
    iretq
"""


def test_a_scheduler_gives_each_task_its_own_registers() -> None:
    """It returns with the frame of another task; the first frame of that one was made by hand."""
    code = f"""
        mov rsp, 0x20f00
        push 0x10; push 0x20f00; push 0x202; push 8; lea rax, [rip + other]; push rax
        sub rsp, {8 * len(ALL)}
        mov [0x20000], rsp
        mov rsp, 0x20800
    one: inc rbx; mov ecx, 1; mov r8, rbx; cmp rbx, 400; jb one; cli; hlt
    other: inc rbx; mov ecx, 2; mov r8d, 7; jmp other
    """
    assert rules(code, {TIMER: SWITCH}, timer=60) == []


FILL = "mov rdi, 0x20800; mov ecx, 4; rep stosb"
SAVED = "push rax; push rcx; push rdi"
RESTORED = "pop rdi; pop rcx; pop rax"


@pytest.mark.parametrize(
    ("code", "clears", "rule"),
    [("std", "", ["REG002"]), ("cld", "", []), ("std", "cld", []), ("std", "std", [])],
    ids=["inherited", "clear", "CLD in the handler", "STD in the handler"],
)
def test_a_string_instruction_runs_backwards_only_with_a_direction_flag_that_was_inherited(
    code: str, clears: str, rule: list[str]
) -> None:
    assert rules(f"{code}; int3; hlt", {BREAKPOINT: f"{SAVED}; {clears}; {FILL}; {RESTORED}; iretq"}) == rule


def test_a_call_with_an_inherited_direction_flag_is_a_warning() -> None:
    (finding,) = found("std; int3; hlt", {BREAKPOINT: "call 1f; iretq; 1: ret"})
    assert (finding.rule, finding.severity) == ("REG002", Severity.WARNING)
    assert found("std; int3; hlt", {BREAKPOINT: "call 1f; iretq; 1: cld; ret"}) == []


SAVED_FOR_MSR = "push rax; push rcx; push rdx"
RESTORED_FROM_MSR = "pop rdx; pop rcx; pop rax"
WRITE_FS_BASE = "mov ecx, 0xc0000100; mov eax, 0x1234; xor edx, edx; wrmsr"


def test_the_base_of_fs_is_the_interrupted_programs() -> None:
    handler = f"{SAVED_FOR_MSR}; {WRITE_FS_BASE}; {RESTORED_FROM_MSR}; iretq"
    (finding,) = found("int3; hlt", {BREAKPOINT: handler})
    assert finding.rule == "REG003"
    assert "FS.base was 0x0 and is 0x1234" in finding.message


def test_ds_and_es_do_not_matter_in_64_bit_mode() -> None:
    assert rules("int3; hlt", {BREAKPOINT: "push rax; xor eax, eax; mov ds, ax; mov es, ax; pop rax; iretq"}) == []


KERNEL_GS = "mov ecx, 0xc0000102; mov eax, 0x20000; xor edx, edx; wrmsr"
TO_RING_3 = "push 0x23; push 0x10800; push 2; push 0x1b; lea rax, [rip + 1f]; push rax; iretq; 1:"


@pytest.mark.parametrize("ring_3", [False, True])
@pytest.mark.parametrize(("handler", "rule"), [("swapgs; iretq", ["REG004"]), ("swapgs; nop; swapgs; iretq", [])])
def test_swapgs_comes_in_pairs(handler: str, rule: list[str], *, ring_3: bool) -> None:
    code = f"{KERNEL_GS}; {TO_RING_3 if ring_3 else ''} int3; int 0x30"
    assert rules(code, {BREAKPOINT: handler, 0x30: "hlt"}) == rule


def test_gs_is_ring_3s_until_swapgs() -> None:
    handler = "inc dword ptr gs:[0x40]; swapgs; inc dword ptr gs:[0]; swapgs; iretq"
    world = LongModeWorld().with_page(0)
    (finding,) = found(f"{KERNEL_GS}; {TO_RING_3} int3; int 0x30", {BREAKPOINT: handler, 0x30: "hlt"}, world)
    assert (finding.rule, finding.address) == ("REG004", handler_address(0))
    assert "uses GS before SWAPGS" in finding.message


def test_swapgs_in_a_handler_entered_from_ring_0_takes_the_kernels_base_away() -> None:
    nested = "swapgs; int3; swapgs; iretq"
    (finding,) = found(
        f"{KERNEL_GS}; {TO_RING_3} int 0x31; int 0x30",
        {BREAKPOINT: "swapgs; swapgs; iretq", 0x31: nested, 0x30: "hlt"},
    )
    assert (finding.rule, finding.address) == ("REG004", handler_address(0))
    assert "entered from ring 0" in finding.message


@pytest.mark.parametrize(
    ("handler", "rule"),
    [
        ("pxor xmm1, xmm1; iretq", ["REG005"]),
        ("sub rsp, 24; movups [rsp], xmm1; pxor xmm1, xmm1; movups xmm1, [rsp]; add rsp, 24; iretq", []),
        ("ldmxcsr [rip + 1f]; iretq; 1: .long 0x9f80", ["REG005"]),
        ("fld1; fstp st(0); iretq", []),
        ("fninit; iretq", ["REG005"]),
    ],
    ids=["XMM1", "XMM1 saved", "MXCSR", "an x87 register that was free", "the x87 registers"],
)
def test_sse_and_x87_registers_are_given_back(handler: str, rule: list[str]) -> None:
    code = "mov eax, 5; movd xmm1, eax; fninit; fldpi; int3; hlt"
    assert rules(code, {BREAKPOINT: handler}) == rule


def test_the_handler_of_nm_is_there_to_load_them() -> None:
    code = "mov rax, cr0; or rax, 8; mov cr0, rax; pxor xmm1, xmm1; hlt"
    handler = "clts; push rax; mov eax, 5; movd xmm2, eax; pop rax; iretq"
    assert rules(code, {7: handler}) == []


# How registers are listed


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        ("RCX", "RCX"),
        ("RCX RDX", "RCX and RDX"),
        ("RCX RDX RSI RDI R8 R9 R10 R11", "RCX, RDX, RSI, RDI and R8 to R11"),
        ("R8 R9", "R8 and R9"),
        ("XMM0 XMM1 XMM2 XMM9 MXCSR", "XMM0 to XMM2, XMM9 and MXCSR"),
        ("RAX RCX RDX RBX RBP RSI RDI", "RAX, RCX, RDX and 4 others"),
    ],
)
def test_a_list_of_registers_is_short(names, listed):
    assert listed_registers(names.split()) == listed
