"""Which vector a name tells of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idtviz.machine.objects import vector_of_name
from idtviz.x86.vectors import VECTORS, Kind

TOLD = {
    0: "divide_error divide_by_zero division_by_zero_handler isr0 de_handler DivideByZero handle_div0",
    1: "debug_handler debug_exception single_step isr_stub_1",
    2: "nmi nmi_handler non_maskable_interrupt_handler",
    3: "breakpoint breakpoint_handler int3 int3_handler isr_no_err_stub_3",
    4: "overflow_handler",
    5: "bound_range_exceeded bounds_handler",
    6: "invalid_opcode invalid_opcode_handler do_invalid_op",
    7: "device_not_available no_coprocessor_handler",
    8: "double_fault double_fault_handler isr_err_stub_8 DoubleFaultHandler vector8",
    9: "coprocessor_segment_overrun",
    10: "invalid_tss invalid_tss_handler",
    11: "segment_not_present np_handler",
    12: "stack_segment_fault stack_fault_handler",
    13: "general_protection general_protection_fault gp_fault gpf_handler exception_handler_13 trap13 int_0x0d",
    14: "page_fault page_fault_handler asm_exc_page_fault do_page_fault PageFaultHandler pageFaultISR isr14 isr_14 "
    "_isr14 ISR14_Handler vector14 vec0xe isr_0e pf_handler exc_pf kernel::idt::page_fault_handler "
    "isr::page_fault(frame*) isr14_page_fault int_0xe",
    16: "x87_floating_point x87_floating_point_handler coprocessor_error",
    17: "alignment_check alignment_check_handler",
    18: "machine_check machine_check_handler",
    19: "simd_floating_point simd_floating_point_exception_handler simd_exception",
    20: "virtualization_exception",
    21: "control_protection cp_handler",
    28: "hypervisor_injection_exception",
    29: "vmm_communication_exception",
    30: "security_exception",
    0x20: "timer_handler timer_interrupt timer_interrupt_handler irq0 IRQ0_Handler irq_0 isr_timer pit_isr vector32",
    0x21: "keyboard_handler keyboard_interrupt_handler irq1 irq1_handler kbd_isr vec0x21 irq_handler_1 isr33 int21h",
    0x24: "com1_handler",
    0x27: "spurious_irq7 irq7_spurious_handler",
    0x28: "rtc_handler",
    0x2C: "mouse_handler irq12 handle_irq_12",
    0x2F: "irq15 spurious_irq15",
    0x80: "isr0x80 isr128 syscall syscall_handler system_call int80 int_80_handler int_0x80",
    0xFF: "vector255 isr_0xff",
}
SILENT = (
    "main kmain memcpy timer keyboard overflow debug isr_common irq_common_stub interrupt_entry_64 entry_64 handler2 "
    "interrupt_handler isr256 irq16 int13 page_handler spurious lapic_timer_handler apic_spurious isr13_page_fault "
    "isr14_timer syscall_entry serial_handler keyboard_read timer_init page_fault_init isr_14_15 reserved_handler "
    "page_fault_handler.cold _ isr 14 of ss gp vector_table irq0_timer_init idt_install isr_123abc isr_00000000000014"
)


@pytest.mark.parametrize(("vector", "name"), [(vector, each) for vector, all_ in TOLD.items() for each in all_.split()])
def test_a_name_tells_its_vector(vector, name):
    assert vector_of_name(name) == vector


@pytest.mark.parametrize("name", ["", *SILENT.split()])
def test_a_name_that_leaves_a_doubt_tells_nothing(name):
    assert vector_of_name(name) is None


@pytest.mark.parametrize("vector", [each for each in VECTORS[:32] if each.kind is not Kind.RESERVED], ids=str)
def test_the_title_and_the_mnemonic_of_a_vector_tell_it(vector):
    title = vector.title.lower().partition(" (")[0].replace(" ", "_").replace("-", "_")
    assert vector_of_name(f"{title}_handler") == vector.number
    if vector.mnemonic.startswith("#"):
        assert vector_of_name(f"{vector.mnemonic[1:].lower()}_handler") == vector.number


@given(st.text(max_size=200) | st.from_regex(r"(isr|irq|int|vec|0x|_|[0-9a-f]|handler){1,12}", fullmatch=True))
def test_any_text_is_a_name(name):
    vector = vector_of_name(name)
    assert vector is None or 0 <= vector < 256


@given(st.integers(0, 255))
def test_a_number_in_hexadecimal_is_always_plain(number):
    assert vector_of_name(f"isr_{number:#04x}") == number
    assert vector_of_name(f"vector{number}") == number
