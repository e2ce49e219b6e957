"""Rules over what keeps a kernel from going on."""

import pytest

from idtviz.debugger.inputs import Irq, Nmi
from tests.checks.running_guests import findings, found, guest

LOOP = "1: nop; jmp 1b"
DATA = 0x200800
"""Mapped memory of the oracle's world that nothing uses."""
EOI = "mov al, 0x20; out 0x20, al"
TIMER = 1


def on_a_tick(body):
    return {0x20: f"push rax; push rcx; {body}; {EOI}; pop rcx; pop rax; iretq"}


def ticked(body):
    return findings(guest(LOOP, on_a_tick(body), (9, Irq(0)), unmasked=TIMER))


@pytest.fixture(scope="module")
def data():
    """The address of a word behind the code, as far as assembly is concerned."""
    return "lea rax, [rip + 0x1000]"


def test_a_handler_that_waits_for_memory_with_if_0_waits_for_ever(data):
    (finding,) = ticked(f"{data}; mov byte ptr [rax], 1; 1: pause; cmp byte ptr [rax], 0; jne 1b")
    assert finding.rule == "RUN001"
    assert "in a loop of 3 instructions with IF=0" in finding.message


def test_a_lock_with_xchg_is_one_too(data):
    lock = f"{data}; mov byte ptr [rax], 1; 1: mov cl, 1; xchg cl, [rax]; test cl, cl; jnz 1b"
    (finding,) = ticked(lock)
    assert finding.rule == "RUN001"


@pytest.mark.parametrize(
    "body",
    [
        "1: jmp 1b",
        "mov ecx, 5000; 1: dec ecx; jnz 1b",
        "1: in al, 0x64; test al, 1; jz 1b",
        "sti; lea rax, [rip + 0x1000]; mov byte ptr [rax], 1; 1: cmp byte ptr [rax], 0; jne 1b",
        "lea rax, [rip + 0x1000]; 1: inc dword ptr [rax]; cmp dword ptr [rax], -1; jne 1b",
    ],
    ids=["the end", "a delay", "a device", "with IF=1", "a counter in memory"],
)
def test_other_loops_are_left_in_peace(body):
    assert ticked(body) == []


def test_a_fault_whose_cause_stays_comes_for_ever():
    (finding,) = findings(guest("ud2", {6: "iretq"}))
    assert finding.rule == "RUN002"
    assert "8 times in a row" in finding.message
    assert "`ud2`" in finding.message


def test_a_fault_that_is_stepped_over_is_none():
    skip = "add qword ptr [rsp], 2; iretq"
    assert found("mov ecx, 20; 1: ud2; dec ecx; jnz 1b; hlt", {6: skip}) == []


def test_a_breakpoint_in_a_loop_is_no_fault():
    assert found("mov ecx, 20; 1: int3; dec ecx; jnz 1b; hlt", {3: "iretq"}) == []


def test_a_misaligned_operand_faults_on_a_processor_alone():
    (finding,) = findings(guest("lea rax, [rip + 0x1001]; and al, 0xf0; inc rax; movaps xmm0, [rax]", {13: "hlt"}))
    assert finding.rule == "RUN003"
    assert "wants its operand aligned to 16 bytes" in finding.message


def test_another_general_protection_fault_is_one_everywhere():
    assert found("mov ax, 0x1238; mov ds, ax", {13: "hlt"}) == []
    assert found("mov rax, 0x8000000000000000; mov cl, [rax]", {13: "hlt"}) == []


def test_hlt_with_if_0_and_an_interrupt_that_waits():
    (finding,) = findings(guest("nop; nop; hlt", on_a_tick("nop"), (1, Irq(0)), unmasked=TIMER, interrupts=False))
    assert finding.rule == "RUN004"
    assert "vector 0x20 is requested and has a gate" in finding.message


def test_hlt_with_if_0_at_the_end_of_a_kernel_is_none():
    assert found("nop; nop; hlt", on_a_tick("nop"), unmasked=TIMER, interrupts=False) == []
    assert found("nop; nop; nop; nop; cli; hlt", on_a_tick("nop"), (2, Irq(0)), unmasked=TIMER) == []


def test_an_exception_in_the_nmis_handler_lets_the_next_nmi_in():
    (finding,) = findings(guest(LOOP, {2: "int3; iretq", 3: "iretq"}, (9, Nmi())))
    assert finding.rule == "RUN005"
    assert "ends the blocking of NMIs" in finding.message


def test_an_nmi_in_another_handler_is_none():
    assert found("int3; " + LOOP, {2: "iretq", 3: "nop; nop; nop; iretq"}, (2, Nmi())) == []
