// ist_reentered.S: the handler of a breakpoint, which has a stack of its own, meets a breakpoint.
//
// An IST stack is taken from its top each time, whether someone is on it or not. The handler calls a routine in which a
// breakpoint has been set as well, and the second frame is written over the first. The inner IRETQ still goes well. The
// outer one finds the inner frame: back into the routine it goes, not to the kernel, again and again. The routine
// counts, and gives up in the end.

.intel_syntax noprefix
#include "bugs.inc"

#define GATE_IST_3      0x0003
#define TSS_IST3        0x34            // the field's offset
#ifdef FIXED
#define BREAKPOINT_GATE INTERRUPT_GATE
#else
#define BREAKPOINT_GATE INTERRUPT_GATE|GATE_IST_3
#endif

.text
routine _start
    set_up
    gate    BREAKPOINT, breakpoint_handler, BREAKPOINT_GATE

    lea     rax, [rip + breakpoint_stack_top]
    mov     [rip + tss + TSS_IST3], rax
    lea     rax, [rip + breakpoint_stack_guard]
    mov     ecx, eax
    shr     ecx, 12
    mov     qword ptr [pt + rcx * 8], 0 // no page below this stack either
    invlpg  [rax]

kernel_ready:
    int3
    print   "two breakpoints, one inside the other, and back\n"
    finish
end_routine _start

// It changes no register, so there is none to save; five words and one more make RSP a multiple of 16 at the call.
routine breakpoint_handler
    sub     rsp, 8
    cld
    inc     dword ptr [rip + breakpoints]
    cmp     dword ptr [rip + breakpoints], 1
    jne     breakpoint_done             // one inside the other is enough
    call    probed_routine
breakpoint_done:
    add     rsp, 8
    iretq
end_routine breakpoint_handler

routine probed_routine
    int3
    inc     dword ptr [rip + returns]
    cmp     dword ptr [rip + returns], 3
    je      gone_astray
    ret

gone_astray:
    sub     rsp, 8
    print   "one call, and it comes back the third time\nhalted\n"
    finish
end_routine probed_routine

.data
    .balign 4
table breakpoints
    .long   0
end_table breakpoints
table returns                           // how often INT3 in probed_routine has come back
    .long   0
end_table returns

.bss
    .balign PAGE_SIZE
breakpoint_stack_guard:
    .skip   PAGE_SIZE
stack breakpoint_stack                  // TSS.IST3

#include "bugs_setup.inc"
