// 11_lapic_eoi_timer.S: end the interrupt where it began.
//
// You get    a frame of five words and no error code, on vector 0x40, wherever the kernel happens to be. The 64-bit
//            variable `lapic` holds the address of the local APIC's registers: linear, and mapped.
//
// The handler counts, and then says "end of interrupt" to the 8259, as it did when the timer was the 8254. Say it to
// the local APIC instead: write 0, with a MOV of 32 bits, to its register LAPIC_EOI (offset 0xb0). Give back every
// register that you change.

.intel_syntax noprefix
#include "course.inc"
#include "course_apic.inc"

.text
routine timer_handler
    inc     qword ptr [rip + ticks]
    push    rax
    mov     rax, [rip + lapic]
    mov     dword ptr [rax + LAPIC_EOI], 0
    pop     rax
    iretq
end_routine timer_handler
