// 10_pic_eoi.S: the timer's interrupt, and another one that has to wait for it.
//
//   8254 -> IRQ0 -> 8259: request, in service -> vector 0x20 -> timer_handler: EOI -> the next request
//
// The 8259 keeps an interrupt in service until a handler says that it is over, and holds back that line and all of
// lower priority. The timer's handler is yours to write: 10_pic_eoi_timer.S. While it runs, IRQ5 is raised.

.intel_syntax noprefix
#include "course.inc"

#define TIMER_IRQ       0
#define OTHER_IRQ       5
#define TICKS           3               // what the kernel waits for,
#define PATIENCE        20000           // and for how many rounds: eight ticks of the timer
#define DIVISOR         1193            // 1,193,182 Hz / 1193 = 1000 Hz: one tick in 10,000 instructions

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    set_up                              // set_up_pics among it: vectors 0x20 to 0x2f, and every line masked
    gate    IRQ_BASE + TIMER_IRQ, timer_handler, INTERRUPT_GATE
    gate    IRQ_BASE + OTHER_IRQ, other_handler, INTERRUPT_GATE
    call    start_timer
open_lines:
    let_through 0b11011110              // OCW1, the mask: IRQ0 and IRQ5 get through
    sti                                 // takes effect after the next instruction

kernel_ready:
    mov     ecx, PATIENCE
wait:
    cmp     qword ptr [rip + ticks], TICKS
    jae     enough
    dec     ecx
    jnz     wait
    cli
    print   "patience is over\n"
    jmp     report
enough:
    cli
report:
    print   "ticks of the timer: 0x"
    print_number [rip + ticks]
    print   "\ninterrupts on IRQ5: 0x"
    print_number [rip + others]
    print   "\n"
    finish
end_routine _start

routine start_timer                     // a thousand ticks a second
    mov     al, PIT_RATE
    out     PIT_MODE, al
    mov     al, DIVISOR & 0xff
    out     PIT_CHANNEL_0, al
    mov     al, DIVISOR >> 8
    out     PIT_CHANNEL_0, al
    ret
end_routine start_timer

// IRQ5, a device without a chip: what comes is only counted. Its priority is lower than the timer's.
routine other_handler
    inc     qword ptr [rip + others]
    push    rax
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    pop     rax
    iretq
end_routine other_handler

// ---------------------------------------------------------------------------------------------------------------
.bss
variable ticks
variable others

#include "course_setup.inc"
