// trap_gate_for_irq.S: the timer's gate is a trap gate, which leaves IF as it was.
//
// The handler sends its EOI first, and every other time it works for longer than a tick takes. Behind an interrupt gate
// the next tick waits for IRETQ. Behind a trap gate it comes at once, into the middle of the handler, and the one after
// that into the middle of the next: a frame and nine registers each, until the stack is full. The kernel stops before.

.intel_syntax noprefix
#include "bugs.inc"

#define TRAP_GATE       0x8f00          // P=1 DPL=0 type=0xF: IF stays as it was
#ifdef FIXED
#define TIMER_GATE      INTERRUPT_GATE
#else
#define TIMER_GATE      TRAP_GATE
#endif

#define ENOUGH          4
#define LONG_WORK       60000           // rounds of two instructions. A tick is 100,000 instructions

.text
routine _start
    set_up
    gate    IRQ_BASE + TIMER_IRQ, timer_handler, TIMER_GATE
    call    set_up_timer
    let_through 0b11111110
    sti

kernel_ready:
    cmp     dword ptr [rip + ticks], ENOUGH
    jb      kernel_ready
    cli
    print   "4 ticks, one after the other\n"
    finish
end_routine _start

routine timer_handler
    save_registers
    cld
    mov     al, OCW2_EOI                // early: IF=0 should keep the next tick waiting
    out     PIC_MASTER_COMMAND, al
    inc     dword ptr [rip + depth]
    cmp     dword ptr [rip + depth], ENOUGH
    je      too_deep

    test    byte ptr [rip + ticks], 1
    jnz     work_done
    mov     ecx, LONG_WORK
work:
    dec     ecx
    jnz     work
work_done:
    inc     dword ptr [rip + ticks]
    dec     dword ptr [rip + depth]
    restore_registers
    iretq

too_deep:
    print   "4 handlers, one inside the other, and "
    print_number ticks
    print   " ticks\nhalted\n"
    finish
end_routine timer_handler

.data
    .balign 4
table ticks                             // handlers that have come to their end
    .long   0
end_table ticks
table depth                             // handlers that have begun and not ended
    .long   0
end_table depth

#include "bugs_setup.inc"
