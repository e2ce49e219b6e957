// missing_eoi.S: the timer's handler does not tell the 8259 that it is done.
//
// When the processor acknowledged the tick, the 8259 set IRQ0's bit in its in-service register. As long as the bit is
// set, IRQ0 and everything of lower priority waits, and IRQ0 is the highest: the first tick is the last interrupt.

.intel_syntax noprefix
#include "bugs.inc"

.text
routine _start
    set_up
    gate    IRQ_BASE + TIMER_IRQ, timer_handler, INTERRUPT_GATE
    call    set_up_timer
    let_through 0b11111110
    sti

kernel_ready:
    await   ticks, 3
    cli
    print   "ticks: 0x"
    print_number ticks
    finish
end_routine _start

routine timer_handler
    push    rax
    inc     dword ptr [ticks]
#ifdef FIXED
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
#endif
    pop     rax
    iretq
end_routine timer_handler

.bss
    .balign 4
table ticks
    .skip   4
end_table ticks

#include "bugs_setup.inc"
