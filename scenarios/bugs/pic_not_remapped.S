// pic_not_remapped.S: the timer's first tick comes by the double fault's vector.
//
// As a PC's firmware leaves the 8259s, IRQ0 is vector 8, which is #DF to the processor. The gate that was meant for the
// tick stands at 0x20 and is never used. The double fault's handler finds no error code, because an interrupt pushes
// none, takes RIP for it, and reports a fault that never was.

.intel_syntax noprefix
#include "bugs.inc"

.text
routine _start
    set_up_processor
#ifdef FIXED
    call    set_up_pics
#endif
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
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    pop     rax
    iretq
end_routine timer_handler

.bss
    .balign 4
table ticks
    .skip   4
end_table ticks

#include "bugs_setup.inc"
