// eoi_slave_only.S: an interrupt of the slave 8259 is ended in the slave alone.
//
// The clock's IRQ8 goes through both chips: line 0 of the slave, and line 2 of the master, on which the slave hangs.
// Both have a bit in service. Without the master's EOI its line 2 stays in service: nothing comes from the slave any
// more.

.intel_syntax noprefix
#include "bugs.inc"

.text
routine _start
    set_up
    gate    IRQ_BASE + RTC_IRQ, rtc_handler, INTERRUPT_GATE
    call    set_up_rtc
    let_through 0b11111011, 0b11111110
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
#ifdef FIXED
    out     PIC_MASTER_COMMAND, al
#endif
    pop     rax
    iretq
end_routine rtc_handler

.bss
    .balign 4
table ticks
    .skip   4
end_table ticks

#include "bugs_setup.inc"
