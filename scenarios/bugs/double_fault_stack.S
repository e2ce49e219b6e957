// double_fault_stack.S: the gate of #DF has no IST, and the kernel's stack has run out.
//
// A recursion without end pushes into the unmapped page below the stack: #PF. Its frame would go to the same stack, so
// the delivery meets a second #PF, and the two make a #DF. Without an IST the frame of that goes to the same stack once
// more, and there is no exception left: the processor shuts down. TSS.IST1 holds a good stack all the time.

#ifndef FIXED
#define DOUBLE_FAULT_GATE INTERRUPT_GATE
#endif

.intel_syntax noprefix
#include "bugs.inc"

.text
routine _start
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

#include "bugs_setup.inc"
