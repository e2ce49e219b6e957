// gate_empty.S: INT 0x80, and its gate is sixteen bytes of zeros.
//
// Bit P is 0, and one expects #NP. But the processor looks at the gate's type first, and 0 is no type of a gate: #GP.
// The error code is that of the gate all the same: index 0x80 times eight, and 2 for "in the IDT".

.intel_syntax noprefix
#include "bugs.inc"

.text
routine _start
    set_up
#ifdef FIXED
    gate    SYSTEM_CALL, system_call_handler, INTERRUPT_GATE
#endif

kernel_ready:
    int     SYSTEM_CALL
    print   "back from the system call\n"
    finish
end_routine _start

routine system_call_handler
    save_registers
    cld
    print   "system call\n"
    restore_registers
    iretq
end_routine system_call_handler

#include "bugs_setup.inc"
