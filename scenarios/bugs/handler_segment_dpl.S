// handler_segment_dpl.S: the breakpoint's gate names a code segment of ring 3.
//
// A gate may lead to the same privilege level or to a more privileged one, never outward: the DPL of its code segment
// must not be above CPL. INT3 comes from ring 0, the segment has DPL 3: #GP, and the error code is the segment's
// selector. The gate's own DPL has no part in this; it says who may call, not where one arrives.

.intel_syntax noprefix
#include "bugs.inc"

#ifdef FIXED
#define HANDLER_SEGMENT KERNEL_CODE
#else
#define HANDLER_SEGMENT USER_CODE
#endif

.text
routine _start
    set_up
    gate    BREAKPOINT, breakpoint_handler, INTERRUPT_GATE
    mov     word ptr [idt + BREAKPOINT * 16 + 2], HANDLER_SEGMENT

kernel_ready:
    int3
    print   "back from the breakpoint\n"
    finish
end_routine _start

routine breakpoint_handler
    save_registers
    cld
    print   "breakpoint\n"
    restore_registers
    iretq
end_routine breakpoint_handler

#include "bugs_setup.inc"
