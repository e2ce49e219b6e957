// 06_error_codes.S: two kinds of exceptions, and one routine that wants to see no difference.
//
//   #UD   vector 6     pushes no error code
//   #GP   vector 13    pushes one
//
// A kernel has one stub for each vector, and one common part behind all of them. What makes the frames alike is a zero
// that a stub pushes where the processor pushes nothing. The stubs and the common part are in 06_error_codes_stubs.S.

.intel_syntax noprefix
#include "course.inc"

#define NO_SUCH_SELECTOR 0x1238         // index 583 of the GDT, whose limit is 0x37

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    set_up
    gate    GENERAL_PROTECTION, stub_general_protection, INTERRUPT_GATE
    gate    INVALID_OPCODE,     stub_invalid_opcode,     INTERRUPT_GATE
kernel_ready:
    mov     eax, NO_SUCH_SELECTOR
bad_load:
    mov     fs, eax                     // #GP: two bytes
unknown_instruction:
    ud2                                 // #UD: two bytes
both_came_back:
    cmp     rsp, offset kernel_stack_top
    jne     stack_moved
    print   "the stack is as it was\n"
    finish
stack_moved:
    print   "RSP is 0x"
    print_number rsp
    print   ", and was 0x"
    lea     rax, [rip + kernel_stack_top]
    call    print_hex
    print   "\n"
    finish
end_routine _start

// Every exception comes here in the end. RDI = where these lie, eight bytes each:
//
//   vector, error code, RIP, CS, RFLAGS, RSP, SS
//
// It lets the program go on two bytes further. As any routine it may change RAX, RCX, RDX, RSI, RDI and R8 to R11.
routine report
    push    rbx
    mov     rbx, rdi
    print   "vector 0x"
    print_number [rbx]
    print   ", error code 0x"
    print_number [rbx + 8]
    lea     rax, [rip + bad_load]
    cmp     rax, [rbx + 16]
    je      known_rip
    lea     rax, [rip + unknown_instruction]
    cmp     rax, [rbx + 16]
    je      known_rip
    print   ", RIP 0x"
    print_number [rbx + 16]
    print   " is none of ours\n"
    finish
known_rip:
    print   ", RIP of the instruction\n"
    add     qword ptr [rbx + 16], 2
    pop     rbx
    ret
end_routine report

#include "course_setup.inc"
