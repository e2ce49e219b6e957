// double_fault.S: a stack without end meets a page that is not there.
//
// overflow_stack calls itself until CALL pushes into the guard page: #PF. To deliver it, the processor pushes a frame,
// and it is still in ring 0, so onto the same stack: a second #PF while the first is being delivered. The two make a
// #DF. Its gate names IST1: the frame goes to a stack of its own, and the handler can tell.
//
// With IST 0 in that gate (double_fault_no_ist.S) the #DF is pushed into the guard page as well. There is no
// exception left for that: the processor shuts down, and a PC resets.

.intel_syntax noprefix
#include "kernel.inc"

#ifndef DOUBLE_FAULT_IST
#define DOUBLE_FAULT_IST GATE_IST_1
#endif

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    lea     rsp, [rip + kernel_stack_top]

    // Our own GDT. CS keeps its hidden copy of the old descriptor until it is loaded anew, and only a far
    // transfer loads it.
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

    // The TSS holds the interrupt stack table.
    mov     eax, TSS_SELECTOR
    ltr     ax

    gate    PAGE_FAULT,   page_fault_handler,   INTERRUPT_GATE
    gate    DOUBLE_FAULT, double_fault_handler, INTERRUPT_GATE|DOUBLE_FAULT_IST
    lidt    [rip + idt_pointer]

    // Take the page below each stack out of the map, then use the map.
    lea     rax, [rip + kernel_stack_guard]
    shr     rax, 12
    mov     qword ptr [pt + rax * 8], 0
    lea     rax, [rip + double_fault_stack_guard]
    shr     rax, 12
    mov     qword ptr [pt + rax * 8], 0
    lea     rax, [rip + pml4]
    mov     cr3, rax

kernel_ready:
    call    overflow_stack
end_routine _start

// Recursion that nothing ends: 256 bytes a level, return address included, and RSP a multiple of 16 at each call.
routine overflow_stack
    sub     rsp, 256 - 8
one_level_deeper:
    call    overflow_stack              // the sixteenth of these pushes below kernel_stack
    add     rsp, 256 - 8
    ret
end_routine overflow_stack

// ---------------------------------------------------------------------------------------------------------------
// Not one instruction of this runs: the processor has no stack to put its frame on. With a gate for #PF and without,
// the story is the same.
routine page_fault_handler
    cld
    print   "EXCEPTION: PAGE FAULT\n"
    cli
    hlt
end_routine page_fault_handler

// An abort, says the SDM: the program cannot go on, so nothing is saved. The error code is always 0.
routine double_fault_handler
    mov     rbx, rsp                    // where the frame begins: error code, RIP, CS, RFLAGS, RSP, SS
    cld
    print   "EXCEPTION: DOUBLE FAULT\n  cr2        0x"
    mov     rax, cr2                    // of the second page fault: the push that went wrong
    call    print_hex
    print   "\n  its rsp    0x"
    mov     rax, [rbx + 32]
    call    print_hex
    print   "\n  frame at   0x"
    mov     rax, rbx
    call    print_hex

    // The processor does not say which stack it has taken. The stack pointer does.
    lea     rax, [rip + double_fault_stack]
    sub     rbx, rax
    cmp     rbx, PAGE_SIZE
    jae     halt
    print   ", on IST1"
halt:
    print   "\nhalted\n"
    cli                                 // the gate did it already. HLT with IF=0 waits for nothing
    hlt
end_routine double_fault_handler

// ---------------------------------------------------------------------------------------------------------------
// The first 2 MiB in pages of 4 KiB, each to itself. _start removes two of them.
.data
    .balign PAGE_SIZE
table pml4
    .quad   pdpt + PAGE_WRITABLE + PAGE_PRESENT             // the first 512 GiB
    .skip   511 * 8
end_table pml4

table pdpt
    .quad   pd + PAGE_WRITABLE + PAGE_PRESENT               // the first GiB
    .skip   511 * 8
end_table pdpt

table pd
    .quad   pt + PAGE_WRITABLE + PAGE_PRESENT               // the first 2 MiB
    .skip   511 * 8
end_table pd

table pt
    .rept   512                                             // entry n maps page n
    .quad   (. - pt) / 8 * PAGE_SIZE + PAGE_WRITABLE + PAGE_PRESENT
    .endr
end_table pt

// ---------------------------------------------------------------------------------------------------------------
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

.bss
    .balign PAGE_SIZE
table idt                                       // 256 gates, not present until set_gate
    .skip   256 * 16
end_table idt

kernel_stack_guard:
    .skip   PAGE_SIZE
stack kernel_stack

    .balign PAGE_SIZE
double_fault_stack_guard:
    .skip   PAGE_SIZE
stack double_fault_stack                        // TSS.IST1

#include "tables.inc"
#include "print.inc"
