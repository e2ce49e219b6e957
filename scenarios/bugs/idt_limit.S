// idt_limit.S: the IDTR's limit is that of a pointer, not of the table.
//
// In C, sizeof of a pointer to the table is 8, however long the table is. Not even gate 0 fits into eight bytes. INT3
// cannot be delivered: #GP. That cannot be delivered either: #DF, nor that: shutdown. The gates are all there.

.intel_syntax noprefix

#ifdef FIXED
#define IDT_LIMIT       (256 * 16 - 1)
#else
#define IDT_LIMIT       (8 - 1)
#endif
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
    iretq
end_routine breakpoint_handler

#include "bugs_setup.inc"
