// rsp0_zero.S: TSS.RSP0 was never filled in, and an interrupt comes from ring 3.
//
// In ring 0 nobody misses it. On the way in from ring 3 the processor takes its stack from RSP0 = 0, and the first push
// goes to the very end of the address space, where nothing is mapped: #PF. That wants the same stack: #DF. Its gate has
// an IST, so that there is someone to tell the tale.

.intel_syntax noprefix
#define OWN_TSS
#include "bugs.inc"

#ifdef FIXED
#define RSP0            kernel_stack_top
#else
#define RSP0            0
#endif

.text
routine _start
    set_up
    gate    SYSTEM_CALL, system_call_handler, INTERRUPT_GATE|GATE_DPL_3

kernel_ready:
    enter_ring_3 user_start, user_stack_top
end_routine _start

routine system_call_handler
    sub     rsp, 8                      // five words and one: RSP is a multiple of 16 where we call
    cld
    print   "a system call from ring 3\n"
    finish
end_routine system_call_handler

.section .user.text, "ax", @progbits
routine user_start
    int     SYSTEM_CALL
end_routine user_start

.section .user.stack, "aw", @nobits
stack user_stack

.data
    .balign 128                                 // a TSS should not straddle a page
table tss
    task_state RSP0, double_fault_stack_top, nmi_stack_top
end_table tss

#include "bugs_setup.inc"
