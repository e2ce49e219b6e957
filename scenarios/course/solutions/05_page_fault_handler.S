// 05_page_fault_handler.S: put a page under the address that was touched, and let the instruction run again.

.intel_syntax noprefix
#include "course.inc"

.text
routine page_fault_handler
    push    rax
    push    rcx

    mov     rcx, cr2                    // bits 20:12 are the entry's number
    shr     rcx, 12
    and     ecx, 511

    call    new_page
    or      rax, PAGE_WRITABLE|PAGE_PRESENT
    mov     [heap_table + rcx * 8], rax // it was not present before: the TLB cannot hold it, and INVLPG is not needed

    pop     rcx
    pop     rax
    add     rsp, 8                      // the error code: IRETQ does not know of it
    iretq
end_routine page_fault_handler
