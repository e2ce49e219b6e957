// 10_pic_eoi_timer.S: tell the 8259 that the interrupt is over.
//
// You get    a frame of five words and no error code, on vector 0x20, wherever the kernel happens to be; IF is 0.
//
// The handler counts. Between that and IRETQ, end the interrupt: OUT the byte OCW2_EOI (0x20) to the port
// PIC_MASTER_COMMAND (0x20 as well). OUT takes its byte from AL, and the kernel may be in the midst of using RAX: give
// back what you change.

.intel_syntax noprefix
#include "course.inc"

.text
routine timer_handler
    inc     qword ptr [rip + ticks]
    push    rax
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    pop     rax
    iretq
end_routine timer_handler
