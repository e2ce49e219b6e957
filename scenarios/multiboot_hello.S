// multiboot_hello.S: what a Multiboot loader hands over, printed.
//
// A loader reads the ELF file, puts its segments where they belong and enters it in flat 32-bit protected mode, with
// interrupts off and paging off. EAX says that it was a Multiboot loader; EBX leads to everything else.

.intel_syntax noprefix
#include "kernel32.inc"
#include "multiboot.inc"

#define FLAGS   MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO

// ---------------------------------------------------------------------------------------------------------------
.text
table header
    multiboot_header (FLAGS)
end_table header

routine _start
    mov     esp, offset kernel_stack_top        // what ESP is at the entry, the specification leaves open
    cmp     eax, MULTIBOOT_LOADED
    jne     not_multiboot
    mov     ebp, ebx                            // the routines that print keep EBP and EBX
kernel_ready:
    call    print_memory
    call    print_map
    call    print_strings
    call    print_modules
    print   "done\n"
halt:
    cli
    hlt
    jmp     halt

not_multiboot:
    print   "EAX is not what a Multiboot loader leaves in it\n"
    jmp     halt
end_routine _start

routine print_memory
    print   "memory: 0x"
    mov     eax, [ebp + INFO_MEM_LOWER]
    call    print_hex
    print   " KiB below 640 KiB, 0x"
    mov     eax, [ebp + INFO_MEM_UPPER]
    call    print_hex
    print   " KiB from 1 MiB on\n"
    ret
end_routine print_memory

// The entries follow one another; each says how long it is.
routine print_map
    mov     ebx, [ebp + INFO_MMAP_ADDR]
next_region:
    mov     eax, ebx
    sub     eax, [ebp + INFO_MMAP_ADDR]
    cmp     eax, [ebp + INFO_MMAP_LENGTH]
    jae     end_of_map
    print   "  0x"
    mov     eax, [ebx + MMAP_BASE]
    call    print_hex
    print   " and 0x"
    mov     eax, [ebx + MMAP_LENGTH]
    call    print_hex
    print   " bytes on: type "
    mov     eax, [ebx + MMAP_TYPE]
    call    print_hex
    print   "\n"
    add     ebx, [ebx + MMAP_SIZE]
    add     ebx, 4                              // MMAP_SIZE does not count itself
    jmp     next_region
end_of_map:
    ret
end_routine print_map

routine print_strings
    print   "loader: "
    mov     esi, [ebp + INFO_LOADER_NAME]
    call    print_string
    print   "\ncommand line: "
    mov     esi, [ebp + INFO_CMDLINE]
    call    print_string
    print   "\n"
    ret
end_routine print_strings

routine print_modules
    mov     ebx, [ebp + INFO_MODS_ADDR]
    mov     edx, [ebp + INFO_MODS_COUNT]
next_module:
    test    edx, edx
    jz      end_of_modules
    push    edx
    print   "module '"
    mov     esi, [ebx + MODULE_STRING]
    call    print_string
    print   "': "
module_text:
    mov     esi, [ebx + MODULE_START]           // the file ends in a newline, and a page of zeros follows
    call    print_string
    pop     edx
    dec     edx
    add     ebx, 16
    jmp     next_module
end_of_modules:
    ret
end_routine print_modules

// ---------------------------------------------------------------------------------------------------------------
.bss
stack kernel_stack

#include "print32.inc"
