// gate_not_present.S: INT 0x80, and its gate is marked as not present.
//
// A library fills a fresh IDT with gates that are right but for bit P, and whoever sets a handler sets P. Nobody has
// set this one: #NP. Its error code tells which gate: index 0x80 times eight, and 2 for "in the IDT".

.intel_syntax noprefix
#include "bugs.inc"

#define GATE_P_CLEAR    0x0e00          // INTERRUPT_GATE without P

.text
routine _start
    set_up
#ifdef FIXED
    gate    SYSTEM_CALL, system_call_handler, INTERRUPT_GATE
#else
    gate    SYSTEM_CALL, system_call_handler, GATE_P_CLEAR
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
