// gate_dpl.S: ring 3 makes a system call through a gate with DPL 0.
//
// An INT n is let through when the gate's DPL is at least CPL, so that ring 3 cannot call any handler it likes. The
// gate of the system call is the one that it may call, and must say so. Here it does not: #GP, and the error code 0x402
// names gate 0x80 of the IDT.

.intel_syntax noprefix
#include "bugs.inc"

#ifdef FIXED
#define SYSTEM_CALL_GATE INTERRUPT_GATE|GATE_DPL_3
#else
#define SYSTEM_CALL_GATE INTERRUPT_GATE
#endif

.text
routine _start
    set_up
    gate    SYSTEM_CALL, system_call_handler, SYSTEM_CALL_GATE

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

#include "bugs_setup.inc"
