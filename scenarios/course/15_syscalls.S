// 15_syscalls.S: one service, two doors.
//
//   INT 0x80   a gate, a descriptor, the TSS, a frame of five words: everything that a delivery checks and writes
//   SYSCALL    three MSRs. RIP goes to RCX, RFLAGS to R11, and that is all: no table is read, no stack is touched
//
// What SYSCALL leaves out, its entry does by itself: it finds a stack, and it keeps RCX and R11 for SYSRET. The entry
// is yours to write: 15_syscalls_entry.S.

.intel_syntax noprefix
#include "course.inc"
#include "course_gs.inc"

#define SYSTEM_CALL     0x80
#define WRITE           1               // EAX: print the text RSI
#define EXIT            2               // EAX

#define MSR_EFER        0xc0000080
#define MSR_STAR        0xc0000081      // 47:32 CS for SYSCALL, 63:48 for SYSRET; SS is the next descriptor
#define MSR_LSTAR       0xc0000082      // RIP for SYSCALL
#define MSR_FMASK       0xc0000084      // RFLAGS bits that SYSCALL clears

#define EFER_SCE        1               // SYSCALL and SYSRET are enabled
#define STAR_SYSRET     0x13            // + 8: SS = USER_DATA, + 16: CS = USER_CODE. The order of the GDT is not free
#define RFLAGS_TF       0x100
#define RFLAGS_DF       0x400

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    set_up
    xor     eax, eax                    // no page at address 0: the program's GS.base leads nowhere
    mov     [pt], rax
    invlpg  [rax]
    gate    SYSTEM_CALL, int80_entry, INTERRUPT_GATE|GATE_DPL_3     // door one
    call    set_up_syscall                                          // door two

kernel_ready:
    enter_ring_3 user_start, user_stack_top
end_routine _start

routine set_up_syscall                  // WRMSR: ECX = register, EDX:EAX = value
    mov     ecx, MSR_EFER
    rdmsr
    or      eax, EFER_SCE
    wrmsr

    mov     ecx, MSR_STAR
    xor     eax, eax
    mov     edx, STAR_SYSRET << 16 | KERNEL_CODE
    wrmsr

    mov     ecx, MSR_LSTAR
    lea     rax, [rip + syscall_entry]
    xor     edx, edx
    wrmsr

    mov     ecx, MSR_FMASK              // no interrupt before there is a stack; DF=0 for the string instructions
    mov     eax, RFLAGS_IF|RFLAGS_DF|RFLAGS_TF
    wrmsr

    mov     ecx, MSR_KERNEL_GS
    lea     rax, [rip + per_processor]
    wrmsr
    ret
end_routine set_up_syscall

// ---------------------------------------------------------------------------------------------------------------
// Door one: five words on TSS.RSP0. A program's registers come back as they were, all of them.
routine int80_entry
    save_registers
    cld
    call    service                     // fourteen words: RSP is a multiple of 16
    restore_registers
    iretq
end_routine int80_entry

// EAX = WRITE: print the text RSI. Changes registers as any function does, and wants RSP to be a multiple of 16 at the
// call.
routine service
    cmp     eax, EXIT
    je      exit
    call    print_string
    xor     r11d, r11d                  // as any function may
    ret
exit:
    print   "ring 3 is done\n"
    finish
end_routine service

// ---------------------------------------------------------------------------------------------------------------
.section .user.text, "ax", @progbits
routine user_start
    mov     eax, WRITE
    lea     rsi, [rip + int80_text]
user_int80:
    int     SYSTEM_CALL
after_int80:
    mov     rbp, rsp                    // a service keeps RBP, as any function does
    xor     esp, esp                    // a program may put anything into RSP
    mov     eax, WRITE
    lea     rsi, [rip + syscall_text]
    stc
user_syscall:
    syscall
after_syscall:
    jnc     another_stack               // RFLAGS are as they were
    test    rsp, rsp                    // and finds it as it was
    jnz     another_stack
stack_is_back:
    mov     rsp, rbp
    mov     eax, WRITE
    lea     rsi, [rip + back_text]
    syscall
another_stack:
    mov     eax, EXIT
    int     SYSTEM_CALL
end_routine user_start

.section .user.rodata, "a", @progbits
int80_text:
    .asciz  "by INT 0x80\n"
syscall_text:
    .asciz  "by SYSCALL\n"
back_text:
    .asciz  "by SYSCALL again, and RSP is what it was\n"

.section .user.stack, "aw", @nobits
stack user_stack

// ---------------------------------------------------------------------------------------------------------------
.data
    .balign 8
table per_processor                     // at GS.base behind SWAPGS
    .quad   kernel_stack_top            // KERNEL_RSP
    .quad   0                           // USER_RSP
    .quad   0                           // TICKS: not used in this lesson
end_table per_processor

#include "course_setup.inc"
