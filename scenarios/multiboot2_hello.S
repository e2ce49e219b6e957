// multiboot2_hello.S: what a Multiboot2 loader hands over: a list of tags, each with its type and its size.

.intel_syntax noprefix
#include "kernel32.inc"

// Multiboot2 Specification 2.0, 3.1.2 and 3.3.
#define MULTIBOOT2_HEADER       0xe85250d6
#define MULTIBOOT2_LOADED       0x36d76289
#define ARCHITECTURE_I386       0

// Tags of the header (3.1.3) and of the information (3.6).
#define HEADER_TAG_END          0
#define HEADER_TAG_REQUEST      1
#define TAG_END                 0
#define TAG_COMMAND_LINE        1
#define TAG_LOADER_NAME         2
#define TAG_MODULE              3
#define TAG_MEMORY              4
#define TAG_MEMORY_MAP          6
#define TAG_RSDP                14

#define TAG_TYPE                0
#define TAG_SIZE                4
#define TAG_BODY                8

// ---------------------------------------------------------------------------------------------------------------
.text
    .balign 8
table header
    .long   MULTIBOOT2_HEADER
    .long   ARCHITECTURE_I386
    .long   header_end - header
    .long   -(MULTIBOOT2_HEADER + ARCHITECTURE_I386 + (header_end - header))
    .word   HEADER_TAG_REQUEST, 0               // not optional
    .long   request_end - . + 4
    .long   TAG_MEMORY, TAG_MEMORY_MAP
request_end:
    .balign 8
    .word   HEADER_TAG_END, 0
    .long   8
header_end:
end_table header

routine _start
    mov     esp, offset kernel_stack_top
    cmp     eax, MULTIBOOT2_LOADED
    jne     not_multiboot2
    lea     ebp, [ebx + 8]                      // the total size comes first, and a reserved word
kernel_ready:
next_tag:
    mov     eax, [ebp + TAG_TYPE]
    cmp     eax, TAG_END
    je      end_of_tags
    cmp     eax, TAG_COMMAND_LINE
    je      command_line
    cmp     eax, TAG_LOADER_NAME
    je      loader_name
    cmp     eax, TAG_MODULE
    je      module
    cmp     eax, TAG_MEMORY
    je      memory
    cmp     eax, TAG_RSDP
    je      rsdp
following_tag:                                  // each begins on a multiple of eight
    mov     eax, [ebp + TAG_SIZE]
    add     eax, 7
    and     eax, -8
    add     ebp, eax
    jmp     next_tag
end_of_tags:
    print   "done\n"
halt:
    cli
    hlt
    jmp     halt

not_multiboot2:
    print   "EAX is not what a Multiboot2 loader leaves in it\n"
    jmp     halt

command_line:
    print   "command line: "
    jmp     say_body
loader_name:
    print   "loader: "
say_body:
    lea     esi, [ebp + TAG_BODY]
    call    print_string
    print   "\n"
    jmp     following_tag

module:                                         // start, end, and the string in the tag itself
    print   "module '"
    lea     esi, [ebp + TAG_BODY + 8]
    call    print_string
    print   "': "
    mov     esi, [ebp + TAG_BODY]
    call    print_string
    jmp     following_tag

memory:
    print   "memory: 0x"
    mov     eax, [ebp + TAG_BODY]
    call    print_hex
    print   " KiB and 0x"
    mov     eax, [ebp + TAG_BODY + 4]
    call    print_hex
    print   " KiB\n"
    jmp     following_tag

rsdp:                                           // a copy of ACPI's root pointer
    print   "ACPI's RSDT lies at 0x"
    mov     eax, [ebp + TAG_BODY + 16]
    call    print_hex
    print   "\n"
    jmp     following_tag
end_routine _start

// ---------------------------------------------------------------------------------------------------------------
.bss
stack kernel_stack

#include "print32.inc"
