// register_not_saved.S: the timer's handler uses RCX and does not give it back.
//
// The main loop counts down in RCX, and between two of its instructions there is a tick. The program that is
// interrupted has not called anybody: no register is the handler's to change. Here the loop is over too early.

.intel_syntax noprefix
#include "bugs.inc"

#define ROUNDS          100000          // of three instructions: more than three ticks long

.text
routine _start
    set_up
    gate    IRQ_BASE + TIMER_IRQ, timer_handler, INTERRUPT_GATE
    call    set_up_timer
    let_through 0b11111110

kernel_ready:
    xor     ebx, ebx
    mov     ecx, ROUNDS
    sti
next_round:
    inc     ebx
    dec     ecx
    jnz     next_round
    cli
    print   "rounds 0x"
    mov     eax, ebx
    call    print_hex
    print   " of 0x"
    mov     eax, ROUNDS
    call    print_hex
    finish
end_routine _start

routine timer_handler
    push    rax
#ifdef FIXED
    push    rcx
#endif
    mov     ecx, [ticks]
    inc     ecx
    mov     [ticks], ecx
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
#ifdef FIXED
    pop     rcx
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
