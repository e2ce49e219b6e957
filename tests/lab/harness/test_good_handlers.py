"""Handlers with nothing wrong, as compilers and people write them: nothing is found in them."""

from __future__ import annotations

import shutil

import pytest

from idtviz.lab.checking import Checked
from tests.lab.harness.built import FOR_KERNELS, HANDLERS, assembled, built, checked, needs_gcc, serious, told

COURSE64 = {
    "vector13": 13,
    "vector32": 32,
    "asm_exc_invalid_tss": 10,
    "asm_exc_nmi": 2,
    "divide_by_zero_wrapper": 0,
    "page_fault_wrapper": 14,
    "irq0_schedule": 32,
    "irq8_schedule": 40,
    "device_not_available_handler": 7,
    "x87_floating_point_handler": 16,
    "keyboard_handler": 33,
    "irq3_apic": 35,
    "int_0x80": 0x80,
    "page_fault_handler": 14,
    "invalid_opcode_handler": 6,
    "double_fault_handler": 8,
    "irq5_nesting": 37,
    "irq7_handler": 39,
}
COURSE32 = {
    "vector14": 14,
    "vector33": 33,
    "isr0": 0,
    "isr6": 6,
    "isr8": 8,
    "isr13": 13,
    "irq0_schedule": 32,
    "irq9_handler": 41,
    "keyboard_handler": 33,
    "device_not_available_handler": 7,
    "irq3_apic": 35,
}


@needs_gcc
@pytest.mark.parametrize("optimised", ["-O0", "-O2", "-Os", "-O2 -fno-pic", "-O1 -fPIC -fcf-protection=full"])
@pytest.mark.parametrize("bits", [64, 32])
def test_nothing_is_found_in_what_gcc_makes_of_the_interrupt_attribute(bits, optimised):
    found = checked(built("interrupt_attribute.c", f"-m{bits} {optimised} {FOR_KERNELS}"))
    assert found.what == f"{bits}-bit object file, 9 handlers"
    assert told(found) == []


@needs_gcc
@pytest.mark.parametrize(("bits", "count"), [(64, 35), (32, 8)])
def test_nothing_is_found_in_a_stub_for_each_vector(bits, count):
    found = checked(built(f"stubs{bits}.S", f"-m{bits}"))
    assert found.what == f"{bits}-bit object file, {count} handlers"
    assert told(found) == []


@needs_gcc
@pytest.mark.parametrize(
    ("bits", "symbol", "vector"),
    [*((64, *each) for each in COURSE64.items()), *((32, *each) for each in COURSE32.items())],
)
def test_nothing_is_found_in_a_handler_of_a_course(bits, symbol, vector):
    found = checked(built(f"course{bits}.S", f"-m{bits}"), symbol, vector)
    assert f"{symbol} as the handler of vector {vector:#x}" in found.what
    assert found.reported == ()


@needs_gcc
@pytest.mark.parametrize(
    ("bits", "symbol", "vector"), [(64, "irq0_schedule", 32), (64, "vector32", 32), (32, "irq0_schedule", 32)]
)
def test_a_handler_goes_on_behind_a_function_that_is_not_there(bits, symbol, vector):
    assert "it returned" in ". ".join(checked(built(f"course{bits}.S", f"-m{bits}"), symbol, vector).said)


_PANICS = """
typedef unsigned long word;
struct frame { word ip, cs, flags, sp, ss; };
extern void panic(const char *, word) __attribute__((noreturn));
extern int mapped(word);
__attribute__((interrupt)) void page_fault_handler(struct frame *f, word e) {
  if (!mapped(f->ip)) panic("page fault", e);
}
__attribute__((interrupt)) void general_protection_handler(struct frame *f, word e) { panic("protection", e + f->ip); }
__attribute__((interrupt)) void breakpoint_handler(struct frame *f) { f->ip += 0; }
"""


@needs_gcc
@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("optimised", ["-O0", "-O2", "-Os -fno-reorder-functions"])
def test_a_function_that_is_not_there_and_has_no_code_behind_its_call_does_not_return(bits, optimised):
    path = assembled(_PANICS, f"-m{bits} {optimised} {FOR_KERNELS} -fno-asynchronous-unwind-tables", "c")
    found = checked(path)
    assert told(found) == []
    lines = found.said
    assert "it stopped the machine" in next(line for line in lines if line.startswith("general_protection_handler"))


def _rust(name: str, *chosen: object) -> Checked:
    return checked(HANDLERS / f"{name}.o", *chosen)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "symbol",
    [
        "breakpoint_handler",
        "double_fault_handler",
        "timer_handler",
        "divide_error_handler",
        "keyboard_interrupt_handler",
        "general_protection_fault_handler",
    ],
)
def test_nothing_is_found_in_what_rustc_makes_of_x86_interrupt(symbol):
    found = _rust("interrupt_abi", symbol)
    assert found.reported == ()


def test_llvm_leaves_the_stack_out_of_line_where_a_vector_has_an_error_code():
    """LLVM takes the frame of a vector with an error code for one without when it aligns the stack at a call."""
    found = _rust("interrupt_abi", "page_fault_handler")
    (reported,) = serious(found)
    assert reported.finding.rule == "STK004"
    assert "calls report with RSP" in reported.finding.message
    assert reported.place.symbol == "page_fault_handler"


def test_the_object_files_of_rust_tell_nothing_of_who_built_them():
    for path in HANDLERS.glob("*.o"):
        raw = path.read_bytes()
        for told_of in (b"/root", b"/home", b"/work", b"/tmp", b"/Users"):
            assert told_of not in raw, (path.name, told_of)


@pytest.mark.skipif(shutil.which("make") is None, reason="make says what would be built")
def test_each_object_file_has_its_source_beside_it():
    assert {path.stem for path in HANDLERS.glob("*.o")} == {path.stem for path in HANDLERS.glob("*.rs")}
