// protected_keyboard.S: the keyboard as the 32-bit tutorials taught it.
//
//   key -> 8042 -> IRQ1 -> 8259 -> vector 0x21 -> keyboard_handler: PUSHA, segments, EOI, ports 0x64 and 0x60 -> screen
//
// In 32-bit protected mode a gate has eight bytes, a frame without a change of ring has three words (EIP, CS, EFLAGS),
// and segment registers still count: a handler may find another DS than its own.

.intel_syntax noprefix
#include "kernel32.inc"
#include "ports.inc"

#define IRQ_BASE        0x20            // the first vector that the SDM leaves to us: 0 to 31 are the processor's

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    mov     esp, offset kernel_stack_top

    // Our own GDT. The segment registers keep their hidden copies of the old descriptors until they are loaded anew;
    // only a far transfer loads CS.
    lgdt    [gdt_pointer]
    jmp     KERNEL_CODE:gdt_loaded
gdt_loaded:
    mov     eax, KERNEL_DATA
    mov     ds, eax
    mov     es, eax
    mov     fs, eax
    mov     gs, eax
    mov     ss, eax

    gate    IRQ_BASE + 1, keyboard_handler,           INTERRUPT_GATE
    gate    DOUBLE_FAULT, double_fault_handler,       INTERRUPT_GATE
    gate    GENERAL_PROTECTION, general_protection_handler, INTERRUPT_GATE
    lidt    [idt_pointer]

    call    set_up_pics
    call    set_up_keyboard
    print   "Type: "
    sti                                 // takes effect after the next instruction

kernel_ready:
    hlt                                 // sleeps until an interrupt; its handler returns to the next instruction
    jmp     kernel_ready
end_routine _start

// ---------------------------------------------------------------------------------------------------------------
routine set_up_pics
    mov     al, ICW1_INIT
    out     PIC_MASTER_COMMAND, al
    out     PIC_SLAVE_COMMAND, al
    mov     al, IRQ_BASE                // ICW2: the vector of the chip's line 0
    out     PIC_MASTER_DATA, al
    mov     al, IRQ_BASE + 8
    out     PIC_SLAVE_DATA, al
    mov     al, ICW3_MASTER
    out     PIC_MASTER_DATA, al
    mov     al, ICW3_SLAVE
    out     PIC_SLAVE_DATA, al
    mov     al, ICW4_8086
    out     PIC_MASTER_DATA, al
    out     PIC_SLAVE_DATA, al

    mov     al, 0b11111101              // OCW1, the mask: only IRQ1 gets through
    out     PIC_MASTER_DATA, al
    mov     al, 0b11111111
    out     PIC_SLAVE_DATA, al
    ret
end_routine set_up_pics

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

// ---------------------------------------------------------------------------------------------------------------
// IRQ1. What lies on the stack, from the top: EIP, CS, EFLAGS. PUSHA saves eight registers in one instruction; 64-bit
// mode has no such thing.
routine keyboard_handler
    pusha
    mov     eax, ds                     // the interrupted program's, which may be ring 3's
    push    eax
    mov     eax, KERNEL_DATA
    mov     ds, eax
    mov     es, eax
    cld

early_eoi:                              // the 8259 may send the next IRQ1 from here on; IF=0 keeps it waiting
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al

    in      al, KEYBOARD_STATUS
    test    al, STATUS_OUTPUT_FULL
    jz      key_done                    // nothing there: an interrupt for nothing
    in      al, KEYBOARD_DATA           // the 8042 sends the next code only when this one has been fetched
    movzx   eax, al
    cmp     eax, KEYS
    jae     key_done                    // released, or a key that has no character
    mov     al, [characters + eax]
    test    al, al
    jz      key_done

echo:
    mov     [echo_text], al
    mov     esi, offset echo_text
    call    print_string

key_done:
    pop     eax
    mov     ds, eax
    mov     es, eax
    popa
    iret                                // IRETD: three words of four bytes
end_routine keyboard_handler

// Both push an error code, and neither goes back: it stays where it is.
routine general_protection_handler
    print   "general protection fault, halted\n"
    cli
    hlt
end_routine general_protection_handler

routine double_fault_handler
    print   "double fault, halted\n"
    cli
    hlt
end_routine double_fault_handler

// ---------------------------------------------------------------------------------------------------------------
// Scan code set 1, a US keyboard, from Esc (1) to the space bar (0x39). A zero: no character.
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
end_table characters

// ---------------------------------------------------------------------------------------------------------------
.data
    .balign 8
table gdt
    .quad   0                                   // 0x00 null
    segment PRESENT|CODE, FLAT                  // 0x08 kernel code
    segment PRESENT|DATA, FLAT                  // 0x10 kernel data
end_table gdt

gdt_pointer:
    .word   gdt_pointer - gdt - 1               // a limit is the last byte's offset, not a size
    .long   gdt

idt_pointer:
    .word   256 * 8 - 1
    .long   idt

table echo_text                                 // one character and the zero behind it
    .byte   0, 0
end_table echo_text

.bss
    .balign PAGE_SIZE
table idt                                       // 256 gates, not present until set_gate
    .skip   256 * 8
end_table idt

stack kernel_stack

#include "tables32.inc"
#include "print32.inc"
