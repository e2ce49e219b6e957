// ioapic_keyboard.S: the way of a key without an 8259.
//
//   key -> 8042 -> IRQ1 -> pin 1 of the I/O APIC: redirection entry -> message -> local APIC: IRR, ISR
//       -> vector 0x31 -> keyboard_handler: port 0x60, EOI -> screen
//
// The I/O APIC knows lines and entries, the local APIC knows vectors and priorities: a message is all that goes between
// them.

.intel_syntax noprefix
#include "kernel.inc"
#include "ports.inc"
#include "apic.inc"

#define KEYBOARD_PIN    1
#define KEYBOARD_VECTOR 0x31            // any from 16 on: the entry names it, no base plus line

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    lea     rsp, [rip + kernel_stack_top]

    call    set_tss_base
    lgdt    [rip + gdt_pointer]
    lea     rax, [rip + gdt_loaded]
    push    KERNEL_CODE
    push    rax
    retfq
gdt_loaded:
    mov     eax, KERNEL_DATA
    mov     ss, eax
    mov     ds, eax
    mov     es, eax
    mov     eax, TSS_SELECTOR
    ltr     ax

    gate    KEYBOARD_VECTOR, keyboard_handler,     INTERRUPT_GATE
    gate    SPURIOUS,        spurious_handler,     INTERRUPT_GATE
    gate    DOUBLE_FAULT,    double_fault_handler, INTERRUPT_GATE|GATE_IST_1
    lidt    [rip + idt_pointer]

    call    mask_pics
    call    map_apics
    call    enable_lapic
    call    redirect_keyboard
    call    set_up_keyboard
    print   "Type: "
    sti                                 // takes effect after the next instruction

kernel_ready:
    hlt
    jmp     kernel_ready
end_routine _start

// ---------------------------------------------------------------------------------------------------------------
// An entry is 64 bits in two registers. The upper half comes first: when the lower one clears the mask, all of it must
// be right.
//
//   63      56            16    15     13       11        10   8   7    0     (82093AA 3.2.4)
//   destination           mask  level  low      logical   mode     vector
routine redirect_keyboard
    mov     rax, [lapic]
    mov     eax, [rax + LAPIC_ID]       // the ID is in bits 31:24, and so is the destination
    mov     edx, IOAPIC
    mov     dword ptr [rdx + IOAPIC_SELECT], IOAPIC_REDIRECTION + 2 * KEYBOARD_PIN + 1
    mov     [rdx + IOAPIC_WINDOW], eax
    mov     dword ptr [rdx + IOAPIC_SELECT], IOAPIC_REDIRECTION + 2 * KEYBOARD_PIN
    mov     dword ptr [rdx + IOAPIC_WINDOW], KEYBOARD_VECTOR
    ret
end_routine redirect_keyboard

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
routine keyboard_handler
    save_registers
    cld
    in      al, KEYBOARD_DATA           // the 8042 sends the next code only when this one has been fetched
    movzx   eax, al
    cmp     eax, KEYS
    jae     key_done                    // released, or a key that has no character
    lea     rdx, [rip + characters]
    mov     al, [rdx + rax]
    test    al, al
    jz      key_done

echo:
    mov     [echo_text], al
    lea     rsi, [rip + echo_text]
    call    print_string

key_done:
    mov     rax, [lapic]
    mov     dword ptr [rax + LAPIC_EOI], 0
    restore_registers
    iretq
end_routine keyboard_handler

routine double_fault_handler
    cld
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
    segment PRESENT|CODE, LONG                  // 0x08 kernel code
    segment PRESENT|DATA, FLAT                  // 0x10 kernel data
    segment PRESENT|RING_3|DATA, FLAT           // 0x18 user data
    segment PRESENT|RING_3|CODE, LONG           // 0x20 user code
gdt_tss:
    tss_segment                                 // 0x28 TSS
end_table gdt

gdt_pointer:
    .word   gdt_pointer - gdt - 1               // a limit is the last byte's offset, not a size
    .quad   gdt

idt_pointer:
    .word   256 * 16 - 1
    .quad   idt

    .balign 128                                 // a TSS should not straddle a page
table tss
    task_state kernel_stack_top, double_fault_stack_top
end_table tss

table echo_text                                 // one character and the zero behind it
    .byte   0, 0
end_table echo_text

.bss
    .balign PAGE_SIZE
table idt                                       // 256 gates, not present until set_gate
    .skip   256 * 16
end_table idt

stack kernel_stack
stack double_fault_stack                        // TSS.IST1

#include "tables.inc"
#include "print.inc"
#include "apic_setup.inc"
