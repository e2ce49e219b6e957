// scancode_not_read.S: the keyboard's handler does not fetch the scan code.
//
// The 8042 holds one code in its output buffer, and holds back the next until port 0x60 has been read. The EOI alone
// does not help: the 8259 is ready for another IRQ1, and the 8042 never raises it. Two keys, each down and up, should
// be four interrupts.

.intel_syntax noprefix
#include "bugs.inc"

.text
routine _start
    set_up
    gate    IRQ_BASE + KEYBOARD_IRQ, keyboard_handler, INTERRUPT_GATE
    call    set_up_keyboard
    let_through 0b11111101
    sti

kernel_ready:
    await   codes, 4
    cli
    print   "interrupts from the keyboard: 0x"
    print_number codes
    finish
end_routine _start

routine keyboard_handler
    push    rax
    inc     dword ptr [codes]
#ifdef FIXED
    in      al, KEYBOARD_DATA
#endif
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    pop     rax
    iretq
end_routine keyboard_handler

.bss
    .balign 4
table codes
    .skip   4
end_table codes

#include "bugs_setup.inc"
