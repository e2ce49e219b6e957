// eoi_software_interrupt.S: the handler of INT 0x80 sends an EOI, as the handlers beside it do.
//
// No 8259 has a part in a software interrupt. Its EOI ends what is in service: the timer's tick, whose handler has
// called. The tick's own EOI then finds nothing, or an interrupt of lower priority that is not done.

.intel_syntax noprefix
#include "bugs.inc"

.text
routine _start
    set_up
    gate    IRQ_BASE + TIMER_IRQ, timer_handler,       INTERRUPT_GATE
    gate    SYSTEM_CALL,          system_call_handler, INTERRUPT_GATE
    call    set_up_timer
    let_through 0b11111110
    sti

kernel_ready:
    await   ticks, 3
    cli
    finish
end_routine _start

routine timer_handler
    push    rax
    inc     dword ptr [ticks]
    int     SYSTEM_CALL
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    pop     rax
    iretq
end_routine timer_handler

// Print a dot.
routine system_call_handler
    save_registers
    cld
    print   "."
#ifndef FIXED
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
#endif
    restore_registers
    iretq
end_routine system_call_handler

.bss
    .balign 4
table ticks
    .skip   4
end_table ticks

#include "bugs_setup.inc"
