// rom.S: the first instructions of a PC. A ROM of 4 KiB, entered at the reset vector, and no BIOS but this.
//
// The processor begins at 0xFFFFFFF0, sixteen bytes below 4 GiB, in real mode: CS holds 0xF000, but its base is
// 0xFFFF0000. The first far jump loads CS anew, and the base becomes 0xF0000; the board shows the ROM there too.

.intel_syntax noprefix
#include "pc.inc"
#include "ports.inc"

#define ROM_SEGMENT     0xf000
#define FIRST           0xf000          // the offset in the segment at which the ROM begins
#define OFFSET(name)    (name - rom_start + FIRST)
#define POST_CODE       0x80            // a port for numbers that say how far one has come
#define STACK           0x7000
#define DIV_LENGTH      2

.macro post code
    mov     al, \code
    out     POST_CODE, al
.endm

.macro print text
    mov     si, OFFSET(\text)
    call    print
.endm

.code16
.text
rom_start:
routine set_up
    cli
    cld
    post    1
    xor     ax, ax                      // RAM is there, and nothing in it
    mov     ss, ax
    mov     sp, STACK
    mov     es, ax
    mov     ax, cs
    mov     ds, ax                      // the texts are in the ROM

    mov     word ptr es:[DIVIDE_ERROR * 4], OFFSET(divide_handler)
    mov     es:[DIVIDE_ERROR * 4 + 2], cs
    post    2
    print   hello_text

    mov     ax, 1
    mov     bl, 0
divide:
    div     bl
after_divide:
    post    3
    print   survived_text
finished:
    hlt
    jmp     finished
end_routine set_up

routine divide_handler
    push    bp
    mov     bp, sp
    push    ax
    push    si
    print   divide_text
    add     word ptr [bp + 2], DIV_LENGTH
    pop     si
    pop     ax
    pop     bp
    iret
end_routine divide_handler

// DS:SI = text, up to a zero, to the serial port.
routine print
    push    dx
    mov     dx, COM1_DATA
next_character:
    lodsb
    test    al, al
    jz      printed
    out     dx, al
    jmp     next_character
printed:
    pop     dx
    ret
end_routine print

hello_text:
    .asciz  "from the reset vector\n"
divide_text:
    .asciz  "vector 0, a handler in ROM\n"
survived_text:
    .asciz  "stepped over it\n"

// The last sixteen bytes.
    .org    0xff0
routine reset
    ljmp    ROM_SEGMENT, OFFSET(set_up)
end_routine reset
    .org    0x1000
