// 08_ist.S: a stack that runs out, and what is left to the processor then.
//
// A routine calls itself for ever. Below the stack lies a page that is not present, so that the last push is a page
// fault, whose frame would have to go to the same stack: that is a double fault, whose frame ...
//
// The gate of #DF has no IST index yet, and TSS.IST1 is zero. There is a page of stack for it: emergency_stack.

.intel_syntax noprefix
#define OWN_TSS                         // below: without IST1
#define OWN_GATES                       // two, and no others
#include "course.inc"

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    load_stack
    load_gdt
    load_tss
    gate    PAGE_FAULT,   page_fault_handler,   INTERRUPT_GATE
    gate    DOUBLE_FAULT, double_fault_handler, INTERRUPT_GATE
    load_idt
    call    load_page_tables
    lea     rax, [rip + emergency_stack_guard]
    shr     eax, 12
    mov     qword ptr [pt + rax * 8], 0         // no page there: a stack begins at its upper end
    invlpg  [rip + emergency_stack_guard]
kernel_ready:
    xor     eax, eax
before_overflow:
    call    endless
end_routine _start

// Sixteen bytes of stack each time. RAX counts.
routine endless
    inc     rax
    push    rax
    call    endless
    pop     rax
    ret
end_routine endless

// It would grow the stack, if it had one to run on.
routine page_fault_handler
    print   "page fault\n"
    finish
end_routine page_fault_handler

// From the top of its stack: an error code that is always zero, RIP, CS, RFLAGS, RSP, SS.
routine double_fault_handler
    mov     rbx, [rsp + 32]             // the RSP that was no good
    cld
    print   "double fault: RSP 0x"
    print_number rbx
    print   ", page fault at 0x"
    mov     rax, cr2
    call    print_hex
    print   "\n"
    finish
end_routine double_fault_handler

.data
    .balign 128
table tss
    .long   0                                   // reserved
    .quad   kernel_stack_top                    // RSP0
    .quad   0, 0                                // RSP1, RSP2
    .quad   0                                   // reserved
    .quad   0                                   // IST1: nothing yet
    .quad   0, 0, 0, 0, 0, 0                    // IST2 to IST7
    .quad   0                                   // reserved
    .word   0                                   // reserved
    .word   0x68                                // I/O map base beyond the limit: no map
end_table tss

.bss
guarded_stack emergency_stack                   // for TSS.IST1

#include "course_setup.inc"
