// 04_breakpoint_handler.S: count the breakpoints of a program in ring 3.

.intel_syntax noprefix
#include "course.inc"

.text
routine breakpoint_handler
    inc     qword ptr [rip + breakpoints]
    push    rax
    mov     rax, [rsp + 8]              // the saved RIP, behind the word that we pushed
    mov     [rip + last_rip], rax
    pop     rax
    iretq
end_routine breakpoint_handler
