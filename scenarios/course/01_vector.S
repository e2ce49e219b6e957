// 01_vector.S: three events, and who chose the vector of each.
//
//   UD2         the processor knows no such instruction: it chooses vector 6 by itself
//   IRQ5        a device pulls line 5: the interrupt controller says 0x25
//   INT 0x30    the program says it, in the second byte of the instruction
//
// A vector is all that the processor has to go by: it is the number of a gate in the IDT, and the gate leads on.

.intel_syntax noprefix
#define OWN_GATES                       // five, and no others
#include "course.inc"

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    load_stack
    load_gdt
    load_tss
    call    load_page_tables
    call    set_up_pics                 // line 0 of the master is vector 0x20, line 5 is 0x25

    gate    INVALID_OPCODE, invalid_opcode_handler, INTERRUPT_GATE
    gate    IRQ_BASE + 5,   device_handler,         INTERRUPT_GATE
    gate    0x30,           red_handler,            INTERRUPT_GATE
    gate    0x31,           green_handler,          INTERRUPT_GATE
    gate    0x32,           blue_handler,           INTERRUPT_GATE
tables_written:
    lidt    [rip + idt_pointer]
idt_loaded:
    nop

unknown_instruction:
    ud2

    let_through 0b11011111              // line 5 of the master, and no other
wait_for_device:
    sti
    hlt                                 // until IRQ5
    cli

call_colour:
    int     0x30                        // two bytes: 0xcd, and the vector
back_again:
    print   "done\n"
    finish
end_routine _start

// ---------------------------------------------------------------------------------------------------------------
// UD2 has two bytes. The frame's RIP is that of the instruction itself; two more, and IRETQ goes on behind it.
routine invalid_opcode_handler
    add     qword ptr [rsp], 2
    iretq
end_routine invalid_opcode_handler

routine device_handler
    save_registers
    cld
    print   "device\n"
    mov     al, OCW2_EOI                // tell the controller that its interrupt has been served
    out     PIC_MASTER_COMMAND, al
    restore_registers
    iretq
end_routine device_handler

// Three handlers for INT n: each prints its colour.
.macro colour_handler name, colour
routine \name
    save_registers
    cld
    print   "\colour\n"
    restore_registers
    iretq
end_routine \name
.endm

    colour_handler red_handler,   red
    colour_handler green_handler, green
    colour_handler blue_handler,  blue

#include "course_setup.inc"
