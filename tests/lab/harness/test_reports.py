"""What is said of a handler: what was pushed and declared, what it passes on, how it ended."""

from __future__ import annotations

import pytest

from tests.lab.harness.built import FOR_KERNELS, HANDLERS, assembled, built, checked, needs_gcc


@needs_gcc
def test_one_handler_gets_a_report():
    found = checked(built("interrupt_attribute.c", f"-m64 -O2 {FOR_KERNELS}"), "general_protection_handler")
    assert found.what == "64-bit object file, general_protection_handler as the handler of vector 0xd (#GP)"
    assert list(found.said) == [
        "the processor pushes SS, RSP, RFLAGS, CS, RIP and an error code; general_protection_handler declares "
        "(frame: *interrupt_frame, error_code: long unsigned int)",
        "it passes report RDI = the interrupt frame and RSI = the error code, with RSP a multiple of 16, DF=0 and "
        "IF=0; that takes (?: *interrupt_frame, ?: long unsigned int)",
        found.said[2],
        "it calls report, which is not in the file: what that does was not checked",
    ]
    assert found.said[2].startswith("entered from ring 0 and from ring 3, it returned after ")


@needs_gcc
def test_in_32_bits_ring_3_has_more_pushed():
    said = ". ".join(checked(built("stubs32.S", "-m32"), "isr14").said)
    assert "the processor pushes EFLAGS, CS, EIP and an error code, and from ring 3 SS and ESP in front of them" in said
    assert "it passes handle_exception argument 1 = saved registers, 52 bytes below the interrupt frame" in said


@needs_gcc
def test_many_handlers_get_a_line_each():
    found = checked(built("interrupt_attribute.c", f"-m64 -O2 {FOR_KERNELS}"))
    lines = found.said
    assert len(lines) == 9
    assert lines[0].startswith("divide_error_handler (#DE): entered from ring 0 and from ring 3, it returned after ")
    assert any(line.startswith("irq5_handler (IRQ5): ") and line.endswith(", without schedule") for line in lines)
    assert any("double_fault_handler (#DF)" in line and "it stopped the machine" in line for line in lines)


@needs_gcc
def test_a_handler_that_sets_if_was_interrupted_as_well():
    said = ". ".join(checked(built("course64.S", "-m64"), "irq5_nesting", 37).said)
    assert "it sets IF while it runs: IRQ0 was let in there as well" in said
    assert said.endswith("what that does was not checked, EOI among it")


def test_declarations_of_rust_are_told():
    said = ". ".join(checked(HANDLERS / "interrupt_abi.o", "general_protection_fault_handler").said)
    assert "declares (frame: InterruptStackFrame, error_code: u64)" in said


@needs_gcc
@pytest.mark.parametrize(
    ("text", "vector", "severity", "note"),
    [
        ("mov rax, [rsi]\niretq", 0x80, "note", "here the program that asks for it gives no pointer"),
        ("mov rax, [rsi]\niretq", 6, "error", "is what the interrupted program had in RSI, or close to it"),
        ("call outside\nmov rax, [rax]\niretq", 6, "note", "here what outside would give back was not there"),
        ("mov ax, 0x108\nmov ds, ax\niretq", 6, "note", "here the GDT has no data segment at 0x108"),
        ("movaps xmm0, [rsp + 4]\niretq", 6, "error", "is not aligned to 16 bytes"),
    ],
)
def test_an_exception_of_its_own_has_a_cause(text, vector, severity, note):
    path = assembled(f".globl handler_of_it\nhandler_of_it: cld\n{text}")
    (found,) = (each for each in checked(path, "handler_of_it", vector).reported if each.finding.rule == "HDL002")
    assert found.finding.severity.value == severity
    assert any(note in text for text, _ in found.notes), found.notes
