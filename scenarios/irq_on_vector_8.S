// irq_on_vector_8.S: STI, and at once a double fault that is none.
//
// Nobody has moved the 8259's vectors. As the PC's firmware leaves them, IRQ0 is vector 8, which is #DF to the
// processor: the timer's first tick enters the double fault's handler. A #DF pushes an error code, an interrupt does
// not; the handler takes one all the same, is off by a word, and IRET reads CS for EIP.
//
// The cure: set_up_pics in protected_keyboard.S.

.intel_syntax noprefix
#include "kernel32.inc"
#include "ports.inc"

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    mov     esp, offset kernel_stack_top

    // Our own GDT. Only a far transfer loads CS.
    lgdt    [gdt_pointer]
    jmp     KERNEL_CODE:gdt_loaded
gdt_loaded:
    mov     eax, KERNEL_DATA
    mov     ds, eax
    mov     es, eax
    mov     ss, eax

    gate    DOUBLE_FAULT,       double_fault_stub,       INTERRUPT_GATE
    gate    GENERAL_PROTECTION, general_protection_stub, INTERRUPT_GATE
    lidt    [idt_pointer]

    mov     al, 0b11111110              // the mask: the timer alone gets through. Its vector stays what it was
    out     PIC_MASTER_DATA, al
    call    set_up_timer
    print   "exceptions are handled, let the timer tick\n"
    sti                                 // takes effect after the next instruction

kernel_ready:
    hlt                                 // sleeps until an interrupt; its handler returns to the next instruction
    jmp     kernel_ready
end_routine _start

routine set_up_timer
    mov     al, PIT_RATE
    out     PIT_MODE, al
    mov     al, PIT_DIVISOR & 0xff
    out     PIT_CHANNEL_0, al
    mov     al, PIT_DIVISOR >> 8
    out     PIT_CHANNEL_0, al
    ret
end_routine set_up_timer

// ---------------------------------------------------------------------------------------------------------------
// The usual arrangement: a stub for each vector pushes its number and goes on to a common part. For #DF and #GP the
// processor has pushed an error code before; a stub for a vector without one would push a zero in its stead.
routine double_fault_stub
    push    DOUBLE_FAULT
    jmp     common_stub
end_routine double_fault_stub

routine general_protection_stub
    push    GENERAL_PROTECTION
    jmp     common_stub
end_routine general_protection_stub

// From the top of the stack: vector, error code (so it believes), EIP, CS, EFLAGS; PUSHA adds eight words.
#define VECTOR          esp + 32
#define ERROR_CODE      esp + 36
#define SAVED_EIP       esp + 40

routine common_stub
    pusha
    cld
    print   "exception 0x"
    mov     eax, [VECTOR]
    call    print_hex
    print   ", error code 0x"
    mov     eax, [ERROR_CODE]
    call    print_hex
    print   ", eip 0x"
    mov     eax, [SAVED_EIP]
    call    print_hex
    print   "\n"

    cmp     dword ptr [VECTOR], GENERAL_PROTECTION
    je      give_up
    popa
    add     esp, 8                      // the vector and the error code
stub_return:
    iret

give_up:
    print   "halted\n"
    cli
    hlt
end_routine common_stub

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

.bss
    .balign PAGE_SIZE
table idt                                       // 256 gates, not present until set_gate
    .skip   256 * 8
end_table idt

stack kernel_stack

#include "tables32.inc"
#include "print32.inc"
