// nmi_during_fault.S: an interrupt that no flag holds back, in the midst of a page fault's handler.
//
// The handler of #PF was entered through an interrupt gate: IF=0. An NMI comes all the same, at the next boundary
// between two instructions. It may come where no stack is to be trusted, so its gate names IST2. While its handler
// runs, a second NMI comes: the processor keeps it, one and no more, until an IRET.

.intel_syntax noprefix
#include "kernel.inc"

#define PAGES           0x40000000      // the entry state maps the first GiB
#define UNMAPPED        PAGES           // and not this

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

    gate    NMI,          nmi_handler,          INTERRUPT_GATE|GATE_IST_2
    gate    DOUBLE_FAULT, double_fault_handler, INTERRUPT_GATE|GATE_IST_1
    gate    PAGE_FAULT,   page_fault_handler,   INTERRUPT_GATE
    lidt    [rip + idt_pointer]

kernel_ready:
    mov     eax, UNMAPPED
touch:
    mov     ebx, [rax]                  // #PF
after_touch:
    print   "the kernel goes on\nhalted\n"
    cli                                 // HLT with IF=0 waits for nothing
    hlt
end_routine _start

// ---------------------------------------------------------------------------------------------------------------
// Six words from the processor, nine registers: RSP is a multiple of 16 minus 8, and one word more puts that right.
#define SAVED_RIP       rsp + 8 + SAVED_REGISTERS + 8

routine page_fault_handler
    save_registers
    sub     rsp, 8
    cld
    print   "page fault: the handler begins\n"
handler_at_work:                        // here the first NMI comes
    nop
    print   "page fault: the handler ends\n"
    lea     rax, [rip + after_touch]    // nothing to repair: return behind the instruction
    mov     [SAVED_RIP], rax
    add     rsp, 8
    restore_registers
    add     rsp, 8                      // the error code: IRETQ does not know of it
    iretq
end_routine page_fault_handler

// Five words, no error code. Between them and the registers nothing; IST2 is a multiple of 16.
#define NMI_SAVED_RIP   rsp + SAVED_REGISTERS

routine nmi_handler
    save_registers
    cld
    inc     dword ptr [nmis]
    print   "  NMI "
    mov     eax, [nmis]
    call    print_hex
    print   ": begins, rip 0x"
    mov     rax, [NMI_SAVED_RIP]
    call    print_hex
    print   ", rsp 0x"
    mov     rax, rsp
    call    print_hex
    print   "\n"
nmi_at_work:                            // here the second NMI comes, and waits
    nop
    print   "  NMI "
    mov     eax, [nmis]
    call    print_hex
    print   ": ends\n"
    restore_registers
nmi_return:
    iretq                               // NMIs are let in again from here on, whatever this IRET returns to
end_routine nmi_handler

// What a kernel without this gate is left with is a shutdown.
routine double_fault_handler
    cld
    print   "double fault, halted\n"
    cli
    hlt
end_routine double_fault_handler

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
    task_state kernel_stack_top, double_fault_stack_top, nmi_stack_top
end_table tss

    .balign 4
table nmis                                      // how many have come
    .long   0
end_table nmis

.bss
    .balign PAGE_SIZE
table idt                                       // 256 gates, not present until set_gate
    .skip   256 * 16
end_table idt

stack kernel_stack
stack double_fault_stack                        // TSS.IST1
stack nmi_stack                                 // TSS.IST2

#include "tables.inc"
#include "print.inc"
