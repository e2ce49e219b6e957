"""How a handler uses the stack: found, and what is no bug is not."""

from __future__ import annotations

import pytest

from idtviz.checks.finding import Severity
from tests.checks.guests import assembled, found, handler_address
from tests.oracle.long_mode import LongModeWorld

BREAKPOINT, PAGE_FAULT, UNDEFINED = 3, 14, 6
REGISTERS = ("rax", "rcx", "rdx", "rbx", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11")
PUSHES = "; ".join(f"push {name}" for name in REGISTERS)
POPS = "; ".join(f"pop {name}" for name in reversed(REGISTERS))
WORDS = 8 * len(REGISTERS)
READS_FRAME = "mov rax, [rdi]; mov rax, [rdi + 8]; mov rax, [rdi + 16]; ret"


def rules(code: str, handlers: dict[int, str], timer: int = 0, world: LongModeWorld | None = None) -> list[str]:
    return [finding.rule for finding in found(code, handlers, world, timer)]


def behind(handler: str) -> int:
    """The address behind these instructions of the first handler."""
    return handler_address(0) + len(assembled(handler))


def calls(pointer: str, callee: str) -> str:
    """A handler that saves its registers and calls with a pointer in RDI."""
    return f"{PUSHES}; {pointer}; call 1f; {POPS}; iretq; 1: {callee}"


# A function that wants the frame


def test_a_pointer_to_saved_registers_where_a_function_reads_the_frame() -> None:
    (finding,) = found("int3; hlt", {BREAKPOINT: calls("mov rdi, rsp", READS_FRAME)})
    assert (finding.rule, finding.address) == ("STK003", behind(f"{PUSHES}; mov rdi, rsp"))
    assert "a pointer to saved registers instead of the interrupt frame" in finding.message
    assert "for RIP, CS and RFLAGS it reads R11, R10 and R9" in finding.message


@pytest.mark.parametrize(
    ("pointer", "callee"),
    [
        (f"lea rdi, [rsp + {WORDS}]", READS_FRAME),
        ("mov rdi, rsp", f"mov rax, [rdi]; mov rax, [rdi + 8]; mov rax, [rdi + 16]; mov rax, [rdi + {WORDS}]; ret"),
        ("mov rdi, rsp", "mov rax, [rdi + 80]; mov rax, [rdi + 56]; ret"),
        ("push rcx; push rbx; push rax; mov rdi, rsp", "add rsp, 8; mov rax, [rdi]; mov rax, [rdi + 8]; "
         "mov rax, [rdi + 16]; sub rsp, 8; add rsp, 32; jmp [rsp - 32]"),
    ],
    ids=["a pointer to the frame", "a structure of registers and frame", "only registers", "RAX, RBX and RCX"],
)  # fmt: skip
def test_a_function_may_want_the_saved_registers(pointer: str, callee: str) -> None:
    assert "STK003" not in rules("int3; hlt", {BREAKPOINT: calls(pointer, callee)})


def test_rip_is_not_moved_on_in_the_place_of_the_error_code() -> None:
    handler = "lea rdi, [rsp]; call 1f; hlt; 1: add qword ptr [rdi], 7; ret"
    (finding,) = found("mov byte ptr [0x1f000], 1; hlt", {PAGE_FAULT: handler})
    assert finding.rule == "STK003"
    assert "off by the error code: what it changes is the error code" in finding.message


# The alignment at a call

USES_SSE = "sub rsp, 24; movaps [rsp], xmm0; add rsp, 24; ret"


def test_movaps_behind_a_call_with_the_wrong_rsp() -> None:
    (finding,) = found("int3; hlt", {BREAKPOINT: f"call 1f; iretq; 1: {USES_SSE}"})
    assert (finding.rule, finding.severity, finding.address) == ("STK004", Severity.ERROR, handler_address(0))
    assert "5 words from the processor and 0 from the handler make 5, an odd number" in finding.message


@pytest.mark.parametrize(
    ("handler", "rule"),
    [
        ("call 1f; iretq; 1: sub rsp, 24; movups [rsp], xmm0; add rsp, 24; ret", ["STK004"]),
        ("call 1f; iretq; 1: push rbp; mov rbp, rsp; pop rbp; ret", ["STK004"]),
        ("call 1f; iretq; 1: ret", []),
        (f"push rax; call 1f; pop rax; iretq; 1: {USES_SSE}", []),
        (f"push rbp; mov rbp, rsp; push rax; and rsp, -16; call 1f; leave; iretq; 1: {USES_SSE}", []),
    ],
    ids=["SSE, unaligned", "a frame pointer", "assembly among itself", "a sixth word", "made a multiple of 16"],
)
def test_only_compiled_code_wants_its_stack_aligned(handler: str, rule: list[str]) -> None:
    findings = found("int3; hlt", {BREAKPOINT: handler})
    assert [finding.rule for finding in findings] == rule
    assert all(finding.severity is Severity.WARNING for finding in findings)


# Saved registers as an argument


@pytest.mark.parametrize(
    ("call", "callee", "rule"),
    [
        ("call 1f", "mov qword ptr [rsp + 8], 5; ret", ["STK005"]),
        ("call 1f", "push rbp; mov rbp, rsp; mov qword ptr [rbp + 16], 5; pop rbp; ret", ["STK005"]),
        ("mov rdi, rsp; call 1f", "mov qword ptr [rdi], 5; ret", []),
        ("call 1f", "mov qword ptr [rsp - 8], 5; ret", []),
    ],
    ids=["through RSP", "through a frame pointer", "through a pointer", "a local variable"],
)
def test_saved_registers_are_no_argument_by_value(call: str, callee: str, rule: list[str]) -> None:
    handler = f"push rdi; push rbx; push rcx; {call}; pop rcx; pop rbx; pop rdi; iretq; 1: {callee}"
    findings = found("mov ecx, 7; int3; hlt", {BREAKPOINT: handler})
    assert [it.rule for it in findings if it.rule != "STK004"] == rule
    if rule:
        assert "RCX was 0x7 and is 0x5" in findings[0].message


# IST stacks


def test_a_stack_that_is_entered_while_a_handler_is_on_it() -> None:
    world = LongModeWorld().with_gate(BREAKPOINT, ist=3)
    handler = "inc dword ptr [0x20000]; cmp dword ptr [0x20000], 1; jne 1f; int3; 1: hlt"
    (finding,) = found("int3; hlt", {BREAKPOINT: handler}, world)
    assert finding.rule == "STK008"
    assert "#BP enters IST3 while the handler of #BP is on it" in finding.message


def test_two_vectors_on_one_stack_and_on_two() -> None:
    handlers = {BREAKPOINT: "ud2; hlt", UNDEFINED: "hlt"}
    shared = LongModeWorld().with_gate(BREAKPOINT, ist=3).with_gate(UNDEFINED, ist=3)
    assert rules("int3; hlt", handlers, world=shared) == ["STK008"]
    assert rules("int3; hlt", handlers, world=shared.with_gate(UNDEFINED, ist=4)) == []


def test_a_handler_that_has_been_left_without_iret_needs_its_frame_no_more() -> None:
    world = LongModeWorld().with_gate(BREAKPOINT, ist=3)
    code = "mov rbx, rsp; int3; 2: int3; hlt"
    handler = (
        "inc dword ptr [0x20000]; cmp dword ptr [0x20000], 1; jne 1f; mov rax, [rsp]; mov rsp, rbx; jmp rax; 1: hlt"
    )
    assert rules(code, {BREAKPOINT: handler}, world=world) == []


# The red zone

WAITS = "mov eax, [0x20000]; 1: cmp eax, [0x20000]; je 1b"
TICK = "push rax; inc dword ptr [0x20000]; mov al, 0x20; out 0x20, al; pop rax; iretq"


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        (f"mov qword ptr [rsp - 16], 5; {WAITS}; mov rax, [rsp - 16]; cli; hlt", ["STK009"]),
        (f"sub rsp, 16; mov qword ptr [rsp], 5; {WAITS}; mov rax, [rsp]; cli; hlt", []),
        (f"{WAITS}; mov qword ptr [rsp - 16], 5; mov rax, [rsp - 16]; cli; hlt", []),
        (f"{WAITS}; push rax; mov rax, [rsp]; pop rax; cli; hlt", []),
        (f"{WAITS}; sub rsp, 16; mov rax, [rsp]; cli; hlt", []),
    ],
    ids=["a value kept there", "on the stack", "written first", "a push", "above RSP by then"],
)
def test_nothing_is_kept_below_the_stack_pointer_of_ring_0(code: str, rule: list[str]) -> None:
    assert rules(code, {0x20: TICK}, timer=200) == rule


def test_the_red_zone_of_ring_3_is_its_own() -> None:
    ring_3 = "push 0x23; push 0x10800; push 2; push 0x1b; lea rax, [rip + 2f]; push rax; iretq; 2:"
    code = f"{ring_3} mov qword ptr [rsp - 16], 5; int3; mov rax, [rsp - 16]; int 0x30"
    assert rules(code, {BREAKPOINT: "iretq", 0x30: "hlt"}) == []
