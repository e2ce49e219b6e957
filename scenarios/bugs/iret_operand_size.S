// iret_operand_size.S: a 64-bit handler returns by IRETD.
//
// Without a REX prefix the opcode 0xCF pops words of 32 bits in 64-bit mode too. The frame has words of 64: RIP's lower
// half goes into RIP, its upper half into CS. Below 4 GiB that is a zero, and a null selector cannot be CS: #GP(0).
// GNU as makes the same of a plain IRET.

.intel_syntax noprefix
#include "bugs.inc"

.text
routine _start
    set_up
    gate    BREAKPOINT, breakpoint_handler, INTERRUPT_GATE

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
handler_return:
#ifdef FIXED
    iretq
#else
    iretd
#endif
end_routine breakpoint_handler

#include "bugs_setup.inc"
