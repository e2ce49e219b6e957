// segments_not_saved.S: the timer's handler loads FS for itself and does not give it back.
//
// Ring 3 reaches what belongs to its thread by way of FS. The handler loads FS with the kernel's data segment. IRET to
// ring 3 does not leave it there: a segment register that holds a more privileged segment is made null. Ring 3 goes on,
// and the next time that it uses FS it is #GP(0), far from any interrupt.

.intel_syntax noprefix
#define OWN_GDT
#include "bugs32.inc"

#define THREAD_SELECTOR 0x3b            // 0x38, RPL 3
#define THREAD_NUMBER   0               // offset in thread
#define THREAD_SIZE     4

.text
routine _start
    load_stack
    mov     eax, offset thread
    mov     edi, offset gdt_thread
    call    set_base
    set_up
    gate    IRQ_BASE + TIMER_IRQ, timer_handler, INTERRUPT_GATE
    gate    SYSTEM_CALL, system_call_handler, INTERRUPT_GATE|GATE_DPL_3
    call    set_up_timer
    let_through 0b11111110

kernel_ready:
    enter_ring_3 user_start, user_stack_top
end_routine _start

routine timer_handler
    enter_handler                       // DS and ES are saved in here
#ifdef FIXED
    push    fs
#endif
    mov     eax, KERNEL_DATA
    mov     fs, eax
    inc     dword ptr fs:[ticks]
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
#ifdef FIXED
    pop     fs
#endif
    leave_handler
    iretd
end_routine timer_handler

// Ring 3 ends its program with INT 0x80, EBX = a number to report.
routine system_call_handler
    enter_handler
    print   "the thread's number is 0x"
    mov     eax, ebx
    call    print_hex
    print   "\n"
    finish
end_routine system_call_handler

// The program in ring 3. Paging is off: it can see the kernel's clock.
routine user_start
    mov     eax, THREAD_SELECTOR
    mov     fs, eax
    mov     eax, [ticks]
no_tick_yet:
    cmp     eax, [ticks]
    je      no_tick_yet
user_thread_number:
    mov     ebx, fs:[THREAD_NUMBER]
    int     SYSTEM_CALL
end_routine user_start

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
gdt_thread:                                     // 0x38 the thread
    .word   THREAD_SIZE - 1                     // limit 15:0
    .word   0                                   // base 15:0    (set_base)
    .byte   0                                   // base 23:16   (set_base)
    .byte   PRESENT|RING_3|DATA
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

table thread
    .long   0x7                                 // THREAD_NUMBER
end_table thread

.bss
stack user_stack

#include "bugs32_setup.inc"
