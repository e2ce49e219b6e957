// 12_naked_pointer_stub.S: give the function the frame.
//
// You get    a frame of five words and no error code: [rsp] is the saved RIP. RSP was a multiple of 16 in front of it.
//
// The stub saves the nine registers that a function in C may change, calls
//
//     void skip_instruction(struct interrupt_frame *frame)         frame in RDI (System V ABI)
//
// and gives them back. Nine pushes are 72 bytes, SAVED_REGISTERS. RDI is to point at the saved RIP, and does not.

.intel_syntax noprefix
#include "course.inc"

.text
routine invalid_opcode_stub
    save_registers
    cld                                 // C wants RFLAGS.DF = 0
    mov     rdi, rsp                    // to be changed
call_function:
    call    skip_instruction            // fourteen words: RSP is a multiple of 16 again
    restore_registers
    iretq
end_routine invalid_opcode_stub
