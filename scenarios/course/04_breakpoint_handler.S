// 04_breakpoint_handler.S: count the breakpoints of a program in ring 3.
//
// You get    [rsp]           the saved RIP; above it CS, RFLAGS, RSP and SS. #BP has no error code
//            breakpoints     a variable of eight bytes
//            last_rip        another
//
// Add 1 to breakpoints, copy the saved RIP into last_rip, and return. The program must find all its registers as they
// were. The saved RIP is right as it is: do not change it.

.intel_syntax noprefix
#include "course.inc"

.text
routine breakpoint_handler
    unfinished                          // write the handler in place of this line
end_routine breakpoint_handler
