"""One thing wrong in each: exactly the rule for it speaks, and of the right instruction."""

from __future__ import annotations

import re

import pytest

from idtviz.lab.checking import Checked
from idtviz.lab.places import Reported
from tests.lab.harness.built import HANDLERS, built, checked, needs_gcc, serious, told

WRONG = [
    # bits, symbol, vector, rule, at, the message says
    (64, "error_code_left", 14, "STK001", "iretq", "#PF returns with the error code 0x2 still on the stack"),
    (64, "error_code_left", 13, "STK001", "iretq", "#GP returns with the error code 0x148 still on the stack"),
    (32, "error_code_left", 14, "STK001", "iretd", "#PF returns with the error code 0x2 still on the stack"),
    (64, "dummy_pushed_for_alignment_check", 17, "STK002", "push 0", "#AC pushes an error code of its own, but the"),
    (64, "no_dummy_pushed_for_overflow", 4, "STK002", "push 4", "#OF takes an error code off the stack, but neither"),
    (64, "error_code_taken_that_is_not_there", 3, "STK002", "add rsp, 8", "the processor nor the stub has pushed one"),
    (64, "pointer_at_saved_registers", 0, "STK003", "call show", "for RIP, CS and RFLAGS it reads R11, R10 and R9"),
    (64, "pointer_at_error_code", 13, "STK003", "call step_over", "what it changes is the error code"),
    (64, "stack_not_aligned", 0, "STK004", "call elsewhere", "10 from the handler make 15, an odd number"),
    (64, "stack_not_aligned_for_sse", 0, "STK004", "call uses_sse", "no multiple of 16"),
    (64, "register_not_saved", 0, "REG001", "inc rbx", "does not give back RBX"),
    (
        64,
        "registers_not_saved_around_call",
        0,
        "REG001",
        "call elsewhere",
        "RCX, RDX, RSI, RDI and R8 to R11: RCX was",
    ),
    (64, "registers_popped_in_the_same_order", 0, "REG001", "pop rcx", "restores RCX and RDX in the wrong order"),
    (32, "register_not_saved", 0, "REG001", "call elsewhere", "does not give back ECX and EDX"),
    (32, "frame_by_value", 6, "STK005", "call counts", "counts overwrites ESI and EDI among them"),
    (64, "argument_left", 6, "STK006", "iretq", "with 1 word of its own still on the stack"),
    (64, "too_much_taken", 6, "STK006", "iretq", "takes 24 bytes too many off the stack"),
    (32, "argument_left", 6, "STK006", "iretd", "with 1 word of its own still on the stack"),
    (64, "iret_of_32_bits", 1, "STK007", "iretd", "iretq is the one to use"),
    (64, "iret_of_16_bits", 1, "STK007", "iret", "iretq is the one to use"),
    (32, "iret_of_16_bits", 1, "STK007", "iret", "iretd is the one to use"),
    (64, "no_eoi", 32, "PIC001", "iretq", "bit 0 of the master 8259's ISR (0x01) is still set"),
    (32, "no_eoi", 33, "PIC001", "iretd", "bit 1 of the master 8259's ISR (0x02) is still set"),
    (64, "eoi_to_master_alone", 40, "PIC002", "out 0x20, al", "EOI to the master only"),
    (64, "eoi_to_slave_alone", 44, "PIC002", "out 0xa0, al", "EOI to the slave only"),
    (64, "eoi_for_exception", 3, "PIC003", "out 0x20, al", "#BP did not come through an interrupt controller"),
    (64, "eoi_for_exception", 0x80, "PIC003", "out 0x20, al", "did not come through an interrupt controller"),
    (64, "scancode_not_read", 33, "DEV001", "iretq", "without reading port 0x60"),
    (64, "direction_flag", 0, "REG002", "rep stosd", "executes REP STOSD with the interrupted program's DF=1"),
    (32, "direction_flag", 0, "REG002", "rep stosd", "executes REP STOSD with the interrupted program's DF=1"),
    (64, "direction_flag_at_call", 0, "REG002", "call elsewhere", "makes a call with the interrupted program's DF=1"),
    (32, "segments_not_restored", 0, "REG003", "mov ds, eax", "does not give back DS and ES"),
    (64, "fs_loaded", 0, "REG003", "mov fs, eax", "does not give back FS"),
    (64, "swapgs_always", 0, "REG004", "swapgs", "executes SWAPGS although it was entered from ring 0"),
    (64, "swapgs_never", 0, "REG004", "inc qword ptr gs:[0]", "uses GS before SWAPGS"),
    (64, "swapgs_on_the_way_in_alone", 0, "REG004", "swapgs", "executes SWAPGS once between"),
    (64, "xmm_changed", 0, "REG005", "pxor xmm3, xmm3", "does not give back XMM3"),
    (64, "xmm_changed_by_callee", 0, "REG005", "pxor xmm0, xmm0", "does not give back XMM0"),
    (64, "lock_held", 32, "RUN001", "lock bts", "waits for lock to change"),
    (64, "does_not_return", 0x80, "HDL001", None, "does_not_return has not returned after 300,000 instructions"),
    (64, "writes_where_nothing_is", 6, "HDL002", "mov qword ptr", "raises #PF at 0xffffffff00000000 with error code"),
    (64, "privileged_bits", 0, "HDL002", "mov cr4, rax", "raises #GP while it handles #DE"),
    (64, "returns_like_a_function", 0, "HDL004", "ret", "ends with RET and not with IRET"),
    (64, "falls_off_its_end", 0, "HDL004", "nop", "has no IRET"),
]


def _of(bits: int, symbol: str, vector: int) -> Checked:
    return checked(built(f"wrong{bits}.S", f"-m{bits}"), symbol, vector)


@needs_gcc
@pytest.mark.parametrize(("bits", "symbol", "vector", "rule", "at", "says"), WRONG)
def test_what_is_wrong_is_found_and_nothing_else(bits, symbol, vector, rule, at, says):
    found = _of(bits, symbol, vector)
    assert [each.finding.rule for each in serious(found)] == [rule], told(found)
    (reported,) = serious(found)
    assert says in reported.finding.message
    assert at is None or (reported.place.instruction or "").startswith(at)
    assert reported.place.symbol is not None
    assert reported.place.line is not None
    assert reported.finding.moment is None


@needs_gcc
def test_every_wrong_handler_is_tried():
    for bits in (64, 32):
        source = (HANDLERS / f"wrong{bits}.S").read_text()
        assert set(re.findall(r"^handler (\w+)", source, re.MULTILINE)) == {
            symbol for which, symbol, *_ in WRONG if which == bits
        }


def _one(found: Checked) -> Reported:
    (reported,) = serious(found)
    return reported


def test_a_naked_function_in_rust_that_passes_the_wrong_pointer():
    found = checked(HANDLERS / "naked_wrong_pointer.o")
    reported = _one(found)
    assert reported.finding.rule == "STK003"
    assert reported.place.instruction == "call show_divide_error"
    assert "points at saved registers, 72 bytes below the interrupt frame" in reported.finding.message


def test_a_frame_that_is_declared_by_reference_in_rust():
    reported = _one(checked(HANDLERS / "frame_by_reference.o"))
    assert reported.finding.rule == "HDL003"
    assert "declares the interrupt frame by reference (`frame`)" in reported.finding.message
    assert reported.place.symbol == "breakpoint_handler"
    assert reported.place.source is not None
    assert reported.place.file == str(HANDLERS / "frame_by_reference.rs")


@needs_gcc
@pytest.mark.parametrize("optimised", ["-O0", "-O2"])
def test_an_error_code_that_is_declared_where_none_is_pushed_and_not_where_one_is(optimised):
    found = checked(built("declared_error_code.c", f"-mgeneral-regs-only {optimised}"))
    assert [(each.finding.rule, each.place.symbol) for each in serious(found)] == [
        ("HDL003", "breakpoint_handler"),
        ("HDL003", "page_fault_handler"),
    ]
    declared, missing = (each.finding.message for each in serious(found))
    assert "declares an error code (`error_code`), but the processor pushes none for #BP" in declared
    assert "declares no error code, but the processor pushes one for #PF" in missing


@needs_gcc
@pytest.mark.parametrize(("symbol", "ring"), [("swapgs_always", 0), ("swapgs_never", 3)])
def test_what_shows_from_one_ring_alone_says_which(symbol, ring):
    notes = [text for text, _ in _one(_of(64, symbol, 0)).notes]
    assert f"only where the handler interrupts ring {ring}" in notes


@needs_gcc
def test_registers_that_a_missing_function_may_change_are_blamed_on_the_call():
    reported = _one(_of(64, "registers_not_saved_around_call", 0))
    ((text, place),) = reported.notes
    assert text == "elsewhere is not in the file: it is taken to change every register that a function in C may change"
    assert place == reported.place
