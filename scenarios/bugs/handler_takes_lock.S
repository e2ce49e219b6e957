// handler_takes_lock.S: the timer's handler waits for a lock that the interrupted code holds.
//
// On one processor there is nobody else who could release it. The handler spins with IF=0; the code that holds the lock
// goes on when the handler has returned. Whoever takes a lock that a handler takes as well has to keep interrupts off
// as long as he holds it. A watchdog's NMI, which asks for no IF, puts an end to it here.

.intel_syntax noprefix
#include "bugs.inc"

#define LONG_WORK       60000           // rounds of two instructions. A tick is 100,000 instructions

.text
routine _start
    set_up
    gate    IRQ_BASE + TIMER_IRQ, timer_handler, INTERRUPT_GATE
    gate    NMI, nmi_handler, NMI_GATE
    call    set_up_timer
    let_through 0b11111110
    sti

kernel_ready:
#ifdef FIXED
    cli
#endif
    call    take_lock
    mov     ecx, LONG_WORK
work:
    dec     ecx
    jnz     work
    mov     byte ptr [rip + lock], 0
#ifdef FIXED
    sti
#endif
    await   ticks, 2
    cli
    print   "the lock is free, and the clock is right\n"
    finish
end_routine _start

// XCHG with memory is atomic without a LOCK prefix.
routine take_lock
    mov     al, 1
    xchg    al, [rip + lock]
    test    al, al
    jz      taken
still_taken:
    pause
    jmp     take_lock
taken:
    ret
end_routine take_lock

// Five words and nine registers: RSP is a multiple of 16 where we call.
routine timer_handler
    save_registers
    cld
    call    take_lock
    inc     dword ptr [rip + ticks]
    mov     byte ptr [rip + lock], 0
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    restore_registers
    iretq
end_routine timer_handler

routine nmi_handler
    sub     rsp, 8                      // five words and one
    cld
    print   "watchdog: no progress\nhalted\n"
    finish
end_routine nmi_handler

.data
    .balign 4
table ticks
    .long   0
end_table ticks
table lock
    .byte   0
end_table lock

#include "bugs_setup.inc"
