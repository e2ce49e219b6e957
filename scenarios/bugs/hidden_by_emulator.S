// hidden_by_emulator.S: the timer's handler writes past the end of a segment, and only real processors mind.
//
// Each tick leaves a character in a log of four bytes, which has a segment of its own: its limit is 3. The place of the
// next character is never set back to 0, so the fifth tick writes at 4: #GP(0) in the handler. QEMU's TCG checks no
// data segment's limit. There the byte lands in whatever lies behind the log, and the kernel seems to work.

.intel_syntax noprefix
#define OWN_GDT
#include "bugs32.inc"

#define LOG_SELECTOR    0x38
#define LOG_SIZE        4

.text
routine _start
    load_stack
    mov     eax, offset log
    mov     edi, offset gdt_log
    call    set_base
    set_up
    gate    IRQ_BASE + TIMER_IRQ, timer_handler, INTERRUPT_GATE
    call    set_up_timer
    let_through 0b11111110
    sti

kernel_ready:
    await   ticks, LOG_SIZE + 2
    cli
    print   "six ticks are in the log of four\n"
    finish
end_routine _start

routine timer_handler
    enter_handler
    mov     eax, LOG_SELECTOR
    mov     es, eax
    mov     edi, [ticks]
#ifdef FIXED
    and     edi, LOG_SIZE - 1           // round and round
#endif
    mov     byte ptr es:[edi], '.'
    inc     dword ptr [ticks]
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    leave_handler
    iretd
end_routine timer_handler

.data
    .balign 8
table gdt
    .quad   0                                   // 0x00 null
    segment PRESENT|CODE, FLAT                  // 0x08 kernel code
    segment PRESENT|DATA, FLAT                  // 0x10 kernel data
    segment PRESENT|RING_3|DATA, FLAT           // 0x18 user data
    segment PRESENT|RING_3|CODE, FLAT           // 0x20 user code
gdt_tss:
    tss_segment                                 // 0x28 TSS
gdt_double_fault_tss:
    tss_segment                                 // 0x30 the double fault's TSS
gdt_log:                                        // 0x38 the log
    .word   LOG_SIZE - 1                        // limit 15:0
    .word   0                                   // base 15:0    (set_base)
    .byte   0                                   // base 23:16   (set_base)
    .byte   PRESENT|DATA
    .byte   0x40                                // G=0 B=1: the limit counts bytes
    .byte   0                                   // base 31:24   (set_base)
end_table gdt

gdt_pointer:
    .word   gdt_pointer - gdt - 1               // a limit is the last byte's offset, not a size
    .long   gdt

    .balign 4
table ticks
    .long   0
end_table ticks

table log
    .skip   LOG_SIZE
end_table log

#include "bugs32_setup.inc"
