// 09_ring_and_tss_rsp0.S: say where the next program's kernel stack is.
//
// You get    RDI    the top of the kernel stack of the program that runs next
//            tss    the TSS, a table in memory (SDM 3A 7.7). It begins with
//
//                       0x00   4 bytes   reserved
//                       0x04   8 bytes   RSP0
//                       0x0c   8 bytes   RSP1
//                       0x14   8 bytes   RSP2
//
// The routine is called in ring 0, before a program of ring 3 runs. Write RDI into RSP0, and return with RET. RAX, RCX,
// RDX, RSI and RDI may be changed.

.intel_syntax noprefix
#include "course.inc"

.text
routine set_rsp0
    mov     [rip + tss + 4], rdi        // not a multiple of eight: the first field has four bytes
    ret
end_routine set_rsp0
