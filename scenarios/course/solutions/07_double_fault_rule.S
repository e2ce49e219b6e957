// 07_double_fault_rule.S: which two exceptions become a double fault (SDM 3A 6.15, Interrupt 8).

.intel_syntax noprefix
#include "course.inc"

#define CONTRIBUTORY 0b11110000000001   // bits 0, 10, 11, 12 and 13

.text
routine becomes_double_fault
    mov     ecx, CONTRIBUTORY
    xor     eax, eax

    cmp     edi, PAGE_FAULT
    je      after_page_fault
    bt      ecx, edi
    jnc     answered                    // behind a benign one everything is delivered
    jmp     is_second_contributory

after_page_fault:
    cmp     esi, PAGE_FAULT
    je      double_fault
is_second_contributory:
    bt      ecx, esi
    jnc     answered
double_fault:
    mov     eax, 1
answered:
    ret
end_routine becomes_double_fault
