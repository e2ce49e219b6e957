// stale_ss.S: a new GDT, a new CS, and the old SS.
//
// The loader has left SS = 0x10, a data segment of its GDT. In the kernel's own GDT 0x10 is the TSS. Nothing happens:
// SS keeps its hidden copy, and 64-bit mode hardly looks at it. An interrupt comes, and its frame holds SS = 0x10;
// delivery pushes it without a look. The handler does its work. Then IRETQ loads SS from the frame, and now the
// processor reads the descriptor: #GP(0x10), in a handler that is without fault.
//
// The cure is one instruction: see where it is missing in _start.

.intel_syntax noprefix
#include "kernel.inc"

// This kernel's GDT has the TSS where the others have their data.
#undef  TSS_SELECTOR
#undef  KERNEL_DATA
#define TSS_SELECTOR    0x10            // sixteen bytes: a system descriptor fills two slots
#define KERNEL_DATA     0x20

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
    mov     ds, eax
    mov     es, eax
                                        // mov ss, eax is missing here
    mov     eax, TSS_SELECTOR
    ltr     ax

    gate    BREAKPOINT,         breakpoint_handler,         INTERRUPT_GATE
    gate    DOUBLE_FAULT,       double_fault_handler,       INTERRUPT_GATE|GATE_IST_1
    gate    GENERAL_PROTECTION, general_protection_handler, INTERRUPT_GATE
    lidt    [rip + idt_pointer]

kernel_ready:
    int3
kernel_goes_on:
    print   "It did not crash!\n"       // not in this kernel
    cli
    hlt
end_routine _start

// ---------------------------------------------------------------------------------------------------------------
// Five words from the processor and nine registers: RSP is a multiple of 16 where we call.
routine breakpoint_handler
    save_registers
    cld
    print   "EXCEPTION: BREAKPOINT\n"
    restore_registers
breakpoint_return:
    iretq                               // pops RIP, CS, RFLAGS, RSP and SS: here it ends
end_routine breakpoint_handler

// An error code makes it six words. Where IRETQ fails, RSP still stands at the frame that it could not take.
#define ERROR_CODE      rbx
#define SAVED_RIP       rbx + 8
#define SAVED_RSP       rbx + 32
#define FRAME_CS        8
#define FRAME_SS        32

routine general_protection_handler
    mov     rbx, rsp                    // nothing is saved: the kernel cannot go on
    cld
    print   "EXCEPTION: GENERAL PROTECTION FAULT\n  error code 0x"
    mov     rax, [ERROR_CODE]
    call    print_hex
    print   " at rip 0x"
    mov     rax, [SAVED_RIP]
    call    print_hex

    lea     rax, [rip + breakpoint_return]
    cmp     [SAVED_RIP], rax
    jne     stop
    print   ", an IRETQ\n  its frame: cs 0x"
    mov     rbp, [SAVED_RSP]
    mov     rax, [rbp + FRAME_CS]
    call    print_hex
    print   ", ss 0x"
    mov     rax, [rbp + FRAME_SS]
    call    print_hex
    cmp     dword ptr [rbp + FRAME_SS], KERNEL_DATA
    je      stop
    print   ": the stack segment is not that of this GDT"
stop:
    print   "\nhalted\n"
    cli                                 // the gate did it already. HLT with IF=0 waits for nothing
    hlt
end_routine general_protection_handler

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
gdt_tss:
    tss_segment                                 // 0x10 TSS: the loader's data segment was here
    segment PRESENT|DATA, FLAT                  // 0x20 kernel data
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

stack kernel_stack
stack double_fault_stack                        // TSS.IST1

#include "tables.inc"
#include "print.inc"
