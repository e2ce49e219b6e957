// single_step_trap.S: the four ways to #DB that a debugger lives on.
//
//   RFLAGS.TF, by POPFQ   a trap after each instruction              DR6.BS   counted
//   RFLAGS.TF, by IRETQ   the same, out of the handler of an INT3; MOV SS holds one trap off
//   DR0, execution        a fault before the instruction             DR6.B0   the handler sets RF, or it comes again
//   DR1, data writes      a trap after the instruction               DR6.B1
//
// All are vector 1. DR6 says which it was, and the processor never clears it.

.intel_syntax noprefix
#include "kernel.inc"

#define RFLAGS_TF       0x00100         // trap: #DB after each instruction
#define RFLAGS_RF       0x10000         // resume: no instruction breakpoint for one instruction

#define DR6_CLEAR       0xffff0ff0      // as after a reset: no condition, reserved bits set
#define DR6_STEP        0x4000          // BS
#define DR6_BREAKPOINT_0 0x1            // B0
#define DR7_BREAKPOINT_0 0x1            // L0: DR0 is enabled. R/W0 = 0, LEN0 = 0: execution
#define DR7_BREAKPOINT_1 0x4            // L1: DR1 is enabled
#define DR7_WRITE_1     0x100000        // R/W1 = 1: writes
#define DR7_LENGTH_1    0xc00000        // LEN1 = 3: four bytes
#define DR7_ALWAYS_1    0x400

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
    mov     ds, eax
    mov     es, eax
    mov     eax, TSS_SELECTOR
    ltr     ax

    gate    DEBUG,        debug_handler,        INTERRUPT_GATE
    gate    BREAKPOINT,   breakpoint_handler,   INTERRUPT_GATE
    gate    DOUBLE_FAULT, double_fault_handler, INTERRUPT_GATE|GATE_IST_1
    lidt    [rip + idt_pointer]

kernel_ready:
    // 1. TF by POPFQ. The trap comes after each instruction that began with TF=1: POPFQ itself began without.
    pushfq
    or      qword ptr [rsp], RFLAGS_TF
    popfq
first_step:
    mov     ecx, 3
    dec     ecx
    nop
    pushfq
    and     qword ptr [rsp], ~RFLAGS_TF
    popfq                               // began with TF=1: the sixth and last trap
first_end:
    mov     eax, [steps]
    call    report_steps

    // 2. TF by IRETQ, as a debugger goes on from a breakpoint: the INT3 handler sets TF in the frame.
    mov     dword ptr [steps], 0
    mov     ecx, KERNEL_DATA
    int3
second_step:
    nop                                 // 1
    mov     ss, ecx                     // held off: SS and RSP must change together
    mov     rsp, rsp                    // 2: the trap after this one
    nop                                 // 3
    pushfq                              // 4
    and     qword ptr [rsp], ~RFLAGS_TF // 5
    popfq                               // 6
second_end:
    mov     eax, [steps]
    call    report_steps

    // 3. An instruction breakpoint.
    lea     rax, [rip + watched_code]
    mov     dr0, rax
    mov     eax, DR7_ALWAYS_1|DR7_BREAKPOINT_0
    mov     dr7, rax
watched_code:
    mov     ebx, 1                      // #DB before it; once

    // 4. A data breakpoint.
    lea     rax, [rip + watched_data]
    mov     dr1, rax
    mov     eax, DR7_ALWAYS_1|DR7_BREAKPOINT_1|DR7_WRITE_1|DR7_LENGTH_1
    mov     dr7, rax
    mov     eax, [watched_data]         // a read: nothing
write_watched:
    mov     [watched_data], ebx         // #DB behind it
behind_write:
    mov     eax, DR7_ALWAYS_1
    mov     dr7, rax

    print   "the watched word is 0x"
    mov     eax, [watched_data]
    call    print_hex
    print   "\nhalted\n"
    cli                                 // HLT with IF=0 waits for nothing
    hlt
end_routine _start

routine report_steps
    push    rax
    print   "single steps: 0x"
    pop     rax
    call    print_hex
    print   "\n"
    ret
end_routine report_steps

// ---------------------------------------------------------------------------------------------------------------
// The processor has pushed SS, RSP, RFLAGS, CS and RIP: five words, no error code. Nine registers and RBX make fifteen;
// one word more, and RSP is a multiple of 16 where we call.
#define SAVED_RIP       rsp + 16 + SAVED_REGISTERS
#define SAVED_RFLAGS    rsp + 32 + SAVED_REGISTERS

routine debug_handler                   // TF was cleared on the way in: the handler is not stepped through
    save_registers
    push    rbx
    sub     rsp, 8
    cld
    mov     rbx, dr6
    mov     eax, DR6_CLEAR
    mov     dr6, rax                    // the processor only ever adds to it

    test    ebx, DR6_STEP
    jz      breakpoint_register
single_step:
    inc     dword ptr [steps]
    jmp     resume

breakpoint_register:
    print   "#DB: dr6 0x"
    mov     rax, rbx
    call    print_hex
    print   " rip 0x"
    mov     rax, [SAVED_RIP]
    call    print_hex
    test    ebx, DR6_BREAKPOINT_0
    jz      data_breakpoint
    print   ", before the instruction\n"
set_resume_flag:
    or      dword ptr [SAVED_RFLAGS], RFLAGS_RF
    jmp     resume

data_breakpoint:
    print   ", behind the instruction\n"

resume:
    add     rsp, 8
    pop     rbx
    restore_registers
    iretq
end_routine debug_handler

// INT3: turn single steps on for whoever has called.
routine breakpoint_handler
    or      qword ptr [rsp + 16], RFLAGS_TF     // RFLAGS lies above RIP and CS
    iretq                               // began without TF: the first trap comes after the instruction returned to
end_routine breakpoint_handler

// What a kernel without this gate is left with is a shutdown.
routine double_fault_handler
    cld
    print   "double fault, halted\n"
    cli
    hlt
end_routine double_fault_handler

// ---------------------------------------------------------------------------------------------------------------
.data
    .balign 8
table gdt
    .quad   0                                   // 0x00 null
    segment PRESENT|CODE, LONG                  // 0x08 kernel code
    segment PRESENT|DATA, FLAT                  // 0x10 kernel data
    segment PRESENT|RING_3|DATA, FLAT           // 0x18 user data
    segment PRESENT|RING_3|CODE, LONG           // 0x20 user code
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

    .balign 4
table steps
    .long   0
end_table steps

table watched_data                              // LEN1 = 3 wants an address that is a multiple of 4
    .long   0
end_table watched_data

.bss
    .balign PAGE_SIZE
table idt                                       // 256 gates, not present until set_gate
    .skip   256 * 16
end_table idt

stack kernel_stack
stack double_fault_stack                        // TSS.IST1

#include "tables.inc"
#include "print.inc"
