//! Handlers in Rust: `extern "x86-interrupt"`, and naked functions that call one in the ABI of C.
#![no_std]
#![feature(abi_x86_interrupt)]

use core::arch::{asm, naked_asm};

#[repr(C)]
pub struct InterruptStackFrame {
    pub instruction_pointer: u64,
    pub code_segment: u64,
    pub cpu_flags: u64,
    pub stack_pointer: u64,
    pub stack_segment: u64,
}

extern "C" {
    fn report(frame: &InterruptStackFrame, error_code: u64);
}

static mut TICKS: u64 = 0;
static mut LAST_CODE: u64 = 0;

#[no_mangle]
pub extern "x86-interrupt" fn breakpoint_handler(frame: InterruptStackFrame) {
    unsafe { report(&frame, 0) }
}

#[no_mangle]
pub extern "x86-interrupt" fn page_fault_handler(frame: InterruptStackFrame, error_code: u64) {
    unsafe { report(&frame, error_code) }
}

#[no_mangle]
pub extern "x86-interrupt" fn double_fault_handler(frame: InterruptStackFrame, error_code: u64) -> ! {
    unsafe { report(&frame, error_code) }
    loop {
        unsafe { asm!("cli", "hlt") }
    }
}

#[no_mangle]
pub extern "x86-interrupt" fn timer_handler(_frame: InterruptStackFrame) {
    unsafe {
        TICKS += 1;
        asm!("out 0x20, al", in("al") 0x20u8);
    }
}

#[no_mangle]
pub extern "x86-interrupt" fn keyboard_interrupt_handler(_frame: InterruptStackFrame) {
    unsafe {
        let scancode: u8;
        asm!("in al, 0x60", out("al") scancode);
        (0xb8000 as *mut u16).write_volatile(0x0700 | scancode as u16);
        asm!("out 0x20, al", in("al") 0x20u8);
    }
}

#[no_mangle]
pub extern "x86-interrupt" fn general_protection_fault_handler(mut frame: InterruptStackFrame, error_code: u64) {
    unsafe { LAST_CODE = error_code }
    let next = frame.instruction_pointer + 2;
    unsafe { (&raw mut frame.instruction_pointer).write_volatile(next) }
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
        "lea rdi, [rsp + 72]",
        "call {show}",
        "pop r11", "pop r10", "pop r9", "pop r8", "pop rdi", "pop rsi", "pop rdx", "pop rcx", "pop rax",
        "iretq",
        show = sym show_divide_error,
    )
}
