// direction_flag.S: a tick comes while a copy runs backwards, and the handler fills memory forwards, as it believes.
//
// RFLAGS.DF is the interrupted program's until the handler says CLD. The copy has good reason to run from high
// addresses to low ones: source and destination overlap. The handler's REP STOSB then runs the same way. Instead of the
// line it clears what lies below, which is the kernel's name.

.intel_syntax noprefix
#include "bugs.inc"

#define LENGTH          0x8000          // REP MOVSB of these bytes, again and again, until a tick comes
#define LINE            16

.text
routine _start
    set_up
    gate    IRQ_BASE + TIMER_IRQ, timer_handler, INTERRUPT_GATE
    call    set_up_timer
    let_through 0b11111110

kernel_ready:
    std                                 // one byte upwards: from the end, or each byte would overwrite the next
    sti
copy_again:
    lea     rsi, [rip + text + LENGTH - 1]
    lea     rdi, [rip + text + LENGTH]
    mov     ecx, LENGTH
    rep     movsb
    cmp     dword ptr [rip + ticks], 2
    jb      copy_again
    cli
    cld
    print   "the kernel is called "
    lea     rsi, [rip + kernel_name]
    call    print_string
    print   ".\n"
    finish
end_routine _start

// It counts, and begins a new line.
routine timer_handler
    push    rax
    push    rcx
    push    rdi
#ifdef FIXED
    cld
#endif
    inc     dword ptr [rip + ticks]
    lea     rdi, [rip + line]
    mov     ecx, LINE
    xor     eax, eax
    rep     stosb
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    pop     rdi
    pop     rcx
    pop     rax
    iretq
end_routine timer_handler

.data
    .balign 4
table ticks
    .long   0
end_table ticks
table kernel_name
    .asciz  "the exemplary one"
end_table kernel_name
table line
    .skip   LINE
end_table line

.bss
table text
    .skip   LENGTH + 1
end_table text

#include "bugs_setup.inc"
