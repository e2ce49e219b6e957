// 16_keyboard_driver.S: from a key to a character on the screen.
//
//   key -> 8042 -> IRQ1 -> 8259 -> vector 0x21 -> keyboard_handler: port 0x60, character, EOI -> put_character
//
// Everything around the handler is here: the controllers, a table of characters, and a routine that prints one. The
// handler is yours to write: 16_keyboard_driver_handler.S. The kernel waits until a line has been typed.

.intel_syntax noprefix
#include "course.inc"

#define KEYBOARD_IRQ    1
#define STATUS_INPUT_FULL 0x02          // the controller has not taken our last byte yet
#define WRITE_COMMAND_BYTE 0x60
#define COMMAND_BYTE    0x45            // translate to scan code set 1, system flag, interrupt for the first port

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    set_up
    gate    IRQ_BASE + KEYBOARD_IRQ, keyboard_handler, INTERRUPT_GATE
    call    set_up_keyboard
    let_through 0b11111101
    print   "Type: "

kernel_ready:
    cli
    cmp     byte ptr [rip + line_ended], 0
    jne     done
    sti                                 // takes effect after the next instruction: no key slips in between
    hlt
    jmp     kernel_ready
done:
    print   "A line was typed.\n"
    finish
end_routine _start

// Firmware would have done this: interrupts on, and codes as the first PC's keyboard sent them.
routine set_up_keyboard
    mov     al, WRITE_COMMAND_BYTE
    out     KEYBOARD_COMMAND, al
not_taken:
    in      al, KEYBOARD_STATUS
    test    al, STATUS_INPUT_FULL
    jnz     not_taken
    mov     al, COMMAND_BYTE
    out     KEYBOARD_DATA, al
    ret
end_routine set_up_keyboard

// Print the character AL. It changes registers as any function does, and wants RSP to be a multiple of 16 at the call
// and RFLAGS.DF = 0.
routine put_character
    mov     [rip + one_character], al
    cmp     al, '\n'
    jne     print_it
    mov     byte ptr [rip + line_ended], 1
print_it:
    lea     rsi, [rip + one_character]
    call    print_string
    ret
end_routine put_character

// ---------------------------------------------------------------------------------------------------------------
// Scan code set 1, a US keyboard: one byte for each code from 0 to 0x7f. A zero: no character.
.section .rodata
table characters
    .byte   0, 0                                // 0x01 Esc
    .ascii  "1234567890-="
    .byte   0, 0                                // 0x0e Backspace, 0x0f Tab
    .ascii  "qwertyuiop[]\n"                    // 0x1c Enter
    .byte   0                                   // 0x1d Ctrl
    .ascii  "asdfghjkl;'`"
    .byte   0                                   // 0x2a left Shift
    .ascii  "\\zxcvbnm,./"
    .byte   0, '*', 0, ' '                      // 0x36 right Shift, 0x37 keypad *, 0x38 Alt, 0x39 Space
    .fill   0x80 - 0x3a, 1, 0                   // and no more
end_table characters

.data
table one_character                             // and the zero behind it
    .byte   0, 0
end_table one_character

table line_ended
    .byte   0
end_table line_ended

#include "course_setup.inc"
