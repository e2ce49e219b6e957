// Handlers as people write them in courses on kernels: 64 bits, and nothing wrong with them.

        .intel_syntax noprefix
        .text

        .macro  handler name
        .globl  \name
        .type   \name, @function
\name:
        .endm

        .macro  save_all
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
        .endm

        .macro  restore_all
        pop     r15
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

// A trap frame, and a function that takes a pointer to it (xv6 for 64 bits)

handler vector13
        push    13
        jmp     alltraps

handler vector32
        push    0
        push    32
        jmp     alltraps

alltraps:
        cld
        save_all
        mov     rdi, rsp
        call    trap
        restore_all
        add     rsp, 16
        iretq

// SWAPGS by the ring that was interrupted, on the way in and out (Linux, error_entry)

handler asm_exc_invalid_tss
        cld
        save_all
        xor     ebp, ebp
        test    byte ptr [rsp + 17*8], 3
        jz      1f
        swapgs
1:      mov     rdi, rsp
        mov     rsi, [rsp + 15*8]
        mov     qword ptr [rsp + 15*8], -1
        sub     rsp, 8
        call    exc_invalid_tss
        add     rsp, 8
        test    byte ptr [rsp + 17*8], 3
        jz      2f
        swapgs
2:      restore_all
        add     rsp, 8
        iretq

// SWAPGS by the base itself: the NMI may come in front of the SWAPGS of another handler (Linux, paranoid_entry)

handler asm_exc_nmi
        push    -1
        cld
        save_all
        mov     ecx, 0xc0000101
        rdmsr
        mov     ebx, 1
        test    edx, edx
        js      1f
        swapgs
        xor     ebx, ebx
1:      mov     rax, gs:[0]
        mov     rdi, rsp
        sub     rsp, 8
        call    exc_nmi
        add     rsp, 8
        test    ebx, ebx
        jnz     2f
        swapgs
2:      restore_all
        add     rsp, 8
        iretq

// Naked, with the frame above nine registers (the posts of blog_os)

handler divide_by_zero_wrapper
        save_scratch
        cld
        lea     rdi, [rsp + 9*8]
        call    divide_by_zero_handler
        restore_scratch
        iretq

handler page_fault_wrapper
        save_scratch
        cld
        mov     rsi, [rsp + 9*8]
        lea     rdi, [rsp + 10*8]
        sub     rsp, 8
        call    handle_page_fault
        add     rsp, 8
        restore_scratch
        add     rsp, 8
        iretq

// Another thread's stack comes back from the scheduler

handler irq0_schedule
        cld
        save_all
        mov     al, 0x20
        out     0x20, al
        mov     rdi, rsp
        call    pick_next_thread
        mov     rsp, rax
        restore_all
        iretq

// It changes the stack inside, and returns when the thread runs again

handler irq8_schedule
        cld
        save_all
        mov     al, 0x0c
        out     0x70, al
        in      al, 0x71
        mov     al, 0x20
        out     0xa0, al
        out     0x20, al
        call    schedule
        restore_all
        iretq

// The FPU of whoever uses it next

handler device_not_available_handler
        push    rax
        clts
        mov     rax, [rip + fpu_owner]
        test    rax, rax
        jz      1f
        fxsave  [rax]
1:      lea     rax, [rip + fpu_state]
        mov     [rip + fpu_owner], rax
        fxrstor [rip + fpu_fresh]
        pop     rax
        iretq

handler x87_floating_point_handler
        push    rax
        fnstsw  ax
        mov     [rip + fpu_status], ax
        fnclex
        pop     rax
        iretq

// A key, if there is one

handler keyboard_handler
        push    rax
        push    rdx
        in      al, 0x64
        test    al, 1
        jz      1f
        in      al, 0x60
        mov     edx, [rip + key_count]
        inc     edx
        mov     [rip + key_count], edx
        and     edx, 15
        push    rcx
        lea     rcx, [rip + keys]
        mov     [rcx + rdx], al
        pop     rcx
1:      mov     al, 0x20
        out     0x20, al
        pop     rdx
        pop     rax
        iretq

// The local APIC's

handler irq3_apic
        push    rax
        mov     eax, 0xfee000b0
        mov     dword ptr [rax], 0
        pop     rax
        iretq

// INT 0x80: a table of functions, RAX says which, and gets the result

handler int_0x80
        cmp     rax, 2
        jae     1f
        push    rcx
        lea     rcx, [rip + calls]
        call    [rcx + rax*8]
        pop     rcx
        iretq
1:      mov     rax, -38
        iretq

call_0: mov     eax, 1
        ret

// The page is mapped, and the translation forgotten

handler page_fault_handler
        push    rax
        push    rdx
        mov     rax, cr2
        invlpg  [rax]
        mov     rdx, cr3
        mov     cr3, rdx
        mov     rax, [rsp + 16]
        test    al, 1
        jnz     panic
        pop     rdx
        pop     rax
        add     rsp, 8
        iretq

panic:  cli
1:      hlt
        jmp     1b

// Over the instruction of three bytes that is not one

handler invalid_opcode_handler
        add     qword ptr [rsp], 3
        iretq

// Reports on the serial port, and stops

handler double_fault_handler
        cld
        lea     rsi, [rip + message]
1:      lodsb
        test    al, al
        jz      panic
        mov     dx, 0x3f8
        out     dx, al
        jmp     1b

// With nested interrupts: EOI first, then IF

handler irq5_nesting
        save_scratch
        cld
        mov     al, 0x20
        out     0x20, al
        sti
        call    slow_device
        cli
        restore_scratch
        iretq

// A spurious interrupt of the master is no interrupt: it has none of EOI. A real one has.

handler irq7_handler
        push    rax
        mov     al, 0x0b
        out     0x20, al
        in      al, 0x20
        test    al, 0x80
        jz      1f
        mov     al, 0x20
        out     0x20, al
1:      pop     rax
        iretq

        .data
        .balign 16
fpu_fresh:
        .word   0x37f
        .skip   22
        .long   0x1f80
        .skip   484
calls:  .quad   call_0, call_0
message: .asciz "double fault"

        .bss
        .balign 16
fpu_state: .skip 512
fpu_owner: .skip 8
fpu_status: .skip 8
key_count: .skip 4
keys:   .skip   16
        .section .note.GNU-stack, "", @progbits
