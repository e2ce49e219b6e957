// stack_misaligned.S: a handler calls a function while RSP is not a multiple of 16.
//
// The processor aligns RSP before it pushes a frame. With an error code the frame has six words; nine registers make
// fifteen, and at the call RSP is off by eight. A compiler relies on its calling convention and keeps XMM0 with MOVAPS,
// which wants its operand aligned: #GP. Emulators that do not look at the alignment run this kernel without a sign.

.intel_syntax noprefix
#include "bugs.inc"

.text
routine _start
    set_up
    gate    PAGE_FAULT, page_fault_handler, INTERRUPT_GATE

kernel_ready:
    mov     byte ptr [UNMAPPED], 1
    print   "the page is there, and the store went through\n"
    finish
end_routine _start

routine page_fault_handler
    save_registers
#ifdef FIXED
    sub     rsp, 8                      // fifteen words and one
#endif
    cld
handler_call:
    call    map_page
#ifdef FIXED
    add     rsp, 8
#endif
    restore_registers
    add     rsp, 8                      // the error code
    iretq
end_routine page_fault_handler

// As a compiler would do it: the page directory's entry and the one behind it are written with one store.
routine map_page
    sub     rsp, 24                     // with the return address: a multiple of 16
    movaps  [rsp], xmm0
    movaps  xmm0, [rip + two_entries]
    movups  [pd + 8], xmm0
    movaps  xmm0, [rsp]
    add     rsp, 24
    ret
end_routine map_page

.section .rodata
    .balign 16
table two_entries
    .quad   UNMAPPED + PAGE_LARGE + PAGE_WRITABLE + PAGE_PRESENT
    .quad   USER_MEMORY + PAGE_LARGE + PAGE_USER + PAGE_WRITABLE + PAGE_PRESENT
end_table two_entries

#include "bugs_setup.inc"
