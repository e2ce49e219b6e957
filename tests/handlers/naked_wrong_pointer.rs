//! The naked function that hands over a pointer to the registers that it has saved, as if the frame were there.
#![no_std]

use core::arch::naked_asm;

#[repr(C)]
pub struct InterruptStackFrame {
    pub instruction_pointer: u64,
    pub code_segment: u64,
    pub cpu_flags: u64,
    pub stack_pointer: u64,
    pub stack_segment: u64,
}

#[no_mangle]
pub extern "C" fn show_divide_error(frame: &InterruptStackFrame) {
    unsafe { (0xb8000 as *mut u64).write_volatile(frame.instruction_pointer) }
}

#[unsafe(naked)]
#[no_mangle]
pub extern "C" fn divide_error_handler() {
    naked_asm!(
        "push rax", "push rcx", "push rdx", "push rsi", "push rdi", "push r8", "push r9", "push r10", "push r11",
        "cld",
        "mov rdi, rsp",
        "call {show}",
        "pop r11", "pop r10", "pop r9", "pop r8", "pop rdi", "pop rsi", "pop rdx", "pop rcx", "pop rax",
        "iretq",
        show = sym show_divide_error,
    )
}
