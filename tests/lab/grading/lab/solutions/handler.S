.intel_syntax noprefix
.text
.global page_fault_handler, irq_handler
page_fault_handler:
    push    rax
    push    rcx
    mov     rcx, cr2
    shr     rcx, 12
    and     ecx, 511
    call    new_page
    or      rax, 3
    mov     [heap_table + rcx * 8], rax
    pop     rcx
    pop     rax
    add     rsp, 8
    iretq

irq_handler:
    push    rax
    inc     dword ptr [rip + ticks]
    mov     al, 0x20
    out     0x20, al
    pop     rax
    iretq
