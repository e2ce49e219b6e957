// stale_stack_selector.S: a new GDT, and SS is still the loader's.
//
// In the loader's GDT 0x10 was a data segment. In the kernel's it is ring 3's code. SS keeps its hidden copy, and
// 64-bit mode hardly looks at it: the kernel runs. The first tick pushes SS = 0x10 without a look, the handler does its
// work, and IRETQ loads SS from the frame. Now the descriptor is read: #GP(0x10), in a handler that is without fault.

.intel_syntax noprefix
#define OWN_GDT
#include "bugs.inc"

#define DATA_SELECTOR   0x20

.text
routine _start
    load_stack
    call    set_tss_base
    lgdt    [rip + gdt_pointer]
    lea     rax, [rip + gdt_loaded]
    push    KERNEL_CODE
    push    rax
    retfq
gdt_loaded:
    load_data_segments DATA_SELECTOR
#ifdef FIXED
    mov     ss, eax
#endif
    load_tss
    load_idt
    call    load_page_tables
    call    set_up_pics
    gate    IRQ_BASE + TIMER_IRQ, timer_handler, INTERRUPT_GATE
    call    set_up_timer
    let_through 0b11111110
    sti

kernel_ready:
    await   ticks, 2
    cli
    print   "two ticks, and back each time\n"
    finish
end_routine _start

routine timer_handler
    push    rax
    inc     dword ptr [rip + ticks]
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    pop     rax
timer_return:
    iretq
end_routine timer_handler

.data
    .balign 8
table gdt
    .quad   0                                   // 0x00 null
    segment PRESENT|CODE, LONG                  // 0x08 kernel code
    segment PRESENT|RING_3|CODE, LONG           // 0x10 user code: the loader's data segment was here
    segment PRESENT|RING_3|DATA, FLAT           // 0x18 user data
    segment PRESENT|DATA, FLAT                  // 0x20 kernel data
gdt_tss:
    tss_segment                                 // 0x28 TSS
end_table gdt

gdt_pointer:
    .word   gdt_pointer - gdt - 1               // a limit is the last byte's offset, not a size
    .quad   gdt

    .balign 4
table ticks
    .long   0
end_table ticks

#include "bugs_setup.inc"
