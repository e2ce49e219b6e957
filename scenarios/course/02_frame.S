// 02_frame.S: what the processor leaves on the stack when it is interrupted, word by word.
//
//   MOV FS      a selector that the GDT does not have: #GP, a frame of six words, the last is an error code
//   UD2         an instruction that the processor does not know: #UD, a frame of five words
//
// The first handler is in here. The second one has to read its frame; it is in 02_frame_handler.S.

.intel_syntax noprefix
#include "course.inc"

#define NO_SUCH_SELECTOR 0x1238         // index 583 of the GDT, whose limit is 0x37

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    set_up
    gate    GENERAL_PROTECTION, skip_two_bytes,       INTERRUPT_GATE
    gate    INVALID_OPCODE,     read_the_frame,       INTERRUPT_GATE

    push    0x1111                      // RSP is a multiple of 16 no longer, but of 8 still
kernel_ready:
    mov     eax, NO_SUCH_SELECTOR
bad_load:
    mov     fs, eax                     // #GP: two bytes
behind_bad_load:
    mov     [rip + rsp_before], rsp
    pushfq
    pop     qword ptr [rip + rflags_before]
unknown_instruction:
    ud2                                 // #UD: two bytes
behind_unknown_instruction:
    pop     rax
    print   "RIP 0x"
    print_number [saved_rip]
    print   ", CS 0x"
    print_number [saved_cs]
    print   ", RFLAGS 0x"
    print_number [saved_rflags]
    print   ", RSP 0x"
    print_number [saved_rsp]
    print   ", SS 0x"
    print_number [saved_ss]
    print   "\n"

    lea     rax, [rip + unknown_instruction]
    cmp     rax, [rip + saved_rip]
    jne     wrong
    cmp     qword ptr [rip + saved_cs], KERNEL_CODE
    jne     wrong
    mov     rax, [rip + rflags_before]
    bts     rax, 16                     // a fault saves RF = 1: no breakpoint on the instruction a second time
    cmp     rax, [rip + saved_rflags]
    jne     wrong
    mov     rax, [rip + rsp_before]
    cmp     rax, [rip + saved_rsp]
    jne     wrong
    cmp     qword ptr [rip + saved_ss], KERNEL_DATA
    jne     wrong
    print   "all five are right\n"
    finish
wrong:
    print   "not all five are right\n"
    finish
end_routine _start

// The frame of #GP from its top: error code, RIP, CS, RFLAGS, RSP, SS. The error code has to go before IRETQ.
routine skip_two_bytes
    add     rsp, 8
    add     qword ptr [rsp], 2
    iretq
end_routine skip_two_bytes

.bss
variable rsp_before
variable rflags_before
variable saved_rip                      // these five are the part's to fill
variable saved_cs
variable saved_rflags
variable saved_rsp
variable saved_ss

#include "course_setup.inc"
