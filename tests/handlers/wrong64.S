// One thing wrong in each: the bugs of handlers that show in a handler alone, in 64 bits.

        .intel_syntax noprefix
        .text

        .macro  handler name
        .globl  \name
        .type   \name, @function
\name:
        .endm

        .macro  save_scratch
        push    rax
        push    rcx
        push    rdx
        push    rsi
        push    rdi
        push    r8
        push    r9
        push    r10
        push    r11
        .endm

        .macro  restore_scratch
        pop     r11
        pop     r10
        pop     r9
        pop     r8
        pop     rdi
        pop     rsi
        pop     rdx
        pop     rcx
        pop     rax
        .endm

        .macro  send_eoi
        push    rax
        mov     al, 0x20
        out     0x20, al
        pop     rax
        .endm

handler error_code_left
        push    rax
        mov     rax, cr2
        pop     rax
        iretq

handler dummy_pushed_for_alignment_check
        push    0
        push    17
        jmp     common

handler no_dummy_pushed_for_overflow
        push    4
        jmp     common

common: add     rsp, 16
        iretq

handler error_code_taken_that_is_not_there
        add     rsp, 8
        iretq

handler pointer_at_saved_registers
        save_scratch
        cld
        mov     rdi, rsp
        call    show
        restore_scratch
        iretq

handler pointer_at_error_code
        save_scratch
        cld
        lea     rdi, [rsp + 9*8]
        sub     rsp, 8
        call    step_over
        add     rsp, 8
        restore_scratch
        add     rsp, 8
        iretq

handler stack_not_aligned
        save_scratch
        cld
        sub     rsp, 8
        call    elsewhere
        add     rsp, 8
        restore_scratch
        iretq

handler stack_not_aligned_for_sse
        save_scratch
        sub     rsp, 8
        cld
        call    uses_sse
        add     rsp, 8
        restore_scratch
        iretq

handler register_not_saved
        inc     rbx
        iretq

handler registers_not_saved_around_call
        push    rax
        cld
        call    elsewhere
        pop     rax
        iretq

handler registers_popped_in_the_same_order
        push    rcx
        push    rdx
        xor     ecx, ecx
        pop     rcx
        pop     rdx
        iretq

handler argument_left
        push    rax
        iretq

handler too_much_taken
        add     rsp, 24
        iretq

handler iret_of_32_bits
        iretd

handler iret_of_16_bits
        iretw

handler no_eoi
        iretq

handler eoi_to_master_alone
        send_eoi
        iretq

handler eoi_to_slave_alone
        push    rax
        mov     al, 0x20
        out     0xa0, al
        pop     rax
        iretq

handler eoi_for_exception
        send_eoi
        iretq

handler scancode_not_read
        send_eoi
        iretq

handler direction_flag
        push    rax
        push    rcx
        push    rdi
        lea     rdi, [rip + buffer]
        xor     eax, eax
        mov     ecx, 4
        rep     stosd
        pop     rdi
        pop     rcx
        pop     rax
        iretq

handler direction_flag_at_call
        save_scratch
        call    elsewhere
        restore_scratch
        iretq

handler fs_loaded
        push    rax
        mov     eax, 0x10
        mov     fs, ax
        pop     rax
        iretq

handler swapgs_always
        swapgs
        inc     qword ptr gs:[0]
        swapgs
        iretq

handler swapgs_never
        inc     qword ptr gs:[0]
        iretq

handler swapgs_on_the_way_in_alone
        test    byte ptr [rsp + 8], 3
        jz      1f
        swapgs
1:      iretq

handler xmm_changed
        pxor    xmm3, xmm3
        iretq

handler xmm_changed_by_callee
        save_scratch
        cld
        call    uses_sse
        restore_scratch
        iretq

handler lock_held
        lock bts dword ptr [rip + lock], 0
        jc      lock_held
        mov     dword ptr [rip + lock], 0
        iretq

handler does_not_return
        pause
        jmp     does_not_return

handler writes_where_nothing_is
        push    rax
        mov     rax, -1 << 32
        mov     [rax], rax
        pop     rax
        iretq

handler privileged_bits
        push    rax
        mov     rax, -1
        mov     cr4, rax
        pop     rax
        iretq

handler returns_like_a_function
        ret

handler falls_off_its_end
        nop

        .section .text.callees, "ax"
        ud2

show:   push    rbx
        mov     rax, [rdi]
        mov     rcx, [rdi + 8]
        mov     rdx, [rdi + 16]
        mov     rbx, rax
        mov     [rip + buffer], rbx
        mov     [rip + buffer + 8], rcx
        pop     rbx
        ret

step_over:
        add     qword ptr [rdi], 2
        ret

uses_sse:
        push    rbp
        mov     rbp, rsp
        sub     rsp, 32
        pxor    xmm0, xmm0
        movaps  [rbp - 32], xmm0
        leave
        ret

        .data
lock:   .long   1

        .bss
        .balign 16
buffer: .skip   64
        .section .note.GNU-stack, "", @progbits
