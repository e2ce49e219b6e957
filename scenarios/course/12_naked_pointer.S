// 12_naked_pointer.S: a stub in assembly, a function in C, and a pointer between them.
//
//   UD2 -> #UD -> invalid_opcode_stub -> skip_instruction(frame) -> frame->rip += 2 -> IRETQ -> behind UD2
//
// A compiler's prologue would push registers before anyone has seen where the frame is, so the stub is naked: written
// by hand. It saves the registers, and the pointer that it passes is wrong. 12_naked_pointer_stub.S is yours to mend.

.intel_syntax noprefix
#include "course.inc"

.text
routine _start
    set_up
    gate    INVALID_OPCODE, invalid_opcode_stub, INTERRUPT_GATE

kernel_ready:
    mov     r11d, 0x1234                // any number that one knows again
unknown_instruction:
    ud2                                 // two bytes, 0x0f 0x0b: they always raise #UD
behind_it:
    print   "went on behind UD2\n"
    call    print_what_was_told
done:
    finish
end_routine _start

// skip_instruction has been called for the third time, and there is one UD2 alone.
routine give_up
    print   "the same UD2 for the third time\n"
    call    print_what_was_told
    finish
end_routine give_up

routine print_what_was_told
    lea     rax, [rip + unknown_instruction]
    cmp     rax, [rip + reported_rip]
    jne     not_the_rip
    cmp     qword ptr [rip + reported_cs], KERNEL_CODE
    jne     not_the_rip
    print   "the function was told the truth\n"
    ret
not_the_rip:
    print   "the function was told rip 0x"
    print_number [rip + reported_rip]
    print   " and cs 0x"
    print_number [rip + reported_cs]
    print   "\n"
    ret
end_routine print_what_was_told

#include "course_setup.inc"
