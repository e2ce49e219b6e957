// lapic_timer.S: the timer that every processor has of its own.
//
//   bus clock / 16 -> current count -> 0: LVT timer entry -> IRR -> vector 0x40 -> timer_handler: EOI
//
// No line, no port, no 8259: the interrupt begins in the processor's local APIC and ends with a write to it. After
// five ticks the kernel masks the timer and halts.

.intel_syntax noprefix
#include "kernel.inc"
#include "ports.inc"
#include "apic.inc"

#define TIMER_VECTOR    0x40            // class 4: above it in priority are the vectors from 0x50 on
#define DIVIDE_BY_16    3
#define COUNT           62500           // 100 MHz / 16 / 62500 = 100 Hz
#define TICKS           5

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    lea     rsp, [rip + kernel_stack_top]

    call    set_tss_base
    lgdt    [rip + gdt_pointer]
    lea     rax, [rip + gdt_loaded]
    push    KERNEL_CODE
    push    rax
    retfq
gdt_loaded:
    mov     eax, KERNEL_DATA
    mov     ss, eax
    mov     ds, eax
    mov     es, eax
    mov     eax, TSS_SELECTOR
    ltr     ax

    gate    TIMER_VECTOR, timer_handler,        INTERRUPT_GATE
    gate    SPURIOUS,     spurious_handler,     INTERRUPT_GATE
    gate    DOUBLE_FAULT, double_fault_handler, INTERRUPT_GATE|GATE_IST_1
    lidt    [rip + idt_pointer]

    call    mask_pics
    call    map_apics
    call    enable_lapic
    call    start_timer
    sti                                 // takes effect after the next instruction

kernel_ready:
    hlt
    print   "tick "
    mov     rax, [ticks]
    call    print_hex
    print   "\n"
    cmp     qword ptr [ticks], TICKS
    jb      kernel_ready

stop_timer:
    mov     rax, [lapic]
    mov     dword ptr [rax + LAPIC_LVT_TIMER], LVT_MASKED | LVT_PERIODIC | TIMER_VECTOR
    print   "the timer is masked\n"
    cli
    hlt
end_routine _start

// The initial count comes last: the write of it starts the timer, with whatever stands in the other two.
routine start_timer
    mov     rax, [lapic]
    mov     dword ptr [rax + LAPIC_DIVIDE], DIVIDE_BY_16
    mov     dword ptr [rax + LAPIC_LVT_TIMER], LVT_PERIODIC | TIMER_VECTOR
    mov     dword ptr [rax + LAPIC_INITIAL_COUNT], COUNT
    ret
end_routine start_timer

// ---------------------------------------------------------------------------------------------------------------
routine timer_handler
    push    rax
    inc     qword ptr [ticks]
    mov     rax, [lapic]
timer_done:
    mov     dword ptr [rax + LAPIC_EOI], 0
    pop     rax
    iretq
end_routine timer_handler

routine double_fault_handler
    cld
    print   "double fault, halted\n"
    cli
    hlt
end_routine double_fault_handler

// ---------------------------------------------------------------------------------------------------------------
.data
    .balign 8
table gdt
    .quad   0                                   // 0x00 null
    segment PRESENT|CODE, LONG                  // 0x08 kernel code
    segment PRESENT|DATA, FLAT                  // 0x10 kernel data
    segment PRESENT|RING_3|DATA, FLAT           // 0x18 user data
    segment PRESENT|RING_3|CODE, LONG           // 0x20 user code
gdt_tss:
    tss_segment                                 // 0x28 TSS
end_table gdt

gdt_pointer:
    .word   gdt_pointer - gdt - 1               // a limit is the last byte's offset, not a size
    .quad   gdt

idt_pointer:
    .word   256 * 16 - 1
    .quad   idt

    .balign 128                                 // a TSS should not straddle a page
table tss
    task_state kernel_stack_top, double_fault_stack_top
end_table tss

.bss
    .balign 8
table ticks
    .skip   8
end_table ticks

    .balign PAGE_SIZE
table idt                                       // 256 gates, not present until set_gate
    .skip   256 * 16
end_table idt

stack kernel_stack
stack double_fault_stack                        // TSS.IST1

#include "tables.inc"
#include "print.inc"
#include "apic_setup.inc"
