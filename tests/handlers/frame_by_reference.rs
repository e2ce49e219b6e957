//! A handler that declares the frame by reference: `x86-interrupt` hands it over by value, so the reference is RIP.
#![no_std]
#![feature(abi_x86_interrupt)]

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

#[no_mangle]
pub extern "x86-interrupt" fn breakpoint_handler(frame: &InterruptStackFrame) {
    unsafe { report(frame, 0) }
}
