// sse_clobbered.S: the timer's handler uses XMM0, and the interrupted code does so, too.
//
// The handler clears a line of 64 bytes, sixteen at a time, and saves RAX as it should. Of the SSE registers neither a
// delivery nor IRETQ knows anything: whoever uses one in a handler has to save it. The kernel loses what XMM0 held.
// Compilers do this for a struct assignment, unless told -mgeneral-regs-only.

.intel_syntax noprefix
#include "bugs.inc"

#define VALUE           0x1234
#define LINE            64

.text
routine _start
    set_up
    gate    IRQ_BASE + TIMER_IRQ, timer_handler, INTERRUPT_GATE
    call    set_up_timer
    let_through 0b11111110

    mov     eax, VALUE
    movd    xmm0, eax
    sti

kernel_ready:
    await   ticks, 1
    cli
    movd    [rip + value], xmm0
    print   "xmm0 was 0x1234, and it is 0x"
    print_number value
    print   "\n"
    finish
end_routine _start

// Five words, one register, and sixteen bytes for the other.
routine timer_handler
    push    rax
#ifdef FIXED
    sub     rsp, 16
    movups  [rsp], xmm0
#endif
    inc     dword ptr [rip + ticks]
    pxor    xmm0, xmm0
    movaps  [rip + line], xmm0
    movaps  [rip + line + 16], xmm0
    movaps  [rip + line + 32], xmm0
    movaps  [rip + line + 48], xmm0
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
#ifdef FIXED
    movups  xmm0, [rsp]
    add     rsp, 16
#endif
    pop     rax
    iretq
end_routine timer_handler

.data
    .balign 16
table line
    .skip   LINE
end_table line
table ticks
    .long   0
end_table ticks
table value
    .long   0
end_table value

#include "bugs_setup.inc"
