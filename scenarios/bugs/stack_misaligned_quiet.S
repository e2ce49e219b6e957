// stack_misaligned_quiet.S: a handler calls a function while RSP is not a multiple of 16, and nothing happens.
//
// The same handler as in stack_misaligned.S, but its callee uses no SSE register: not one instruction looks at the
// alignment. The bug waits for the day on which somebody changes the callee or the compiler's options.

.intel_syntax noprefix
#include "bugs.inc"

.text
routine _start
    set_up
    gate    PAGE_FAULT, page_fault_handler, INTERRUPT_GATE

kernel_ready:
    mov     byte ptr [UNMAPPED], 1
    print   "the page is there, and the store went through\n"
    finish
end_routine _start

routine page_fault_handler
    save_registers
#ifdef FIXED
    sub     rsp, 8                      // six words from the processor, nine registers, and one
#endif
    cld
handler_call:
    call    map_page
#ifdef FIXED
    add     rsp, 8
#endif
    restore_registers
    add     rsp, 8                      // the error code
    iretq
end_routine page_fault_handler

routine map_page
    mov     qword ptr [pd + 8], UNMAPPED + PAGE_LARGE + PAGE_WRITABLE + PAGE_PRESENT
    ret
end_routine map_page

#include "bugs_setup.inc"
