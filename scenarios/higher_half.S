// higher_half.S: a kernel that is linked at 0xc0100000 and loaded at 0x100000.
//
// Every address in it is HALF too high until paging is on. The first lines take that off by hand; then a page directory
// maps the first 4 MiB twice, at 0 and at HALF; a jump goes up; and the lower map is taken away.

.intel_syntax noprefix
#include "kernel32.inc"
#include "multiboot.inc"

#define HALF            0xc0000000
#define HALF_ENTRY      (HALF >> 22)            // of the page directory: each maps 4 MiB
#define CR0_PG          0x80000000
#define CR4_PSE         0x10

#define VGA_BELOW       0xb8000                 // where pc.inc has the screen
#undef VGA
#define VGA             (HALF + VGA_BELOW)      // where this kernel, print32.inc included, sees it

// ---------------------------------------------------------------------------------------------------------------
.text
table header
    multiboot_header 0
end_table header

routine _start                                  // runs at _start - HALF: the loader has seen to that
    mov     eax, cr4
    or      eax, CR4_PSE
    mov     cr4, eax
    mov     eax, offset page_directory - HALF
    mov     cr3, eax
    mov     eax, cr0
    or      eax, CR0_PG
    mov     cr0, eax                            // the next instruction is fetched by way of entry 0
enable_paging:
    mov     eax, offset higher_half
    jmp     eax
end_routine _start

routine higher_half
    mov     esp, offset kernel_stack_top
    lgdt    [gdt_pointer]
    jmp     KERNEL_CODE:gdt_loaded
gdt_loaded:
    mov     eax, KERNEL_DATA
    mov     ds, eax
    mov     es, eax
    mov     ss, eax
    gate    PAGE_FAULT, page_fault_handler, INTERRUPT_GATE
    lidt    [idt_pointer]

    print   "running at 0x"
    call    here
here:
    pop     eax
    call    print_hex
    print   "\n"

    mov     dword ptr [page_directory], 0       // the lower map has done its work
    mov     eax, cr3
    mov     cr3, eax                            // and is forgotten
kernel_ready:
    mov     eax, [VGA_BELOW]                    // an address of before
    print   "never printed\n"
end_routine higher_half

routine page_fault_handler
    print   "page fault at 0x"
    mov     eax, cr2
    call    print_hex
    print   ": the lower half is gone\n"
halt:
    cli
    hlt
    jmp     halt
end_routine page_fault_handler

// ---------------------------------------------------------------------------------------------------------------
.data
    .balign PAGE_SIZE
table page_directory                            // pages of 4 MiB: the first at 0, and again at HALF
    .long   PAGE_LARGE + PAGE_WRITABLE + PAGE_PRESENT
    .skip   (HALF_ENTRY - 1) * 4
    .long   PAGE_LARGE + PAGE_WRITABLE + PAGE_PRESENT
    .skip   (1023 - HALF_ENTRY) * 4
end_table page_directory

    .balign 8
table gdt
    .quad   0                                   // 0x00 null
    segment PRESENT|CODE, FLAT                  // 0x08 kernel code
    segment PRESENT|DATA, FLAT                  // 0x10 kernel data
end_table gdt

gdt_pointer:
    .word   gdt_pointer - gdt - 1
    .long   gdt

idt_pointer:
    .word   (PAGE_FAULT + 1) * 8 - 1
    .long   idt

.bss
    .balign 8
table idt
    .skip   (PAGE_FAULT + 1) * 8
end_table idt

stack kernel_stack

#include "tables32.inc"
#include "print32.inc"
