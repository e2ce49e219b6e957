// kernel.S: a kernel that touches memory that is not there yet, and waits for three interrupts of IRQ5.
// What the byte at 0x2000 says moves the pages that it touches.

.intel_syntax noprefix

#define HEAP    0x600000
#define MOVED   0x2000

.macro gate vector, handler
    lea     rax, [rip + \handler]
    mov     [rip + idt + \vector * 16], ax
    mov     word ptr [rip + idt + \vector * 16 + 2], 0x08
    mov     word ptr [rip + idt + \vector * 16 + 4], 0x8e00
    shr     rax, 16
    mov     [rip + idt + \vector * 16 + 6], ax
.endm

.macro write port, value
    mov     al, \value
    out     \port, al
.endm

.text
.global _start
_start:
    lea     rsp, [rip + stack_top]
    lgdt    [rip + gdt_pointer]
    gate    14, page_fault_handler
    gate    0x25, irq_handler
    lidt    [rip + idt_pointer]

    write   0x20, 0x11                  // both 8259s: vectors 0x20 and 0x28, all masked but IRQ5
    write   0xa0, 0x11
    write   0x21, 0x20
    write   0xa1, 0x28
    write   0x21, 4
    write   0xa1, 2
    write   0x21, 1
    write   0xa1, 1
    write   0x21, 0xdf
    write   0xa1, 0xff

    mov     rax, cr3                    // 2 MiB at HEAP get a page table that is empty
    mov     rax, [rax]
    and     rax, -4096
    mov     rax, [rax]
    and     rax, -4096
    lea     rcx, [rip + heap_table + 3]
    mov     [rax + 3 * 8], rcx
    mov     rax, cr3
    mov     cr3, rax

kernel_ready:
    movzx   edi, byte ptr [MOVED]
    shl     edi, 12
    add     edi, HEAP
    mov     ebx, 40
    mov     r12d, 0x1234
first_store:
    mov     [rdi], rbx
    mov     qword ptr [rdi + 0x3000], 2
    mov     rax, [rdi]
    add     rax, [rdi + 0x3000]
    cmp     rbx, 40                     // a handler gives back what it found
    jne     spoiled
    cmp     r12d, 0x1234
    jne     spoiled
    mov     rbp, rax

waiting:
    sti
    hlt
    cli
    cmp     dword ptr [rip + ticks], 3
    jb      waiting
    cmp     rbp, 42
    jne     spoiled
    lea     rsi, [rip + right]
    jmp     say
spoiled:
    lea     rsi, [rip + wrong]
say:
    mov     dx, 0x3f8
1:  lodsb
    test    al, al
    jz      the_end
    out     dx, al
    jmp     1b
the_end:
    cli
    hlt

// RAX = the address of a page of zeros that nobody has. No other register is changed.
.global new_page
new_page:
    mov     rax, [rip + next_free]
    add     qword ptr [rip + next_free], 4096
    ret

.section .rodata
right:  .asciz  "42 and three ticks\n"
wrong:  .asciz  "spoiled\n"

.data
.balign 8
next_free:      .quad   free_pages
gdt:            .quad   0, 0x00209b0000000000, 0x0000930000000000
gdt_pointer:    .word   23
                .quad   gdt
idt_pointer:    .word   0x26 * 16 - 1
                .quad   idt
.global ticks
ticks:          .long   0

.bss
.balign 4096
.global heap_table
heap_table:     .skip   4096
free_pages:     .skip   16 * 4096
idt:            .skip   256 * 16
                .skip   4096
stack_top:
