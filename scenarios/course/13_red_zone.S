// 13_red_zone.S: a function that calls no other keeps its variables below RSP, where a tick comes by.
//
// In ring 3 the 128 bytes below RSP belong to the function that runs (System V ABI: the red zone), for the frame of an
// interrupt goes to another stack. In ring 0 it goes to this one. A compiler uses the red zone in every leaf function
// unless it is told -mno-red-zone. Here the function is written by hand: 13_red_zone_sum.S, yours to mend.

.intel_syntax noprefix
#include "course.inc"

#define TIMER_IRQ       0
#define PIT_ONE_SHOT    0x30            // channel 0, low byte then high byte, mode 0: one interrupt, at the end
#define SOON            24              // 1,193,182 Hz: 20 microseconds, 200 instructions
#define BYTES           128             // of value 2 each

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    set_up
    gate    IRQ_BASE + TIMER_IRQ, timer_handler, INTERRUPT_GATE
    call    start_timer
    let_through 0b11111110
    sti                                 // takes effect after the next instruction

kernel_ready:
    lea     rdi, [rip + bytes]
    mov     esi, BYTES
call_sum:
    call    sum                         // RSP is a multiple of 16 here, and eight less in the function
summed:
    cli
    cmp     rax, 2 * BYTES
    je      right
    mov     [rip + result], rax
    print   "128 times 2 came out as 0x"
    print_number [rip + result]
    print   "\n"
    finish
right:
    print   "128 times 2 is 0x100\n"
    finish
end_routine _start

routine start_timer
    mov     al, PIT_ONE_SHOT
    out     PIT_MODE, al
    mov     al, SOON
    out     PIT_CHANNEL_0, al
    xor     eax, eax
    out     PIT_CHANNEL_0, al
    ret
end_routine start_timer

// Nothing is wrong with the handler: it gives back every register, and its stack is where it found it.
routine timer_handler
    push    rax
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    pop     rax
    iretq
end_routine timer_handler

// ---------------------------------------------------------------------------------------------------------------
.section .rodata
table bytes
    .fill   BYTES, 1, 2
end_table bytes

.bss
variable result

#include "course_setup.inc"
