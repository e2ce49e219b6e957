// task_gate_double_fault.S: a stack overflow in 32-bit mode, and a double fault that is a task of its own.
//
// overflow_stack calls itself until CALL pushes into the guard page: #PF. The frame for it goes to the same stack, and
// that is a second #PF: together a #DF. 32-bit gates have no IST field. What they have is the task gate: it names not a
// handler but a TSS, and the processor switches to that task whole: ESP, EIP, CR3 and all the rest. The TSS of the
// broken kernel takes its registers as they were, and the new TSS's link says where to look for them.

.intel_syntax noprefix
#include "kernel32.inc"

#define DOUBLE_FAULT_TSS 0x30           // the selector of the second TSS
#define CR0_PG          0x80000000

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    mov     esp, offset kernel_stack_top

    // Two TSSs this time.
    mov     eax, offset kernel_tss
    mov     edi, offset gdt_kernel_tss
    call    set_base
    mov     eax, offset double_fault_tss
    mov     edi, offset gdt_double_fault_tss
    call    set_base

    // Our own GDT. Only a far transfer loads CS.
    lgdt    [gdt_pointer]
    jmp     KERNEL_CODE:gdt_loaded
gdt_loaded:
    mov     eax, KERNEL_DATA
    mov     ds, eax
    mov     es, eax
    mov     ss, eax

    // The task that runs now. A switch away from it needs a place for its registers.
    mov     eax, TSS_SELECTOR
    ltr     ax

    gate    PAGE_FAULT, page_fault_handler, INTERRUPT_GATE
    mov     word ptr [idt + DOUBLE_FAULT * 8 + 2], DOUBLE_FAULT_TSS // the selector; a task gate's offset is not used
    mov     word ptr [idt + DOUBLE_FAULT * 8 + 4], TASK_GATE
    lidt    [idt_pointer]

    // Take the page below the stack out of the map, then turn paging on.
    mov     eax, offset kernel_stack_guard
    shr     eax, 12
    mov     dword ptr [page_table + eax * 4], 0
    mov     eax, offset page_directory
    mov     cr3, eax
    mov     eax, cr0
    or      eax, CR0_PG
    mov     cr0, eax

kernel_ready:
    call    overflow_stack
end_routine _start

// Recursion that nothing ends: 256 bytes a level, return address included.
routine overflow_stack
    sub     esp, 256 - 4
one_level_deeper:
    call    overflow_stack              // the sixteenth of these pushes below kernel_stack
    add     esp, 256 - 4
    ret
end_routine overflow_stack

// ---------------------------------------------------------------------------------------------------------------
// Not one instruction of this runs: the processor has no stack to put its frame on.
routine page_fault_handler
    cld
    print   "EXCEPTION: PAGE FAULT\n"
    cli
    hlt
end_routine page_fault_handler

// Where double_fault_tss says that the task begins. All registers are as the TSS has them; the error code, always 0,
// is the only word on the stack. No frame: EFLAGS.NT=1 and the link are what IRET would go back by.
routine double_fault_task
    cld
    print   "EXCEPTION: DOUBLE FAULT, in a task of its own\n"

    // EBX = the interrupted task's TSS: our TSS's link is a selector, and its descriptor has the base in three parts.
    movzx   eax, word ptr [double_fault_tss + TSS_LINK]
    mov     bl, [gdt + eax + 4]         // base 23:16
    mov     bh, [gdt + eax + 7]         // base 31:24
    shl     ebx, 16
    mov     bx, [gdt + eax + 2]         // base 15:0

    print   "  link       0x"
    movzx   eax, word ptr [double_fault_tss + TSS_LINK]
    call    print_hex
    print   "\n  its esp    0x"
    mov     eax, [ebx + TSS_ESP]
    call    print_hex
    print   "\n  its eip    0x"
    mov     eax, [ebx + TSS_EIP]
    call    print_hex
    print   "\n  cr2        0x"
    mov     eax, cr2                    // a task switch leaves CR2 alone
    call    print_hex
    print   "\n  our esp    0x"
    mov     eax, esp
    call    print_hex

    mov     eax, [ebx + TSS_ESP]        // at the very end of the stack, with the guard page below?
    cmp     eax, offset kernel_stack
    jne     halt
    print   "\nthe kernel stack has overflowed"
halt:
    print   "\nhalted\n"
    cli                                 // IF is 0 already, from the TSS. HLT with IF=0 waits for nothing
    hlt
end_routine double_fault_task

// ---------------------------------------------------------------------------------------------------------------
// The first 4 MiB in pages of 4 KiB, each to itself. _start removes one of them.
.data
    .balign PAGE_SIZE
table page_directory
    .long   page_table + PAGE_WRITABLE + PAGE_PRESENT       // the first 4 MiB
    .skip   1023 * 4
end_table page_directory

table page_table
    .rept   1024                                            // entry n maps page n
    .long   (. - page_table) / 4 * PAGE_SIZE + PAGE_WRITABLE + PAGE_PRESENT
    .endr
end_table page_table

// ---------------------------------------------------------------------------------------------------------------
    .balign 8
table gdt
    .quad   0                                   // 0x00 null
    segment PRESENT|CODE, FLAT                  // 0x08 kernel code
    segment PRESENT|DATA, FLAT                  // 0x10 kernel data
    segment PRESENT|RING_3|DATA, FLAT           // 0x18 user data
    segment PRESENT|RING_3|CODE, FLAT           // 0x20 user code
gdt_kernel_tss:
    tss_segment                                 // 0x28 TSS of the kernel
gdt_double_fault_tss:
    tss_segment                                 // 0x30 TSS of the double fault's task
end_table gdt

gdt_pointer:
    .word   gdt_pointer - gdt - 1               // a limit is the last byte's offset, not a size
    .long   gdt

idt_pointer:
    .word   256 * 8 - 1
    .long   idt

    .balign 128                                 // a TSS should not straddle a page: a switch reads it in one go
table kernel_tss                                // the processor fills it when it switches away
    task_state
end_table kernel_tss

    .balign 128
table double_fault_tss
    task_state cr3=page_directory, eip=double_fault_task, esp=double_fault_stack_top
end_table double_fault_tss

.bss
    .balign PAGE_SIZE
table idt                                       // 256 gates, not present until they are written
    .skip   256 * 8
end_table idt

    .balign PAGE_SIZE
kernel_stack_guard:
    .skip   PAGE_SIZE
stack kernel_stack
stack double_fault_stack

#include "tables32.inc"
#include "print32.inc"
