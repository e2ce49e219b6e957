// syscall_vs_int80.S: one service, two doors.
//
//   INT 0x80   a gate, a descriptor, the TSS, a frame of five words: everything that a delivery checks and writes
//   SYSCALL    three MSRs. RIP goes to RCX, RFLAGS to R11, and that is all: no table is read, no stack is touched
//
// What SYSCALL leaves out, its handler does itself: it finds a stack, by way of GS and SWAPGS, and it keeps RCX and
// R11 for SYSRET. Ring 3 calls by both doors and reports what has become of its RCX.

.intel_syntax noprefix
#include "kernel.inc"

#define WRITE           1               // EAX: print the text RSI and the number RDI
#define EXIT            2               // EAX

#define MSR_EFER        0xc0000080
#define MSR_STAR        0xc0000081      // 47:32 CS for SYSCALL, 63:48 for SYSRET; SS is the next descriptor
#define MSR_LSTAR       0xc0000082      // RIP for SYSCALL
#define MSR_FMASK       0xc0000084      // RFLAGS bits that SYSCALL clears
#define MSR_KERNEL_GS   0xc0000102      // what SWAPGS puts into GS.base, and takes back

#define EFER_SCE        1               // SYSCALL and SYSRET are enabled
#define STAR_SYSRET     0x13            // + 8: SS = USER_DATA, + 16: CS = USER_CODE. The order of the GDT is not free
#define RFLAGS_TF       0x100
#define RFLAGS_DF       0x400

#define KERNEL_RSP      0               // offsets in per_processor
#define USER_RSP        8

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    lea     rsp, [rip + kernel_stack_top]

    // Our own GDT. CS keeps its hidden copy of the old descriptor until it is loaded anew, and only a far
    // transfer loads it.
    call    set_tss_base
    lgdt    [rip + gdt_pointer]
    lea     rax, [rip + gdt_loaded]
    push    KERNEL_CODE
    push    rax
    retfq
gdt_loaded:
    mov     eax, KERNEL_DATA
    mov     ss, eax
    mov     eax, USER_DATA              // ring 0 does not use them, and IRETQ would clear ring 0's on its way out
    mov     ds, eax
    mov     es, eax
    mov     eax, TSS_SELECTOR
    ltr     ax

    // Door one.
    gate    SYSTEM_CALL,  int80_entry,          INTERRUPT_GATE|GATE_DPL_3
    gate    DOUBLE_FAULT, double_fault_handler, INTERRUPT_GATE|GATE_IST_1
    lidt    [rip + idt_pointer]

    call    set_up_syscall              // door two

    lea     rax, [rip + pml4]           // the tables are below, ready made
    mov     cr3, rax
    mov     al, 0xff                    // no device has a part in this story
    out     PIC_MASTER_DATA, al
    out     PIC_SLAVE_DATA, al

kernel_ready:
    // IRETQ is the way down to ring 3, so we push the frame of an interrupt that never was.
    push    USER_DATA                   // SS
    lea     rax, [rip + user_stack_top]
    push    rax                         // RSP
    push    RFLAGS_IF|RFLAGS_ALWAYS_1   // RFLAGS
    push    USER_CODE                   // CS
    lea     rax, [rip + user_start]
    push    rax                         // RIP
    iretq
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
    mov     rdx, rax
    shr     rdx, 32
    wrmsr

    mov     ecx, MSR_FMASK              // no interrupt before there is a stack; DF=0 for the string instructions
    mov     eax, RFLAGS_IF|RFLAGS_DF|RFLAGS_TF
    xor     edx, edx
    wrmsr

    mov     ecx, MSR_KERNEL_GS
    lea     rax, [rip + per_processor]
    mov     rdx, rax
    shr     rdx, 32
    wrmsr
    ret
end_routine set_up_syscall

// ---------------------------------------------------------------------------------------------------------------
// Door one: five words on TSS.RSP0, nine registers, and RSP is a multiple of 16 where we call.
routine int80_entry
    save_registers
    cld
    lea     r8, [rip + int80_name]
    call    service
    restore_registers
int80_return:
    iretq                               // every register as it was
end_routine int80_entry

// Door two: in ring 0, on ring 3's stack. RSP may be anything; until it is changed nothing may be pushed.
routine syscall_entry
    swapgs                              // GS.base is per_processor now, and ring 3's is put by
    mov     gs:[USER_RSP], rsp
    mov     rsp, gs:[KERNEL_RSP]
on_kernel_stack:
    save_registers                      // RCX and R11 among them: ring 3's RIP and RFLAGS
    sub     rsp, 8                      // nine words and one: a multiple of 16
    lea     r8, [rip + syscall_name]
    call    service
    add     rsp, 8
    restore_registers
    mov     rsp, gs:[USER_RSP]
    swapgs
syscall_return:
    sysretq                             // RIP from RCX, RFLAGS from R11, CS and SS from STAR
end_routine syscall_entry

// EAX = WRITE: print the name R8 of the door, the text RSI, the number RDI.
routine service
    cmp     eax, EXIT
    je      exit
    push    rdi
    push    rsi
    mov     rsi, r8
    call    print_string
    pop     rsi
    call    print_string
    pop     rax
    call    print_hex
    print   "\n"
    ret
exit:
    print   "ring 3 is done, halted\n"
    cli                                 // HLT with IF=0 waits for nothing
    hlt
end_routine service

// What a kernel without this gate is left with is a shutdown.
routine double_fault_handler
    cld
    print   "double fault, halted\n"
    cli
    hlt
end_routine double_fault_handler

// ---------------------------------------------------------------------------------------------------------------
// The program in ring 3.
.section .user.text, "ax", @progbits
routine user_start
    mov     ecx, 0x1234

    mov     eax, WRITE
    lea     rsi, [rip + hello_text]
    mov     rdi, rcx
user_int80:
    int     SYSTEM_CALL

    mov     eax, WRITE
    lea     rsi, [rip + after_int80_text]
    mov     rdi, rcx
user_syscall:
    syscall
after_syscall:
    mov     eax, WRITE
    lea     rsi, [rip + after_syscall_text]
    mov     rdi, rcx                    // the address of after_syscall: SYSCALL put it there
    int     SYSTEM_CALL

    mov     eax, EXIT
user_exit:
    syscall
end_routine user_start

.section .user.rodata, "a", @progbits
hello_text:
    .asciz  "hello from ring 3, rcx is 0x"
after_int80_text:
    .asciz  "after INT 0x80 rcx is 0x"
after_syscall_text:
    .asciz  "after SYSCALL  rcx is 0x"

.section .user.stack, "aw", @nobits
stack user_stack

// ---------------------------------------------------------------------------------------------------------------
.section .rodata
int80_name:
    .asciz  "INT 0x80: "
syscall_name:
    .asciz  "SYSCALL:  "

// Pages of 2 MiB: one for the kernel, one for ring 3. An access from ring 3 needs U=1 at every level.
.data
    .balign PAGE_SIZE
table pml4
    .quad   pdpt + PAGE_USER + PAGE_WRITABLE + PAGE_PRESENT         // the first 512 GiB
    .skip   511 * 8
end_table pml4

table pdpt
    .quad   pd + PAGE_USER + PAGE_WRITABLE + PAGE_PRESENT           // the first GiB
    .skip   511 * 8
end_table pdpt

table pd
    .quad   PAGE_LARGE + PAGE_WRITABLE + PAGE_PRESENT               // 0 to 2 MiB: the kernel's
    .quad   0
    .quad   0x400000 + PAGE_LARGE + PAGE_USER + PAGE_WRITABLE + PAGE_PRESENT
    .skip   509 * 8
end_table pd

// ---------------------------------------------------------------------------------------------------------------
    .balign 8
table per_processor                             // GS.base after SWAPGS
    .quad   kernel_stack_top                    // KERNEL_RSP
    .quad   0                                   // USER_RSP
end_table per_processor

table gdt
    .quad   0                                   // 0x00 null
    segment PRESENT|CODE, LONG                  // 0x08 kernel code     SYSCALL: CS,
    segment PRESENT|DATA, FLAT                  // 0x10 kernel data     and SS, the next one
    segment PRESENT|RING_3|DATA, FLAT           // 0x18 user data       SYSRET: SS,
    segment PRESENT|RING_3|CODE, LONG           // 0x20 user code       and CS, the one behind
gdt_tss:
    tss_segment                                 // 0x28 TSS
end_table gdt

gdt_pointer:
    .word   gdt_pointer - gdt - 1               // a limit is the last byte's offset, not a size
    .quad   gdt

idt_pointer:
    .word   256 * 16 - 1
    .quad   idt

    .balign 128                                 // a TSS should not straddle a page
table tss
    task_state kernel_stack_top, double_fault_stack_top
end_table tss

.bss
    .balign PAGE_SIZE
table idt                                       // 256 gates, not present until set_gate
    .skip   256 * 16
end_table idt

stack kernel_stack                              // TSS.RSP0, and KERNEL_RSP
stack double_fault_stack                        // TSS.IST1

#include "tables.inc"
#include "print.inc"
