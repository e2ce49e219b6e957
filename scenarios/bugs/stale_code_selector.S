// stale_code_selector.S: the gates name the loader's code segment, and the kernel has a GDT of its own.
//
// The loader's CS was 0x08. In the kernel's GDT 0x08 holds data, and code is at 0x10. CS itself is loaded anew, so all
// goes well until the first interrupt: its gate leads to a data segment, #GP. The gate of #GP leads there as well, and
// so does that of #DF. Nothing is left: the processor shuts down.

.intel_syntax noprefix
#define OWN_GDT
#include "bugs.inc"

#define DATA_SELECTOR   0x08
#define CODE_SELECTOR   0x10

// What set_gate writes into every gate (tables.inc). As it stands in kernel.inc it is 0x08.
#ifdef FIXED
#undef  KERNEL_CODE
#define KERNEL_CODE     CODE_SELECTOR
#endif

.text
routine _start
    load_stack
    call    set_tss_base
    lgdt    [rip + gdt_pointer]
    lea     rax, [rip + gdt_loaded]
    push    CODE_SELECTOR
    push    rax
    retfq
gdt_loaded:
    load_data_segments DATA_SELECTOR
    mov     ss, eax
    load_tss
    load_idt
    call    load_page_tables
    call    set_up_pics
    gate    BREAKPOINT, breakpoint_handler, INTERRUPT_GATE

kernel_ready:
    int3
    print   "back from the breakpoint\n"
    finish
end_routine _start

routine breakpoint_handler
    save_registers
    cld
    print   "breakpoint\n"
    restore_registers
    iretq
end_routine breakpoint_handler

.data
    .balign 8
table gdt
    .quad   0                                   // 0x00 null
    segment PRESENT|DATA, FLAT                  // 0x08 kernel data: the loader's code segment was here
    segment PRESENT|CODE, LONG                  // 0x10 kernel code
    segment PRESENT|RING_3|DATA, FLAT           // 0x18 user data
    segment PRESENT|RING_3|CODE, LONG           // 0x20 user code
gdt_tss:
    tss_segment                                 // 0x28 TSS
end_table gdt

gdt_pointer:
    .word   gdt_pointer - gdt - 1               // a limit is the last byte's offset, not a size
    .quad   gdt

#include "bugs_setup.inc"
