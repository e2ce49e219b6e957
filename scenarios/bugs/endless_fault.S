// endless_fault.S: the page fault's handler returns, and the page is still not there.
//
// A fault saves the address of the instruction itself, so that it can run again when the cause is removed. This handler
// looks, counts, pops the error code and returns, all as it should, and does not map the page. The store runs again and
// faults again, with the same RIP and the same CR2. Nothing in a processor would ever end that.

.intel_syntax noprefix
#include "bugs.inc"

#define TOO_MANY        50

.text
routine _start
    set_up
    gate    PAGE_FAULT, page_fault_handler, INTERRUPT_GATE

kernel_ready:
    mov     byte ptr [UNMAPPED], 1
    print   "the page is there, and the store went through\n"
    finish
end_routine _start

// Six words and nine registers and one word more: RSP is a multiple of 16 where we call.
routine page_fault_handler
    save_registers
    sub     rsp, 8
    cld
    inc     dword ptr [rip + faults]
    cmp     dword ptr [rip + faults], TOO_MANY
    je      give_up
#ifdef FIXED
    mov     qword ptr [pd + UNMAPPED / UNMAPPED * 8], UNMAPPED + PAGE_LARGE + PAGE_WRITABLE + PAGE_PRESENT
#endif
    add     rsp, 8
    restore_registers
    add     rsp, 8                      // the error code
    iretq

give_up:
    print   "50 page faults at 0x"
    mov     rax, cr2
    call    print_hex
    print   "\nhalted\n"
    finish
end_routine page_fault_handler

.data
    .balign 4
table faults
    .long   0
end_table faults

#include "bugs_setup.inc"
