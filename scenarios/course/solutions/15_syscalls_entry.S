// 15_syscalls_entry.S: the kernel's side of SYSCALL.
//
// You get    RCX    RIP to go back to        EAX, RSI    for the service, not to be changed before it
//            R11    RFLAGS to go back to     RSP         still ring 3's: it may be anything. Push nothing on it
//            GS     still ring 3's           IF          0
//
// Write, in this order:
//
//    1  SWAPGS. Now gs:[KERNEL_RSP] and gs:[USER_RSP] are there (course_gs.inc)
//    2  keep RSP in gs:[USER_RSP], and take the kernel's from gs:[KERNEL_RSP]; it is a multiple of 16
//    3  push RCX and R11: the service may change both
//    4  call `service`
//    5  pop R11 and RCX, take RSP back, SWAPGS, and SYSRETQ
//
// The program knows that the registers that a function may change do not come back.

.intel_syntax noprefix
#include "course.inc"
#include "course_gs.inc"

.text
routine syscall_entry
    swapgs
    mov     gs:[USER_RSP], rsp
    mov     rsp, gs:[KERNEL_RSP]
    push    rcx
    push    r11
    call    service
    pop     r11
    pop     rcx
    mov     rsp, gs:[USER_RSP]
    swapgs
    sysretq
end_routine syscall_entry
