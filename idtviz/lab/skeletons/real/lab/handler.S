// handler.S: what the processor enters through entry 3 of the interrupt vector table. This is the file to write.
//
// From the top of the stack, as it is found: IP, CS, FLAGS. INT3 is a trap: IP is that of the next
// instruction. There is no error code.

.intel_syntax noprefix

.code16
.text
.globl  breakpoint_handler
.type   breakpoint_handler, @function
breakpoint_handler:
    cli                                 // instead of these two: add one to hits, and go back
    hlt
.size   breakpoint_handler, . - breakpoint_handler
