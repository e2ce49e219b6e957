// 04_breakpoint.S: INT3, one byte, 0xcc: a debugger writes it over the first byte of an instruction.
//
// A program in ring 3 runs into three of them. #BP is a trap: the frame's RIP is that of the next instruction, so that
// a handler that only counts has nothing to repair. The handler is in 04_breakpoint_handler.S.
//
// Before that, ring 3 tries to call the page fault's handler: INT 14. The gate's DPL does not let it.

.intel_syntax noprefix
#include "course.inc"

#define REPORT          0x30            // ring 3 ends with INT 0x30

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    set_up
    gate    GENERAL_PROTECTION, skip_two_bytes,     INTERRUPT_GATE
    gate    BREAKPOINT,         breakpoint_handler, INTERRUPT_GATE|GATE_DPL_3
    gate    REPORT,             report_handler,     INTERRUPT_GATE|GATE_DPL_3
kernel_ready:
    enter_ring_3 user_start, user_stack_top
end_routine _start

// INT 14 has two bytes. The frame of #GP begins with an error code, which IRETQ does not know of.
routine skip_two_bytes
    add     rsp, 8
    add     qword ptr [rsp], 2
    iretq
end_routine skip_two_bytes

routine report_handler
    cld
    print   "breakpoints 0x"
    print_number [breakpoints]
    print   ", rounds 0x"
    print_number rbx
    lea     rax, [rip + behind_breakpoint]
    cmp     rax, [rip + last_rip]
    jne     wrong_rip
    print   ", last RIP behind INT3\n"
    finish
wrong_rip:
    print   ", last RIP somewhere else\n"
    finish
end_routine report_handler

// ---------------------------------------------------------------------------------------------------------------
.section .user.text, "ax", @progbits
routine user_start
    xor     ebx, ebx
forged_fault:
    int     14                          // two bytes: 0xcd 0x0e
breakpoint:
    int3
behind_breakpoint:
    inc     ebx
    cmp     ebx, 3
    jne     breakpoint
    int     REPORT
    jmp     user_start
end_routine user_start

.section .user.stack, "aw", @nobits
stack user_stack

.bss
variable breakpoints                    // how many there were: the part's to count
variable last_rip                       // the RIP that the last one saved: the part's to note

#include "course_setup.inc"
