// cascade_masked.S: the slave 8259 lets IRQ8 through, and the master does not let the slave through.
//
// The slave's output hangs on the master's line 2. The clock ticks, the slave requests, and the master's mask has bit 2
// set: whoever unmasks a line from 8 to 15 has to unmask line 2 as well.

.intel_syntax noprefix
#include "bugs.inc"

.text
routine _start
    set_up
    gate    IRQ_BASE + RTC_IRQ, rtc_handler, INTERRUPT_GATE
    call    set_up_rtc
#ifdef FIXED
    let_through 0b11111011, 0b11111110
#else
    let_through 0b11111111, 0b11111110
#endif
    sti

kernel_ready:
    await   ticks, 3
    cli
    print   "ticks: 0x"
    print_number ticks
    finish
end_routine _start

routine rtc_handler
    push    rax
    inc     dword ptr [ticks]
    mov     al, REGISTER_C              // reading it lowers the clock's line, so that it can rise again
    out     CMOS_INDEX, al
    in      al, CMOS_DATA
    mov     al, OCW2_EOI
    out     PIC_SLAVE_COMMAND, al
    out     PIC_MASTER_COMMAND, al
    pop     rax
    iretq
end_routine rtc_handler

.bss
    .balign 4
table ticks
    .skip   4
end_table ticks

#include "bugs_setup.inc"
