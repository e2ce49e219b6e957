// boot_sector.S: 512 bytes, and everything else is done by the BIOS, through the interrupt vector table.
//
//   INT 0x10   a character to the screen
//   INT 0x16   a key, waited for
//   INT 0x1c   called by the BIOS itself with every tick of the timer, for whoever puts his own address there

.intel_syntax noprefix
#include "pc.inc"

#define TELETYPE        0x0e            // INT 0x10, AH: AL = character
#define READ_KEY        0x00            // INT 0x16, AH: AL = character, AH = scan code
#define VIDEO           0x10
#define KEYBOARD        0x16
#define TICK            0x1c

.code16
.text
routine _start
    xor     ax, ax                      // the BIOS promises nothing but DL, so the segments are set at once
    mov     ds, ax
    mov     es, ax
    mov     ss, ax
    mov     sp, 0x7c00                  // down from here there is room
    ljmp    0, offset begin             // some enter at 07c0:0000, which is the same address
begin:
    cld
    mov     si, offset hello_text
    call    print

hook:
    cli                                 // an interrupt between the two MOVs would find half an address
    mov     eax, [TICK * 4]
    mov     [old_tick], eax
    mov     word ptr [TICK * 4], offset tick_handler
    mov     [TICK * 4 + 2], cs
    sti

wait_for_ticks:
    hlt
    cmp     byte ptr [ticks], 3
    jb      wait_for_ticks

unhook:
    cli
    mov     eax, [old_tick]
    mov     [TICK * 4], eax
    sti
    mov     si, offset ticks_text
    call    print

ask_for_key:
    mov     ah, READ_KEY
    int     KEYBOARD
key_is_here:
    mov     ah, TELETYPE
    int     VIDEO
    mov     si, offset bye_text
    call    print
finished:
    cli
    hlt
end_routine _start

// INT 0x1c, from within the BIOS's handler of IRQ0: two frames lie on the stack.
routine tick_handler
    inc     byte ptr cs:[ticks]         // any DS: only CS is known to be ours
    ljmp    cs:[old_tick]               // on to whoever was there before, whose IRET is ours too
end_routine tick_handler

// DS:SI = text, up to a zero.
routine print
    mov     ah, TELETYPE
    mov     bx, GREY_ON_BLACK           // BH = page 0
next_character:
    lodsb
    test    al, al
    jz      printed
call_bios:
    int     VIDEO
    jmp     next_character
printed:
    ret
end_routine print

hello_text:
    .asciz  "hello by way of INT 0x10\r\n"
ticks_text:
    .asciz  "three ticks by way of INT 0x1c\r\npress a key: "
bye_text:
    .asciz  "\r\nbye\r\n"

    .balign 4
table old_tick
    .long   0
end_table old_tick

table ticks
    .byte   0
end_table ticks

    .org    510
    .word   0xaa55                      // without it the BIOS goes on to the next drive
