// tss_layout.S: the stacks are written one field too far into the TSS.
//
// The interrupt stacks are numbered from 1, as in the gates, and an array's elements from 0. So IST1, the stack of #DF,
// stays 0, and what belongs there lies in IST2. Nothing shows it until the kernel's stack has run out: #PF, #DF, and a
// push that goes to the end of the address space, where nothing is mapped. The processor shuts down.

.intel_syntax noprefix
#define OWN_TSS
#include "bugs.inc"

// The offset of an interrupt stack's field; there is no IST0.
#ifdef FIXED
#define IST(number)     (0x24 + 8 * (number - 1))
#else
#define IST(number)     (0x24 + 8 * number)
#endif

.text
routine _start
    lea     rax, [rip + double_fault_stack_top]
    mov     [rip + tss + IST(1)], rax
    lea     rax, [rip + nmi_stack_top]
    mov     [rip + tss + IST(2)], rax
    set_up

kernel_ready:
    call    overflow_stack
end_routine _start

// 256 bytes a level, return address included, and RSP a multiple of 16 at each call.
routine overflow_stack
    sub     rsp, 256 - 8
    call    overflow_stack
    add     rsp, 256 - 8
    ret
end_routine overflow_stack

.data
    .balign 128                         // a TSS should not straddle a page
table tss
    task_state kernel_stack_top, 0, 0
end_table tss

#include "bugs_setup.inc"
