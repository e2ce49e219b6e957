// One thing wrong in each, in 32 bits.

        .intel_syntax noprefix
        .text

        .macro  handler name
        .globl  \name
        .type   \name, @function
\name:
        .endm

handler error_code_left
        iretd

handler argument_left
        pusha
        cld
        push    esp
        call    elsewhere
        popa
        iretd

handler segments_not_restored
        push    eax
        mov     ax, 0x10
        mov     ds, ax
        mov     es, ax
        pop     eax
        iretd

handler frame_by_value
        pusha
        cld
        call    counts
        popa
        iretd

handler register_not_saved
        push    eax
        cld
        call    elsewhere
        pop     eax
        iretd

handler iret_of_16_bits
        iretw

handler no_eoi
        push    eax
        in      al, 0x60
        pop     eax
        iretd

handler direction_flag
        pusha
        mov     edi, offset buffer
        mov     ecx, 4
        rep     stosd
        popa
        iretd

        .section .text.callees, "ax"
        ud2

// void counts(struct registers r): what it is given is its own to change
counts: inc     dword ptr [esp + 4]
        mov     dword ptr [esp + 8], 0
        ret

        .bss
buffer: .skip   64
        .section .note.GNU-stack, "", @progbits
