// 09_ring_and_tss.S: two programs in ring 3, each with a kernel stack of its own.
//
//   INT 0x80 in ring 3  ->  gate  ->  code segment with DPL 0  ->  TSS.RSP0  ->  five words  ->  system_call_handler
//
// Whatever leads from ring 3 to ring 0 takes its stack from the TSS. The kernel runs one program after the other, and
// says before each which stack that is. The routine that says it is yours to write: 09_ring_and_tss_rsp0.S.

.intel_syntax noprefix
#include "course.inc"

#define SYSTEM_CALL     0x80
#define REPORT          1               // EAX: print whose stack the frame lies on
#define EXIT            2               // EAX: this program is done

#define FRAME_WORDS     5               // SS, RSP, RFLAGS, CS, RIP
#define FRAME_END       rsp + SAVED_REGISTERS + FRAME_WORDS * 8

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    set_up
    gate    SYSTEM_CALL, system_call_handler, INTERRUPT_GATE|GATE_DPL_3

kernel_ready:
    lea     rdi, [rip + first_stack_top]
    call    set_rsp0
go_to_first:
    enter_ring_3 first_program, first_user_stack_top
end_routine _start

routine start_second
    lea     rsp, [rip + kernel_stack_top]       // of the first program's stack nothing is needed any more
    lea     rdi, [rip + second_stack_top]
    call    set_rsp0
go_to_second:
    enter_ring_3 second_program, second_user_stack_top
end_routine start_second

// The processor has pushed five words at the end of the stack that RSP0 named; nine registers make fourteen.
routine system_call_handler
    save_registers
    cld
    cmp     eax, EXIT
    je      exit
    lea     rdx, [FRAME_END]            // where the frame ends is what RSP0 was
    lea     rcx, [rip + first_stack_top]
    cmp     rdx, rcx
    je      on_first
    lea     rcx, [rip + second_stack_top]
    cmp     rdx, rcx
    je      on_second
    print   "a system call, on a stack that is nobody's\n"
    jmp     reported
on_first:
    print   "a system call, on the first program's stack\n"
    jmp     reported
on_second:
    print   "a system call, on the second program's stack\n"
reported:
    restore_registers
    iretq

exit:
    cmp     byte ptr [rip + second_runs], 0
    jne     all_done
    inc     byte ptr [rip + second_runs]
    jmp     start_second
all_done:
    print   "both programs are done\n"
    finish
end_routine system_call_handler

// ---------------------------------------------------------------------------------------------------------------
.section .user.text, "ax", @progbits
routine first_program
    mov     eax, REPORT
first_call:
    int     SYSTEM_CALL
    mov     eax, EXIT
    int     SYSTEM_CALL
end_routine first_program

routine second_program
    mov     eax, REPORT
second_call:
    int     SYSTEM_CALL
    mov     eax, EXIT
    int     SYSTEM_CALL
end_routine second_program

.section .user.stack, "aw", @nobits
stack first_user_stack
stack second_user_stack

// ---------------------------------------------------------------------------------------------------------------
.data
#define OWN_TSS
    .balign 128                                 // it should not straddle a page
table tss                                       // offset
    .long   0                                   // 0x00  reserved
    .quad   0                                   // 0x04  RSP0: set_rsp0 writes it
    .quad   0, 0                                // 0x0c  RSP1, RSP2
    .quad   0                                   // 0x1c  reserved
    .quad   double_fault_stack_top              // 0x24  IST1
    .quad   nmi_stack_top                       // 0x2c  IST2
    .quad   0, 0, 0, 0, 0                       // 0x34  IST3 to IST7
    .quad   0                                   // 0x5c  reserved
    .word   0                                   // 0x64  reserved
    .word   0x68                                // 0x66  I/O map base beyond the TSS's end: no map
end_table tss

table second_runs
    .byte   0
end_table second_runs

.bss
stack first_stack
stack second_stack

#include "course_setup.inc"
