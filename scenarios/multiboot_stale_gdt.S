// multiboot_stale_gdt.S: a kernel without a GDT of its own. It works with the loader that it was tried with.
//
// Multiboot promises flat segments, and says nothing of selectors. QEMU enters with CS = 0x08, and so this kernel's
// author wrote 0x08 into the IDT's gates. GRUB enters with CS = 0x10, and its table has nothing at 0x08: the first
// interrupt cannot load CS, nor can the fault that follows, nor the double fault.
//
// The cure: a GDT, LGDT, a far jump, and five segment registers, as in the other kernels' first lines.

.intel_syntax noprefix
#include "kernel32.inc"
#include "multiboot.inc"

// ---------------------------------------------------------------------------------------------------------------
.text
table header
    multiboot_header 0
end_table header

routine _start
    mov     esp, offset kernel_stack_top
    gate    BREAKPOINT,         breakpoint_handler,         INTERRUPT_GATE
    gate    GENERAL_PROTECTION, general_protection_handler, INTERRUPT_GATE
    gate    DOUBLE_FAULT,       general_protection_handler, INTERRUPT_GATE
    lidt    [idt_pointer]
    print   "there is an IDT, say INT3\n"
kernel_ready:
    int3
    print   "and back again\n"
halt:
    cli
    hlt
    jmp     halt
end_routine _start

routine breakpoint_handler
    pushad
    print   "breakpoint\n"
    popad
    iret
end_routine breakpoint_handler

routine general_protection_handler
    print   "general protection\n"
    jmp     halt
end_routine general_protection_handler

// ---------------------------------------------------------------------------------------------------------------
.data
idt_pointer:
    .word   (GENERAL_PROTECTION + 1) * 8 - 1
    .long   idt

.bss
    .balign 8
table idt
    .skip   (GENERAL_PROTECTION + 1) * 8
end_table idt

stack kernel_stack

#include "tables32.inc"
#include "print32.inc"
