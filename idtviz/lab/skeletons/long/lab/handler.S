// handler.S: what the processor enters through gate 3. This is the file to write.
//
// From the top of the stack, as it is found: RIP, CS, RFLAGS, RSP, SS. INT3 is a trap: RIP is that of the next
// instruction. There is no error code.

.intel_syntax noprefix

.text
.globl  breakpoint_handler
.type   breakpoint_handler, @function
breakpoint_handler:
    cli                                 // instead of these two: add one to hits, and go back
    hlt
.size   breakpoint_handler, . - breakpoint_handler
