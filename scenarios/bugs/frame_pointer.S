// frame_pointer.S: a handler and the function that it calls disagree about where the frame is.
//
// report wants a pointer to what the processor has pushed: error code, RIP, CS. The handler saves its registers first
// and gives RSP, where the registers are now. Nothing crashes: report prints the old RBX for the error code and the old
// R11 for RIP, and whoever reads that looks for a bug in another place.

.intel_syntax noprefix
#include "bugs.inc"

.text
routine _start
    set_up
    gate    PAGE_FAULT, page_fault_handler, INTERRUPT_GATE

kernel_ready:
    mov     ebx, 0xbbbb
    mov     r11d, 0x1111
    mov     byte ptr [UNMAPPED], 1
    print   "the store went through\n"
    finish
end_routine _start

// Six words from the processor and ten from here: RSP is a multiple of 16 where we call.
routine page_fault_handler
    save_registers
    push    rbx
    cld
#ifdef FIXED
    lea     rdi, [rsp + 8 + SAVED_REGISTERS]
#else
    mov     rdi, rsp
#endif
    call    report
    mov     qword ptr [pd + 8], UNMAPPED + PAGE_LARGE + PAGE_WRITABLE + PAGE_PRESENT
    pop     rbx
    restore_registers
    add     rsp, 8                      // the error code
    iretq
end_routine page_fault_handler

// void report(const struct frame *frame)
routine report
    push    rbx
    mov     rbx, rdi
    print   "page fault, error code 0x"
    mov     rax, [rbx]
    call    print_hex
    print   ", rip 0x"
    mov     rax, [rbx + 8]
    call    print_hex
    print   ", cs 0x"
    mov     rax, [rbx + 16]
    call    print_hex
    print   "\n"
    pop     rbx
    ret
end_routine report

#include "bugs_setup.inc"
