// 14_swapgs.S: which GS the kernel finds depends on where it comes from.
//
//   tick in ring 3    GS.base is the program's      SWAPGS brings the kernel's
//   tick in ring 0    GS.base is the kernel's       one more SWAPGS brings the program's
//
// A tick comes while ring 3 works. Then ring 3 lets the kernel wait for the next one: a system call with interrupts on.
// The handler of the timer does not ask where it comes from. It is yours to mend: 14_swapgs_timer.S.

.intel_syntax noprefix
#include "course.inc"
#include "course_gs.inc"

#define TIMER_IRQ       0
#define DIVISOR         119             // 1,193,182 Hz / 119 = 10 kHz: one tick in 1000 instructions
#define ROUNDS          600             // of two instructions: the next tick comes in the midst of them
#define SYSTEM_CALL     0x80
#define WAIT            1               // EAX: come back after the next tick
#define EXIT            2               // EAX

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    set_up
    gate    IRQ_BASE + TIMER_IRQ, timer_handler, INTERRUPT_GATE
    gate    SYSTEM_CALL, system_call_handler, INTERRUPT_GATE|GATE_DPL_3

    xor     eax, eax                    // no page at address 0: the program's GS.base leads nowhere
    mov     [pt], rax
    invlpg  [rax]
set_kernel_gs:
    mov     ecx, MSR_KERNEL_GS
    lea     rax, [rip + per_processor]
    xor     edx, edx
    wrmsr
    call    start_timer
    let_through 0b11111110

kernel_ready:
    enter_ring_3 user_start, user_stack_top
end_routine _start

routine start_timer
    mov     al, PIT_RATE
    out     PIT_MODE, al
    mov     al, DIVISOR & 0xff
    out     PIT_CHANNEL_0, al
    mov     al, DIVISOR >> 8
    out     PIT_CHANNEL_0, al
    ret
end_routine start_timer

// INT 0x80 comes from ring 3 alone: here a plain SWAPGS is right. The gate has cleared IF.
routine system_call_handler
    swapgs
    cmp     eax, EXIT
    je      exit
kernel_waits:
    mov     rax, gs:[TICKS]
    sti                                 // this may take long: interrupts are welcome
no_tick_yet:
    cmp     rax, gs:[TICKS]
    je      no_tick_yet
    cli
    swapgs
    iretq
exit:
    cld
    print   "a tick in ring 3, and a tick in ring 0\n"
done:
    finish
end_routine system_call_handler

// ---------------------------------------------------------------------------------------------------------------
.section .user.text, "ax", @progbits
routine user_start
    mov     ecx, ROUNDS
user_works:
    dec     ecx
    jnz     user_works

    mov     eax, WAIT
    int     SYSTEM_CALL
    mov     eax, EXIT
    int     SYSTEM_CALL
end_routine user_start

.section .user.stack, "aw", @nobits
stack user_stack

// ---------------------------------------------------------------------------------------------------------------
.data
    .balign 8
table per_processor                     // at GS.base in the kernel
    .quad   0                           // KERNEL_RSP: not used in this lesson
    .quad   0                           // USER_RSP
    .quad   0                           // TICKS
end_table per_processor

#include "course_setup.inc"
