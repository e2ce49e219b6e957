// red_zone.S: a routine that calls none keeps its local variable below RSP, where a tick comes by.
//
// In ring 3 the 128 bytes below RSP belong to the routine (System V ABI, the red zone): the kernel's frame goes to
// another stack. In ring 0 it goes to this one. Delivery rounds RSP down to a multiple of 16 and pushes SS, right into
// the variable. Compilers do that to every leaf function of a kernel, unless told -mno-red-zone.

.intel_syntax noprefix
#include "bugs.inc"

#define VALUE           0x1234
#ifdef FIXED
#define LOCAL           rsp
#else
#define LOCAL           rsp - 16
#endif

.text
routine _start
    set_up
    gate    IRQ_BASE + TIMER_IRQ, timer_handler, INTERRUPT_GATE
    call    set_up_timer
    let_through 0b11111110
    sti

kernel_ready:
    mov     edi, VALUE
    call    keep
    cli
    mov     [rip + kept], eax
    print   "0x1234 was to be kept, and it is 0x"
    print_number kept
    print   "\n"
    finish
end_routine _start

// Return EDI in EAX, after the next tick.
routine keep
#ifdef FIXED
    sub     rsp, 16
#endif
    mov     [LOCAL], rdi
    mov     eax, [rip + ticks]
no_tick_yet:
    cmp     eax, [rip + ticks]
    je      no_tick_yet
    mov     rax, [LOCAL]
#ifdef FIXED
    add     rsp, 16
#endif
    ret
end_routine keep

routine timer_handler
    push    rax
    inc     dword ptr [rip + ticks]
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    pop     rax
    iretq
end_routine timer_handler

.data
    .balign 4
table ticks
    .long   0
end_table ticks
table kept
    .long   0
end_table kept

#include "bugs_setup.inc"
