// frame_by_value.S: the saved registers are the callee's argument, and the callee works in its arguments.
//
// The stub pushes the registers and calls a function that takes them as a structure by value: they lie where an
// argument has to lie. But arguments belong to the callee. It may use their place as it likes, an optimising compiler
// does, and the stub pops what it has left there: the interrupted program finds another ECX than it had.
//
// The cure: to pass a pointer. What it points at is not the callee's.

.intel_syntax noprefix
#include "bugs32.inc"

.text
routine _start
    set_up
    gate    BREAKPOINT, breakpoint_stub, INTERRUPT_GATE

kernel_ready:
    mov     ecx, 0xcafe
    int3
    mov     ebx, ecx
    print   "\necx afterwards: 0x"
    mov     eax, ebx
    call    print_hex
    finish
end_routine _start

routine breakpoint_stub
    enter_handler
#ifdef FIXED
    push    esp
    call    report
    add     esp, 4
#else
    call    report
#endif
    leave_handler
    iretd
end_routine breakpoint_stub

// Count the bits of the interrupted program's ECX, by shifting it out to the right.
routine report
    print   "bits in ecx:     0x"
#ifdef FIXED                            // void report(const struct registers *registers)
    mov     edx, [esp + 4]
    mov     edx, [edx + SAVED_ECX]
#define WORD            edx
#else                                   // void report(struct registers registers)
#define WORD            dword ptr [esp + 4 + SAVED_ECX]
#endif
    xor     eax, eax
next_bit:
    shr     WORD, 1
    adc     eax, 0
    cmp     WORD, 0
    jne     next_bit
    call    print_hex
    ret
end_routine report

#include "bugs32_setup.inc"
