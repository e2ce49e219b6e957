// 03_gate.S: sixteen bytes that lead to a handler.
//
// The kernel wants two gates, and has no routine that writes them: set_gate is in 03_gate_writer.S.
//
//   vector 0x30    an interrupt gate, DPL 0, to a handler in the upper half of the address space
//   vector 0x31    a trap gate, DPL 3, so that ring 3 may use it with INT 0x31

.intel_syntax noprefix
#include "course.inc"

// Byte 5 of a gate: P, DPL and type.
#define PRESENT_INTERRUPT_GATE      0x8e
#define PRESENT_TRAP_GATE_DPL_3     0xef

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    set_up
    call    map_high_memory

    lea     rdi, [rip + idt + 0x30 * 16]
    mov     eax, 0xffffffff             // what was in these 32 bytes before is no one's business: all of them count
    mov     ecx, 8
    cld
    rep     stosd
kernel_ready:
    lea     rdi, [rip + idt + 0x30 * 16]
    lea     rsi, [rip + high_handler]
    mov     edx, PRESENT_INTERRUPT_GATE
    call    set_gate

    lea     rdi, [rip + idt + 0x31 * 16]
    lea     rsi, [rip + program_done]
    mov     edx, PRESENT_TRAP_GATE_DPL_3
    call    set_gate
gates_written:
    int     0x30
back_in_kernel:
    enter_ring_3 user_start, user_stack_top
end_routine _start

// Ring 3 has called. A trap gate leaves IF as it was: 1.
routine program_done
    cld
    print   "ring 3 came through gate 0x31"
    pushfq
    pop     rax
    test    eax, RFLAGS_IF
    jz      interrupts_off
    print   " with IF=1\n"
    finish
interrupts_off:
    print   " with IF=0\n"
    finish
end_routine program_done

// The highest 2 GiB: PML4 entry 511, PDPT entry 510. Of them, 2 MiB from 0xffffffff80200000 are those at 0x200000.
routine map_high_memory
    mov     eax, UNMAPPED_MEMORY + PAGE_LARGE + PAGE_WRITABLE + PAGE_PRESENT
    mov     [high_pd + 1 * 8], rax
    lea     rax, [rip + high_pd + PAGE_WRITABLE + PAGE_PRESENT]
    mov     [high_pdpt + 510 * 8], rax
    lea     rax, [rip + high_pdpt + PAGE_WRITABLE + PAGE_PRESENT]
    mov     [pml4 + 511 * 8], rax
    ret
end_routine map_high_memory

// 64 bits of address, and no field of a gate is all zeros.
.section .high.text, "ax", @progbits
    .skip   0xac0
routine high_handler
    save_registers
    cld
    lea     rsi, [rip + high_text]
    movabs  rax, offset print_string
    call    rax
    restore_registers
    iretq
end_routine high_handler

high_text:
    .asciz  "gate 0x30 leads to the upper half\n"

// ---------------------------------------------------------------------------------------------------------------
.section .user.text, "ax", @progbits
routine user_start
    int     0x31                        // the gate's DPL decides whether ring 3 may
    jmp     user_start
end_routine user_start

.section .user.stack, "aw", @nobits
stack user_stack

.bss
    .balign PAGE_SIZE
table high_pdpt
    .skip   PAGE_SIZE
end_table high_pdpt
table high_pd
    .skip   PAGE_SIZE
end_table high_pd

#include "course_setup.inc"
