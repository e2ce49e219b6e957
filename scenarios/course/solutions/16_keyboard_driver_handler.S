// 16_keyboard_driver_handler.S: the driver.
//
// You get    a frame of five words and no error code, on vector 0x21. RSP was a multiple of 16 in front of it.
//
// Write, in this order:
//
//    1  save_registers, and CLD: put_character may change all nine. With the frame that is fourteen words:
//       RSP is a multiple of 16 again
//    2  read the scan code with IN from the port KEYBOARD_DATA (0x60) into AL. Read it every time
//    3  if bit 7 is set, KEY_RELEASED, a key was let go: on to 6
//    4  the character is byte number AL of the table `characters`; if it is 0, on to 6
//    5  with the character in AL, call put_character
//    6  OUT the byte OCW2_EOI to the port PIC_MASTER_COMMAND, restore_registers, and IRETQ

.intel_syntax noprefix
#include "course.inc"

.text
routine keyboard_handler
    save_registers
    cld
    in      al, KEYBOARD_DATA
    test    al, KEY_RELEASED
    jnz     end_of_interrupt
    movzx   eax, al
    lea     rdx, [rip + characters]
    mov     al, [rdx + rax]
    test    al, al
    jz      end_of_interrupt
    call    put_character
end_of_interrupt:
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    restore_registers
    iretq
end_routine keyboard_handler
