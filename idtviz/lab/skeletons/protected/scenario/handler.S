// handler.S: what the processor enters through gate 3.
//
// From the top of the stack, as it is found: EIP, CS, EFLAGS. INT3 is a trap: EIP is that of the next
// instruction. There is no error code.

.intel_syntax noprefix

.text
.globl  breakpoint_handler
.type   breakpoint_handler, @function
breakpoint_handler:
    inc     dword ptr [hits]            // INC changes flags; IRET brings EFLAGS back
    iret
.size   breakpoint_handler, . - breakpoint_handler
