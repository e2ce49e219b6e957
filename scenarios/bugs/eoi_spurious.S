// eoi_spurious.S: a spurious interrupt's handler sends an EOI, and ends another interrupt.
//
//   key -> IRQ1 -> the 8259 raises INTR -> IF is 0; the code is read, and IRQ1 falls -> STI -> the processor asks
//
// INTR stays up, and there is nothing left to request: the 8259 answers with line 7's vector and sets no bit in
// service. An EOI ends what is in service with the highest priority: here the device on IRQ5, which is not done.

.intel_syntax noprefix
#include "bugs.inc"

#define DEVICE_IRQ      5
#define LAST_IRQ        7

.text
routine _start
    set_up
    gate    IRQ_BASE + KEYBOARD_IRQ, keyboard_handler, INTERRUPT_GATE
    gate    IRQ_BASE + DEVICE_IRQ,   device_handler,   INTERRUPT_GATE
    gate    IRQ_BASE + LAST_IRQ,     irq7_handler,     INTERRUPT_GATE
    call    set_up_keyboard
    let_through 0b01011101
    sti

kernel_ready:
    await   served, 1
    cli
    finish
end_routine _start

// The device's handler waits for a key, takes it from the 8042 itself, and lets interrupts of higher priority in.
routine device_handler
    save_registers
    cld
no_key:
    in      al, KEYBOARD_STATUS
    test    al, STATUS_OUTPUT_FULL
    jz      no_key
    in      al, KEYBOARD_DATA           // IRQ1 falls
    sti
    nop                                 // behind this instruction STI takes effect
    cli

    mov     al, OCW3_READ_ISR
    out     PIC_MASTER_COMMAND, al
    in      al, PIC_MASTER_COMMAND
    mov     [in_service], al
    print   "in service: 0x"
    print_number in_service

    inc     dword ptr [served]
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    restore_registers
    iretq
end_routine device_handler

routine irq7_handler
    push    rax
#ifdef FIXED
    mov     al, OCW3_READ_ISR
    out     PIC_MASTER_COMMAND, al
    in      al, PIC_MASTER_COMMAND
    test    al, 1 << LAST_IRQ
    jz      not_in_service
#endif
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
not_in_service:
    pop     rax
    iretq
end_routine irq7_handler

routine keyboard_handler
    push    rax
    in      al, KEYBOARD_DATA
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    pop     rax
    iretq
end_routine keyboard_handler

.bss
    .balign 4
table served
    .skip   4
end_table served

table in_service
    .skip   4
end_table in_service

#include "bugs_setup.inc"
