// argument_not_popped.S: a stub passes an argument on the stack and leaves it there.
//
// The callee gets a pointer to the saved registers. In C's calling convention it is the caller who takes the argument
// away again. This one does not: everything that is popped is off by a word. Each register gets its neighbour's value,
// DS goes into EIP and the old EIP into CS.

.intel_syntax noprefix
#include "bugs32.inc"

.text
routine _start
    set_up
    gate    SYSTEM_CALL, system_call_stub, INTERRUPT_GATE

kernel_ready:
    mov     eax, 1                      // the number of the service
    int     SYSTEM_CALL
    print   "back from the service\n"
    finish
end_routine _start

routine system_call_stub
    enter_handler
    push    esp                         // the argument: where the registers are
    call    service
#ifdef FIXED
    add     esp, 4                      // the argument
#endif
    leave_handler
stub_return:
    iretd
end_routine system_call_stub

// void service(const struct registers *registers)
routine service
    push    ebx
    mov     ebx, [esp + 8]
    print   "service 0x"
    mov     eax, [ebx + SAVED_EAX]
    call    print_hex
    print   ", called from 0x"
    mov     eax, [ebx + SAVED_REGISTERS]
    call    print_hex
    print   "\n"
    pop     ebx
    ret
end_routine service

#include "bugs32_setup.inc"
