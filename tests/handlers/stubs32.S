// The same in 32 bits: PUSHA, segment registers, a pointer to what was saved on the stack for a function in C.

        .intel_syntax noprefix
        .text

        .macro  stub vector, code
        .globl  isr\vector
isr\vector:
        .if     \code
        push    0
        .endif
        push    \vector
        jmp     common
        .endm

        stub    0, 1
        stub    3, 1
        stub    6, 1
        stub    8, 0
        stub    13, 0
        stub    14, 0

common:
        pusha
        push    ds
        push    es
        push    fs
        push    gs
        mov     ax, 0x10
        mov     ds, ax
        mov     es, ax
        mov     fs, ax
        mov     gs, ax
        cld
        push    esp                     // struct registers *
        call    handle_exception
        add     esp, 4
        pop     gs
        pop     fs
        pop     es
        pop     ds
        popa
        add     esp, 8                  // the vector and the error code
        iret

        .globl  irq8
irq8:
        pusha
        cld
        mov     edi, offset buffer
        mov     ecx, 4
        xor     eax, eax
        rep     stosd
        mov     al, 0x0c
        out     0x70, al
        in      al, 0x71
        mov     al, 0x20
        out     0xa0, al
        out     0x20, al
        popa
        iret

        .globl  int_0x80
int_0x80:
        mov     eax, 1
        iret

        .bss
        .balign 16
buffer: .skip   16
        .section .note.GNU-stack, "", @progbits
