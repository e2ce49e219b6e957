// dummy_error_code.S: a stub pushes a zero for an error code that the processor has pushed already.
//
// Stubs make all frames alike: where the processor pushes no error code, they push a zero. Which vectors push one is a
// list that is copied from kernel to kernel: 8, 10 to 14, and 17, the alignment check, which some lists forget. Then
// there are two error codes, one is taken away, and IRETQ takes the other for RIP.

.intel_syntax noprefix
#include "bugs.inc"

.text
routine _start
    set_up
    gate    BREAKPOINT,      breakpoint_stub,      INTERRUPT_GATE|GATE_DPL_3
    gate    ALIGNMENT_CHECK, alignment_check_stub, INTERRUPT_GATE
    gate    SYSTEM_CALL,     system_call_handler,  INTERRUPT_GATE|GATE_DPL_3

    mov     rax, cr0
    bts     rax, CR0_AM
    mov     cr0, rax
kernel_ready:
    enter_ring_3 user_start, user_stack_top
end_routine _start

routine breakpoint_stub
    push    0
    push    BREAKPOINT
    jmp     common_stub
end_routine breakpoint_stub

routine alignment_check_stub
#ifndef FIXED
    push    0
#endif
    push    ALIGNMENT_CHECK
    jmp     common_stub
end_routine alignment_check_stub

// From RBX on: RBX, nine registers, vector, error code, RIP, CS, RFLAGS.
#define VECTOR          rbx + 8 + SAVED_REGISTERS
#define ERROR_CODE      VECTOR + 8
#define SAVED_RIP       VECTOR + 16
#define SAVED_RFLAGS    VECTOR + 32

routine common_stub
    save_registers
    push    rbx
    mov     rbx, rsp
    and     rsp, -16                    // whatever the stubs have pushed
    cld
    print   "vector 0x"
    mov     rax, [VECTOR]
    call    print_hex
    print   ", error code 0x"
    mov     rax, [ERROR_CODE]
    call    print_hex
    print   ", rip 0x"
    mov     rax, [SAVED_RIP]
    call    print_hex
    print   "\n"
    and     dword ptr [SAVED_RFLAGS], ~RFLAGS_AC        // from now on misaligned accesses are let in
    mov     rsp, rbx
    pop     rbx
    restore_registers
    add     rsp, 16                     // the vector and the error code
stub_return:
    iretq
end_routine common_stub

routine system_call_handler
    save_registers
    cld
    print   "ring 3 has gone on\n"
    finish
end_routine system_call_handler

// ---------------------------------------------------------------------------------------------------------------
.section .user.text, "ax", @progbits
routine user_start
    int3
    pushfq
    or      dword ptr [rsp], RFLAGS_AC
    popfq
misaligned:
    mov     eax, [user_stack + 1]
    int     SYSTEM_CALL
end_routine user_start

.section .user.stack, "aw", @nobits
stack user_stack

#include "bugs_setup.inc"
