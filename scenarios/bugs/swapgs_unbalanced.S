// swapgs_unbalanced.S: the timer's handler exchanges GS.base without asking where it comes from.
//
// SWAPGS is for the way in from ring 3. A tick that comes during a system call finds the kernel's GS.base in place, and
// one more SWAPGS brings ring 3's back. That is 0 here, as with most programs: the handler counts at address 0, where
// there is no page, and the kernel has a page fault of its own. The saved CS would have told.

.intel_syntax noprefix
#include "bugs.inc"

#define MSR_KERNEL_GS   0xc0000102      // what SWAPGS puts into GS.base, and takes back
#define TICKS           0               // offset in per_processor

#define WAIT            1               // EAX: wait for a tick
#define EXIT            2               // EAX

// Exchange GS.base if ring 3 was interrupted. `cs` is where the saved CS lies.
.macro swapgs_from_ring_3 cs
    test    byte ptr [rsp + \cs], 3
    jz      .Lring_0\@
    swapgs
.Lring_0\@:
.endm

.text
routine _start
    set_up
    gate    IRQ_BASE + TIMER_IRQ, timer_handler, INTERRUPT_GATE
    gate    SYSTEM_CALL, system_call_handler, INTERRUPT_GATE|GATE_DPL_3

    xor     eax, eax                    // no page at address 0
    mov     [pt], rax
    invlpg  [rax]
    mov     ecx, MSR_KERNEL_GS
    lea     rax, [rip + per_processor]
    xor     edx, edx
    wrmsr
    call    set_up_timer
    let_through 0b11111110

kernel_ready:
    enter_ring_3 user_start, user_stack_top
end_routine _start

routine timer_handler
    push    rax
#ifdef FIXED
    swapgs_from_ring_3 16
#else
    swapgs
#endif
    inc     dword ptr gs:[TICKS]
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
#ifdef FIXED
    swapgs_from_ring_3 16
#else
    swapgs
#endif
    pop     rax
    iretq
end_routine timer_handler

routine system_call_handler
    save_registers
    swapgs_from_ring_3 8+SAVED_REGISTERS
    cld
    cmp     eax, EXIT
    je      exit
    mov     eax, gs:[TICKS]
    sti                                 // this may take long: interrupts are welcome
no_tick_yet:
    cmp     eax, gs:[TICKS]
    je      no_tick_yet
    cli
    swapgs_from_ring_3 8+SAVED_REGISTERS
    restore_registers
    iretq
exit:
    print   "ring 3 has waited for a tick, and is done\n"
    finish
end_routine system_call_handler

.section .user.text, "ax", @progbits
routine user_start
    mov     eax, WAIT
    int     SYSTEM_CALL
    mov     eax, EXIT
    int     SYSTEM_CALL
end_routine user_start

.section .user.stack, "aw", @nobits
stack user_stack

.data
    .balign 8
table per_processor                     // GS.base in the kernel
    .long   0                           // TICKS
end_table per_processor

#include "bugs_setup.inc"
