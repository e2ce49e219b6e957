// 06_error_codes_stubs.S: one stub for each vector, and a common part that finds the same words in every case.

.intel_syntax noprefix
#include "course.inc"

.text
routine stub_general_protection
    push    GENERAL_PROTECTION          // the error code is there
    jmp     common_part
end_routine stub_general_protection

routine stub_invalid_opcode
    push    0                           // in place of an error code
    push    INVALID_OPCODE
    jmp     common_part
end_routine stub_invalid_opcode

routine common_part
    save_registers
    cld
    lea     rdi, [rsp + SAVED_REGISTERS]
    call    report
    restore_registers
    add     rsp, 16                     // vector and error code
    iretq
end_routine common_part
