// breakpoint.S: INT3 in ring 0, INT3 in ring 3, and INT 0x80 through a gate that ring 3 may not use.
//
// INT3 is a trap: the RIP in its frame is that of the next instruction, and IRETQ simply goes on there. From ring 0
// the frame lands on the stack in use; from ring 3 on TSS.RSP0. In 64-bit mode it has the same five words both times.

.intel_syntax noprefix
#include "kernel.inc"

#define FRAME_NAME      13              // the size of an entry in frame_names

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
    mov     eax, USER_DATA              // ring 0 does not use them, and IRETQ would clear ring 0's on its way out
    mov     ds, eax
    mov     es, eax

    // The TSS tells where the stack is when ring 3 is interrupted.
    mov     eax, TSS_SELECTOR
    ltr     ax

    gate    BREAKPOINT,         breakpoint_handler,         INTERRUPT_GATE|GATE_DPL_3
    gate    DOUBLE_FAULT,       double_fault_handler,       INTERRUPT_GATE|GATE_IST_1
    gate    GENERAL_PROTECTION, general_protection_handler, INTERRUPT_GATE
    gate    SYSTEM_CALL,        system_call_handler,        INTERRUPT_GATE      // DPL 0: here lies the trap
    lidt    [rip + idt_pointer]

kernel_ready:
    int3
kernel_goes_on:
    print   "It did not crash!\n"

    lea     rax, [rip + pml4]           // the tables are below, ready made
    mov     cr3, rax

    mov     al, 0xff                    // no device has a part in this story
    out     PIC_MASTER_DATA, al
    out     PIC_SLAVE_DATA, al

    // IRETQ is the way down to ring 3, so we push the frame of an interrupt that never was.
    push    USER_DATA                   // SS
    lea     rax, [rip + user_stack_top]
    push    rax                         // RSP
    push    RFLAGS_IF|RFLAGS_ALWAYS_1   // RFLAGS
    push    USER_CODE                   // CS
    lea     rax, [rip + user_start]
    push    rax                         // RIP
    iretq
end_routine _start

// ---------------------------------------------------------------------------------------------------------------
// The processor has pushed SS, RSP, RFLAGS, CS and RIP: five words, no error code. Nine registers, RBX and RBP make
// sixteen, and RSP is a multiple of 16 again where we call.
routine breakpoint_handler
    save_registers
    push    rbx
    push    rbp
    cld                                 // string instructions below; RFLAGS.DF is still the interrupted program's

    print   "EXCEPTION: BREAKPOINT"

    // The frame, word by word upwards, beside the five names.
    lea     rbp, [rsp + 16 + SAVED_REGISTERS]
    lea     rbx, [rip + frame_names]
next_word:
    mov     rsi, rbx
    call    print_string
    mov     rax, [rbp]
    call    print_hex
    add     rbp, 8
    add     rbx, FRAME_NAME
    cmp     rbx, offset frame_names_end
    jne     next_word
    print   "\n"

    pop     rbp
    pop     rbx
    restore_registers
    iretq
end_routine breakpoint_handler

// An error code makes it six words. Nothing is saved: the program has no business to go on.
routine general_protection_handler
    cld
    print   "EXCEPTION: GENERAL PROTECTION FAULT\n  error code 0x"
    mov     rax, [rsp]
    call    print_hex
    test    byte ptr [rsp], SELECTOR_IDT
    jz      stop
    print   ": the gate of vector 0x"
    mov     rax, [rsp]
    shr     rax, SELECTOR_INDEX
    call    print_hex
stop:
    print   "\nhalted\n"
    cli                                 // the gate did it already. HLT with IF=0 waits for nothing
    hlt
end_routine general_protection_handler

// INT 0x80 would come here, if its gate had DPL 3.
routine system_call_handler
    iretq
end_routine system_call_handler

// What a kernel without this gate is left with is a shutdown.
routine double_fault_handler
    cld
    print   "double fault, halted\n"
    cli
    hlt
end_routine double_fault_handler

// ---------------------------------------------------------------------------------------------------------------
// The program in ring 3.
.section .user.text, "ax", @progbits
routine user_start
    int3                                // the gate has DPL 3: let in
user_system_call:
    int     SYSTEM_CALL                 // the gate has DPL 0: #GP, and RIP stays on this instruction
end_routine user_start

.section .user.stack, "aw", @nobits
stack user_stack

// ---------------------------------------------------------------------------------------------------------------
// Pages of 2 MiB: one for the kernel, one for ring 3. An access from ring 3 needs U=1 at every level.
.data
    .balign PAGE_SIZE
table pml4
    .quad   pdpt + PAGE_USER + PAGE_WRITABLE + PAGE_PRESENT         // the first 512 GiB
    .skip   511 * 8
end_table pml4

table pdpt
    .quad   pd + PAGE_USER + PAGE_WRITABLE + PAGE_PRESENT           // the first GiB
    .skip   511 * 8
end_table pdpt

table pd
    .quad   PAGE_LARGE + PAGE_WRITABLE + PAGE_PRESENT               // 0 to 2 MiB: the kernel's
    .quad   0
    .quad   0x400000 + PAGE_LARGE + PAGE_USER + PAGE_WRITABLE + PAGE_PRESENT
    .skip   509 * 8
end_table pd

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

.section .rodata
table frame_names                               // in the order of rising addresses
    .asciz  "\n  rip    0x"
    .asciz  "\n  cs     0x"
    .asciz  "\n  rflags 0x"
    .asciz  "\n  rsp    0x"
    .asciz  "\n  ss     0x"
frame_names_end:
end_table frame_names

.bss
    .balign PAGE_SIZE
table idt                                       // 256 gates, not present until set_gate
    .skip   256 * 16
end_table idt

stack kernel_stack                              // TSS.RSP0
stack double_fault_stack                        // TSS.IST1

#include "tables.inc"
#include "print.inc"
