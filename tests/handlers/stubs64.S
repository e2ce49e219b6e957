// A stub for each vector, a common path behind them, and a pointer to what it saved for a function in C.

        .intel_syntax noprefix
        .text

        // The processor pushes an error code for these alone.
        .macro  stub vector
        .globl  isr\vector
        .type   isr\vector, @function
isr\vector:
        .if     (\vector != 8) && ((\vector < 10) || (\vector > 14)) && (\vector != 17) && (\vector != 21) && (\vector != 29) && (\vector != 30)
        push    0
        .endif
        push    \vector
        jmp     common
        .endm

        .altmacro
        .set    number, 0
        .rept   32
        .if     number != 2
        stub    %number
        .endif
        .set    number, number + 1
        .endr

common:
        cld
        push    rax
        push    rbx
        push    rcx
        push    rdx
        push    rsi
        push    rdi
        push    rbp
        push    r8
        push    r9
        push    r10
        push    r11
        push    r12
        push    r13
        push    r14
        push    r15
        test    byte ptr [rsp + 18*8], 3        // the saved CS: did it come from ring 3?
        jz      1f
        swapgs
1:      mov     rdi, rsp                        // struct registers *
        call    handle_exception
        test    byte ptr [rsp + 18*8], 3
        jz      2f
        swapgs
2:      pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     r11
        pop     r10
        pop     r9
        pop     r8
        pop     rbp
        pop     rdi
        pop     rsi
        pop     rdx
        pop     rcx
        pop     rbx
        pop     rax
        add     rsp, 16                         // the vector and the error code
        iretq

        // Registers that a function in C may change, and the stack as it wants it.
        .globl  irq0
irq0:
        push    rax
        push    rcx
        push    rdx
        push    rsi
        push    rdi
        push    r8
        push    r9
        push    r10
        push    r11
        cld
        call    tick
        mov     al, 0x20
        out     0x20, al
        pop     r11
        pop     r10
        pop     r9
        pop     r8
        pop     rdi
        pop     rsi
        pop     rdx
        pop     rcx
        pop     rax
        iretq

        // With SSE: the whole state, at an aligned address.
        .globl  irq4
irq4:
        push    rbp
        mov     rbp, rsp
        push    rax
        sub     rsp, 512
        and     rsp, -16
        fxsave  [rsp]
        pxor    xmm0, xmm0
        movaps  [rip + buffer], xmm0
        fxrstor [rsp]
        mov     al, 0x20
        out     0x20, al
        mov     rax, [rbp - 8]
        mov     rsp, rbp
        pop     rbp
        iretq

        // A system call gives something back in RAX.
        .globl  int_0x80
int_0x80:
        cmp     rax, 4
        mov     eax, 0
        sbb     rax, 0
        iretq

        .globl  nmi_handler
nmi_handler:
        push    rax
        in      al, 0x61
        pop     rax
        iretq

        .bss
        .balign 16
buffer: .skip   16
        .section .note.GNU-stack, "", @progbits
