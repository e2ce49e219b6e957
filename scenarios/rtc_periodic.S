// rtc_periodic.S: the real-time clock's periodic interrupt, and what becomes of it when register C is not read.
//
//   MC146818 -> IRQ8 -> slave 8259 -> IRQ2 -> master 8259 -> vector 0x28 -> rtc_handler: register C, EOI, EOI
//
// The chip is read and written through two ports: the register's number goes to the first, the value through the second.

.intel_syntax noprefix
#include "kernel32.inc"
#include "ports.inc"

#define IRQ_BASE        0x20            // the first vector that the SDM leaves to us: 0 to 31 are the processor's
#define RTC_IRQ         8

#define CMOS_INDEX      0x70            // bits 0 to 6: the register. Bit 7: no NMIs
#define CMOS_DATA       0x71
#define NMI_OFF         0x80
#define REGISTER_A      0x0a            // bits 0 to 3: the rate
#define REGISTER_B      0x0b
#define REGISTER_C      0x0c            // what has happened. Reading it clears it
#define RATE            0x0f
#define RATE_1024_HZ    0x06            // 32,768 Hz, halved five times
#define PERIODIC_INTERRUPT 0x40         // in register B

#define LAST_TICK       8               // the one whose handler forgets register C

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    mov     esp, offset kernel_stack_top

    lgdt    [gdt_pointer]
    jmp     KERNEL_CODE:gdt_loaded
gdt_loaded:
    mov     eax, KERNEL_DATA
    mov     ds, eax
    mov     es, eax
    mov     fs, eax
    mov     gs, eax
    mov     ss, eax

    gate    IRQ_BASE + RTC_IRQ, rtc_handler, INTERRUPT_GATE
    lidt    [idt_pointer]

    call    set_up_pics
    call    set_up_rtc
    print   "Ticks: "
    sti                                 // takes effect after the next instruction

kernel_ready:
    hlt                                 // sleeps until an interrupt; its handler returns to the next instruction
    jmp     kernel_ready
end_routine _start

// ---------------------------------------------------------------------------------------------------------------
routine set_up_pics
    mov     al, ICW1_INIT
    out     PIC_MASTER_COMMAND, al
    out     PIC_SLAVE_COMMAND, al
    mov     al, IRQ_BASE                // ICW2: the vector of the chip's line 0
    out     PIC_MASTER_DATA, al
    mov     al, IRQ_BASE + 8
    out     PIC_SLAVE_DATA, al
    mov     al, ICW3_MASTER
    out     PIC_MASTER_DATA, al
    mov     al, ICW3_SLAVE
    out     PIC_SLAVE_DATA, al
    mov     al, ICW4_8086
    out     PIC_MASTER_DATA, al
    out     PIC_SLAVE_DATA, al

    mov     al, 0b11111011              // OCW1, the mask: IRQ2 gets through, on which the slave hangs,
    out     PIC_MASTER_DATA, al
    mov     al, 0b11111110              // and of the slave's lines IRQ8
    out     PIC_SLAVE_DATA, al
    ret
end_routine set_up_pics

// Each register is chosen anew: after an access to the data port the choice is not to be relied on.
routine set_up_rtc
    mov     al, NMI_OFF | REGISTER_A    // between the two ports an NMI's handler could choose another register
    out     CMOS_INDEX, al
    in      al, CMOS_DATA
    and     al, ~RATE & 0xff
    or      al, RATE_1024_HZ
    mov     ah, al
    mov     al, NMI_OFF | REGISTER_A
    out     CMOS_INDEX, al
    mov     al, ah
    out     CMOS_DATA, al

    mov     al, NMI_OFF | REGISTER_B
    out     CMOS_INDEX, al
    in      al, CMOS_DATA
    or      al, PERIODIC_INTERRUPT
    mov     ah, al
    mov     al, NMI_OFF | REGISTER_B
    out     CMOS_INDEX, al
    mov     al, ah
    out     CMOS_DATA, al

    mov     al, REGISTER_C              // bit 7 is 0 again: NMIs may come. What has happened so far is read away
    out     CMOS_INDEX, al
    in      al, CMOS_DATA
    ret
end_routine set_up_rtc

// ---------------------------------------------------------------------------------------------------------------
// IRQ8. Two things are to be ended: the chip's request, by reading register C, and the service in both 8259s.
routine rtc_handler
    pusha
    cld
    print   "."
    inc     dword ptr [ticks]
    cmp     dword ptr [ticks], LAST_TICK
    je      forget

read_register_c:
    mov     al, REGISTER_C
    out     CMOS_INDEX, al
    in      al, CMOS_DATA               // clears the flags, and with them the chip's interrupt line
    jmp     end_of_interrupt

forget:
    print   " and register C was not read"

end_of_interrupt:
    mov     al, OCW2_EOI                // IRQ8 went through both chips: two EOIs, the slave's first
    out     PIC_SLAVE_COMMAND, al
    out     PIC_MASTER_COMMAND, al
    popa
    iret
end_routine rtc_handler

// ---------------------------------------------------------------------------------------------------------------
.data
    .balign 8
table gdt
    .quad   0                                   // 0x00 null
    segment PRESENT|CODE, FLAT                  // 0x08 kernel code
    segment PRESENT|DATA, FLAT                  // 0x10 kernel data
end_table gdt

gdt_pointer:
    .word   gdt_pointer - gdt - 1               // a limit is the last byte's offset, not a size
    .long   gdt

idt_pointer:
    .word   256 * 8 - 1
    .long   idt

.bss
    .balign 4
table ticks
    .skip   4
end_table ticks

    .balign PAGE_SIZE
table idt                                       // 256 gates, not present until set_gate
    .skip   256 * 8
end_table idt

stack kernel_stack

#include "tables32.inc"
#include "print32.inc"
