// error_code_not_popped.S: the page fault's handler returns with the error code still on the stack.
//
// The processor pushes an error code below the frame, and IRETQ knows nothing of it: it takes the uppermost word for
// RIP, whatever it is. So the handler has to take the error code away. Here the error code becomes RIP, the old RIP
// becomes CS, and there is no such selector: #GP, at the IRETQ.

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

// Map the page, and have the store done again.
routine page_fault_handler
    mov     qword ptr [pd + 8], UNMAPPED + PAGE_LARGE + PAGE_WRITABLE + PAGE_PRESENT
#ifdef FIXED
    add     rsp, 8                      // the error code
#endif
handler_return:
    iretq
end_routine page_fault_handler

#include "bugs_setup.inc"
