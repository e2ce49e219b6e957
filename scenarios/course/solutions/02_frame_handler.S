// 02_frame_handler.S: the handler of #UD. Copy the five words of its frame to where the kernel wants them.

.intel_syntax noprefix
#include "course.inc"

.text
routine read_the_frame
    push    rax                         // the frame begins eight bytes higher now

    mov     rax, [rsp + 8]
    mov     [rip + saved_rip], rax
    mov     rax, [rsp + 16]
    mov     [rip + saved_cs], rax
    mov     rax, [rsp + 24]
    mov     [rip + saved_rflags], rax
    mov     rax, [rsp + 32]
    mov     [rip + saved_rsp], rax
    mov     rax, [rsp + 40]
    mov     [rip + saved_ss], rax

    add     qword ptr [rsp + 8], 2      // go on behind UD2
    pop     rax
    iretq
end_routine read_the_frame
