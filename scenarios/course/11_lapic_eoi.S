// 11_lapic_eoi.S: the timer inside the processor, and the end of its interrupt.
//
//   bus clock / 16 -> current count -> 0: LVT timer entry -> IRR -> vector 0x40 -> ISR -> timer_handler: EOI
//
// No line, no port, no 8259: the interrupt begins in the local APIC, and ends with a write to it. The handler was
// written for the 8259's timer and is yours to mend: 11_lapic_eoi_timer.S.

.intel_syntax noprefix
#include "course.inc"
#include "course_apic.inc"

#define TIMER_VECTOR    0x40            // class 4: above it in priority are the vectors from 0x50 on
#define COUNT           6250            // 100 MHz / 16 / 6250 = 1000 Hz: one tick in 10,000 instructions
#define TICKS           3               // what the kernel waits for,
#define PATIENCE        20000           // and for how many rounds: eight ticks of the timer

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    set_up
    gate    TIMER_VECTOR, timer_handler,    INTERRUPT_GATE
    gate    SPURIOUS,     spurious_handler, INTERRUPT_GATE
    call    map_lapic
    call    enable_lapic
    call    start_timer
    sti                                 // takes effect after the next instruction

kernel_ready:
    mov     ecx, PATIENCE
wait:
    cmp     qword ptr [rip + ticks], TICKS
    jae     enough
    dec     ecx
    jnz     wait
    cli
    print   "patience is over\n"
    jmp     report
enough:
    cli
report:
    print   "ticks of the local APIC's timer: 0x"
    print_number [rip + ticks]
    print   "\n"
    finish
end_routine _start

// The initial count comes last: the write of it starts the timer, with whatever stands in the other two.
routine start_timer
    mov     rax, [rip + lapic]
    mov     dword ptr [rax + LAPIC_DIVIDE], DIVIDE_BY_16
    mov     dword ptr [rax + LAPIC_LVT_TIMER], LVT_PERIODIC | TIMER_VECTOR
    mov     dword ptr [rax + LAPIC_INITIAL_COUNT], COUNT
    ret
end_routine start_timer

// ---------------------------------------------------------------------------------------------------------------
.bss
variable ticks

#include "course_setup.inc"
#include "course_apic_setup.inc"
