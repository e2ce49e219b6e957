// 03_gate_writer.S: write one gate of the IDT.

.intel_syntax noprefix
#include "course.inc"

.text
routine set_gate
    mov     [rdi], si                   // offset 15:0
    mov     word ptr [rdi + 2], KERNEL_CODE
    mov     byte ptr [rdi + 4], 0       // no IST
    mov     [rdi + 5], dl               // P, DPL, type
    shr     rsi, 16
    mov     [rdi + 6], si               // offset 31:16
    shr     rsi, 16
    mov     [rdi + 8], esi              // offset 63:32
    mov     dword ptr [rdi + 12], 0     // reserved
    ret
end_routine set_gate
