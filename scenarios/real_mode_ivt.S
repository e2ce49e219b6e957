// real_mode_ivt.S: interrupts before there were gates.
//
// In real mode the table is the IVT: 256 times four bytes at address 0, offset and segment of a handler, and nothing
// else. No type, no DPL, no present bit, and never an error code. A frame is three words of 16 bits: IP, CS, FLAGS.
//
//   vector 0       the processor's: divide error
//   vectors 8, 9   the timer and the keyboard, where IBM's firmware put them, in the midst of the processor's own
//   vector 0x21    software's: our own small version of DOS, functions 2, 9 and 0x4c

.intel_syntax noprefix
#include "pc.inc"
#include "ports.inc"

#define IRQ_BASE        8               // as the firmware programs the 8259
#define SERVICE         0x21
#define PRINT_CHARACTER 0x02            // AH: DL = character
#define PRINT_TEXT      0x09            // AH: DS:DX = text, up to a '$'
#define TERMINATE       0x4c            // AH
#define VGA_SEGMENT     0xb800          // times 16: VGA

// One entry of the IVT. DS is 0.
.macro vector number, handler
    mov     word ptr [(\number) * 4], offset \handler
    mov     word ptr [(\number) * 4 + 2], cs
.endm

.macro print text
    mov     ah, PRINT_TEXT
    mov     dx, offset \text
    int     SERVICE
.endm

.code16
// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    xor     ax, ax                      // segments of 0: an offset is an address, as far as 64 KiB
    mov     ds, ax
    mov     ss, ax
    mov     sp, 0x7000
    cld

    vector  DIVIDE_ERROR, divide_handler
    vector  IRQ_BASE + 0, timer_handler
    vector  IRQ_BASE + 1, keyboard_handler
    vector  SERVICE,      service_handler

    call    set_up_devices

kernel_ready:
    mov     ah, PRINT_TEXT
    mov     dx, offset hello_text
first_int:
    int     SERVICE

    mov     ax, 1000
    mov     bl, 0
divide:
    div     bl                          // no quotient fits: vector 0
after_divide:
    print   survived_text

    sti
wait_for_ticks:
    hlt                                 // sleeps until an interrupt; its handler returns to the next instruction
    cmp     byte ptr [ticks], 3
    jb      wait_for_ticks
    print   ticks_text

wait_for_key:
    cli                                 // else a key could come between the look and HLT, which would wait for another
    mov     dl, [key]
    test    dl, dl
    jnz     key_is_here
    sti                                 // takes effect after HLT has begun
    hlt
    jmp     wait_for_key
key_is_here:
    sti
    mov     ah, PRINT_CHARACTER
    int     SERVICE

    mov     ah, TERMINATE
    int     SERVICE
end_routine _start

// ---------------------------------------------------------------------------------------------------------------
// The 8259s stay as the firmware has left them but for the mask: only IRQ0 and IRQ1 get through.
routine set_up_devices
    mov     al, 0b11111100
    out     PIC_MASTER_DATA, al
    mov     al, 0b11111111
    out     PIC_SLAVE_DATA, al

    mov     al, PIT_RATE
    out     PIT_MODE, al
    mov     al, PIT_DIVISOR & 0xff
    out     PIT_CHANNEL_0, al
    mov     al, PIT_DIVISOR >> 8
    out     PIT_CHANNEL_0, al

    mov     al, WRITE_COMMAND_BYTE
    out     KEYBOARD_COMMAND, al
not_taken:
    in      al, KEYBOARD_STATUS
    test    al, STATUS_INPUT_FULL
    jnz     not_taken
    mov     al, COMMAND_BYTE
    out     KEYBOARD_DATA, al
    ret
end_routine set_up_devices

// ---------------------------------------------------------------------------------------------------------------
// From the top of the stack: IP, CS, FLAGS. Since the 286 IP is that of the DIV itself; the first 8086 saved the next
// one. To go on, step over the instruction.
#define SAVED_IP        bp + 2
#define DIV_LENGTH      2

routine divide_handler
    push    bp
    mov     bp, sp                      // real mode addresses the stack by BP, not by SP
    push    ax
    push    dx
    print   divide_text                 // an INT inside a handler: only one more frame
step_over:
    add     word ptr [SAVED_IP], DIV_LENGTH
    pop     dx
    pop     ax
    pop     bp
    iret
end_routine divide_handler

// IRQ0. An interrupt from outside may find any DS.
routine timer_handler
    push    ax
    push    ds
    xor     ax, ax
    mov     ds, ax
    inc     byte ptr [ticks]
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    pop     ds
    pop     ax
    iret
end_routine timer_handler

// IRQ1. Takes the code, and leaves the character for whoever waits.
routine keyboard_handler
    push    ax
    push    bx
    push    ds
    xor     ax, ax
    mov     ds, ax
    in      al, KEYBOARD_DATA
    cmp     al, KEYS
    jae     key_done                    // released, or a key that has no character
    mov     bx, offset characters
    xlatb                               // AL = [BX + AL]
    mov     [key], al
key_done:
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    pop     ds
    pop     bx
    pop     ax
    iret
end_routine keyboard_handler

// ---------------------------------------------------------------------------------------------------------------
// INT 0x21, AH = function. A system call before there were rings: a number in place of an address.
routine service_handler
    cmp     ah, PRINT_CHARACTER
    je      print_character
    cmp     ah, PRINT_TEXT
    je      print_text
    cmp     ah, TERMINATE
    je      terminate
    iret                                // unknown: nothing

print_character:
    push    ax
    mov     al, dl
    call    put
    pop     ax
    iret

print_text:
    push    ax
    push    si
    mov     si, dx
next_character:
    lodsb
    cmp     al, '$'
    je      end_of_text
    call    put
    jmp     next_character
end_of_text:
    pop     si
    pop     ax
    iret

terminate:
    print   bye_text
    cli
    hlt                                 // with IF=0: for ever
end_routine service_handler

// AL to the screen. A cell is two bytes: the character, then its colours.
routine put
    push    ax
    push    dx
    push    di
    push    es
    mov     di, [cursor]
    cmp     al, '\n'
    je      new_line
    mov     dx, VGA_SEGMENT
    mov     es, dx
    mov     ah, GREY_ON_BLACK
    stosw                               // ES:DI, and DI goes on by two
    jmp     put_done
new_line:                               // on to the next multiple of a row
    mov     ax, di
    mov     dl, COLUMNS * 2
    div     dl                          // AH = bytes into the row
    mov     al, ah
    xor     ah, ah
    sub     di, ax
    add     di, COLUMNS * 2
put_done:
    mov     [cursor], di
    pop     es
    pop     di
    pop     dx
    pop     ax
    ret
end_routine put

// ---------------------------------------------------------------------------------------------------------------
.section .rodata
hello_text:
    .ascii  "hello by way of INT 0x21\n$"
divide_text:
    .ascii  "vector 0: divide error\n$"
survived_text:
    .ascii  "stepped over it\n$"
ticks_text:
    .ascii  "vector 8: three ticks, and no double fault\nvector 9: press a key: $"
bye_text:
    .ascii  "\nterminated, halted\n$"

// Scan code set 1, a US keyboard, from Esc (1) to the space bar (0x39). A zero: no character.
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
end_table characters

.data
    .balign 2
table cursor                                    // the next cell, in bytes from the top left
    .word   0
end_table cursor

table ticks
    .byte   0
end_table ticks

table key                                       // the last character, 0 until there is one
    .byte   0
end_table key
