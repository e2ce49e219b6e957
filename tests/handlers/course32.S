// Handlers as people write them in courses on kernels: 32 bits, and nothing wrong with them.

        .intel_syntax noprefix
        .text

        .macro  handler name
        .globl  \name
        .type   \name, @function
\name:
        .endm

// xv6: segment registers behind what the stub has pushed, a pointer to all of it on top

handler vector14
        push    14
        jmp     alltraps

handler vector33
        push    0
        push    33
        jmp     alltraps

alltraps:
        push    ds
        push    es
        push    fs
        push    gs
        pusha
        cld
        mov     ax, 0x10
        mov     ds, ax
        mov     es, ax
        mov     ax, 0x18
        mov     fs, ax
        mov     gs, ax
        push    esp
        call    trap
        add     esp, 4
        popa
        pop     gs
        pop     fs
        pop     es
        pop     ds
        add     esp, 8
        iretd

// The tutorials' common stub, with the data segment in a word of its own, and the pointer that they forget

        .macro  isr vector
        .globl  isr\vector
isr\vector:
        cli
        .if     (\vector != 8) && (\vector != 13)
        push    0
        .endif
        push    \vector
        jmp     isr_common_stub
        .endm

        isr     0
        isr     6
        isr     8
        isr     13

isr_common_stub:
        pusha
        push    fs
        push    gs
        mov     ax, ds
        push    eax
        mov     ax, 0x10
        mov     ds, ax
        mov     es, ax
        mov     fs, ax
        mov     gs, ax
        cld
        push    esp
        call    isr_handler
        add     esp, 4
        pop     eax
        mov     ds, ax
        mov     es, ax
        pop     gs
        pop     fs
        popa
        add     esp, 8
        iretd

// The stack that the scheduler gives back

handler irq0_schedule
        pusha
        cld
        mov     al, 0x20
        out     0x20, al
        push    esp
        call    pick_next_thread
        mov     esp, eax
        popa
        iretd

// Linux's segments

handler irq9_handler
        pusha
        push    ds
        push    es
        push    fs
        mov     edx, 0x7b
        mov     ds, edx
        mov     es, edx
        mov     edx, 0xd8
        mov     fs, edx
        cld
        call    do_irq
        mov     al, 0x20
        out     0xa0, al
        out     0x20, al
        pop     fs
        pop     es
        pop     ds
        popa
        iretd

handler keyboard_handler
        push    eax
        push    ebx
        in      al, 0x60
        movzx   ebx, al
        mov     [last_key], ebx
        mov     al, 0x61
        out     0x20, al
        pop     ebx
        pop     eax
        iretd

handler device_not_available_handler
        clts
        fninit
        iretd

handler irq3_apic
        mov     dword ptr ds:[0xfee000b0], 0
        iretd

        .bss
last_key: .skip 4
        .section .note.GNU-stack, "", @progbits
