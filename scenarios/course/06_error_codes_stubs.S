// 06_error_codes_stubs.S: one stub for each vector, and a common part that finds the same words in every case.
//
// You get    #GP: [rsp] = error code, then RIP, CS, RFLAGS, RSP, SS
//            #UD: [rsp] = RIP, CS, RFLAGS, RSP, SS
//
// At common_part the stack has to be, from its top: vector, error code, RIP, CS, RFLAGS, RSP, SS. The common part saves
// the registers, calls report with RDI = the address of the vector, gives the registers back, and returns.
//
// Three things are missing. (PUSH with a number pushes eight bytes. The macros are in course.inc.)

.intel_syntax noprefix
#include "course.inc"

.text
routine stub_general_protection
    push    GENERAL_PROTECTION          // the error code is there
    jmp     common_part
end_routine stub_general_protection

routine stub_invalid_opcode
    unfinished                          // 1. three lines in place of this one
end_routine stub_invalid_opcode

routine common_part
    save_registers
    cld
                                        // 2. RDI = the address of the vector: it lies above SAVED_REGISTERS bytes
    call    report
    restore_registers
                                        // 3. IRETQ wants RSP at the saved RIP
    iretq
end_routine common_part
