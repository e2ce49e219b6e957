// 13_red_zone_sum.S: keep the variables where no interrupt reaches them.
//
// You get    RDI    the address of the first byte
//            RSI    how many bytes there are
//            [rsp]  the return address
//
// The function gives the sum of the bytes in RAX. It has two variables, and both lie below RSP. Make room for them
// first, which is what -mno-red-zone tells a compiler to do: subtract 16 from RSP, reach them at [rsp] and [rsp + 8],
// and add the 16 again in front of RET.

.intel_syntax noprefix
#include "course.inc"

#define TOTAL           qword ptr [rsp]         // the sum so far
#define END             qword ptr [rsp + 8]     // the address behind the last byte

.text
routine sum
    sub     rsp, 16
    add     rsi, rdi
    mov     END, rsi
    mov     TOTAL, 0
next_byte:
    movzx   eax, byte ptr [rdi]
    add     TOTAL, rax
    inc     rdi
    cmp     rdi, END
    jne     next_byte
    mov     rax, TOTAL
    add     rsp, 16
    ret
end_routine sum
