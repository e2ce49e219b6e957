// 14_swapgs_timer.S: ask where the interrupt comes from.
//
// You get    a frame of five words and no error code, from ring 3 or from ring 0:
//            [rsp] RIP   [rsp + 8] CS   [rsp + 16] RFLAGS   [rsp + 24] RSP   [rsp + 32] SS
//
// The handler counts in gs:[TICKS], where GS.base has to be the kernel's. It exchanges GS.base with SWAPGS, and back
// before IRETQ. Do so only if the interrupt comes from ring 3, both times: the two lowest bits of the saved CS are 3
// then, and else 0. Mind that a PUSH moves RSP: behind it the saved CS is eight bytes further up.

.intel_syntax noprefix
#include "course.inc"
#include "course_gs.inc"

.text
routine timer_handler
    swapgs                              // only if ...
    inc     qword ptr gs:[TICKS]
    push    rax
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    pop     rax
    swapgs                              // only if ...
    iretq
end_routine timer_handler
