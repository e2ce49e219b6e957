// keyboard.S: from a key to a character, by way of an interrupt.
//
//   key -> 8042 -> IRQ1 -> 8259: request, in service -> vector 0x21 -> keyboard_handler: port 0x60, EOI -> screen
//
// Beside it the 8254 ticks a hundred times a second on IRQ0, and a row of digits in the top right corner counts along.
// The kernel itself only waits.

.intel_syntax noprefix
#include "kernel.inc"

#define FIRST_ROW       1               // print.inc scrolls below the row with the tick counter

#define IRQ_BASE        0x20            // the first vector that the SDM leaves to us: 0 to 31 are the processor's
#define ICW1_INIT       0x11            // edge triggered, a cascade, ICW4 follows
#define ICW3_MASTER     0x04            // the slave hangs on IRQ2: one bit for each line
#define ICW3_SLAVE      2               // the slave's identity: that line's number
#define ICW4_8086       0x01            // vectors as an x86 wants them, EOI by hand
#define OCW2_EOI        0x20            // non-specific: ends the in-service interrupt of highest priority

#define PIT_CHANNEL_0   0x40
#define PIT_MODE        0x43
#define PIT_RATE        0x34            // channel 0, low byte then high byte, mode 2: rate generator
#define PIT_DIVISOR     11932           // 1,193,182 Hz / 11932 = 100 Hz

#define TICK_DIGITS     5
#define TICK_COUNTER    VGA + (COLUMNS - TICK_DIGITS) * 2
#define TICK_LAST_DIGIT VGA + (COLUMNS - 1) * 2

#define KEYBOARD_DATA   0x60
#define KEYBOARD_COMMAND 0x64           // read: the status register
#define STATUS_INPUT_FULL 0x02          // the controller has not taken our last byte yet
#define WRITE_COMMAND_BYTE 0x60
#define COMMAND_BYTE    0x45            // translate to scan code set 1, system flag, interrupt for the first port

#define KEY_RELEASED    0x80            // bit 7 of a scan code: a break code
#define KEY_BACKSPACE   0x0e
#define KEY_LEFT_SHIFT  0x2a
#define KEY_RIGHT_SHIFT 0x36
#define KEYS            0x3a            // the tables of characters end before this code

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    lea     rsp, [rip + kernel_stack_top]

    // Our own GDT. CS keeps its hidden copy of the old descriptor until it is loaded anew, and only a far
    // transfer loads it.
    call    set_tss_base
    lgdt    [rip + gdt_pointer]
    lea     rax, [rip + gdt_loaded]
    push    KERNEL_CODE
    push    rax
    retfq
gdt_loaded:
    mov     eax, KERNEL_DATA
    mov     ss, eax
    mov     ds, eax
    mov     es, eax

    mov     eax, TSS_SELECTOR
    ltr     ax

    gate    IRQ_BASE + 0, timer_handler,        INTERRUPT_GATE
    gate    IRQ_BASE + 1, keyboard_handler,     INTERRUPT_GATE
    gate    DOUBLE_FAULT, double_fault_handler, INTERRUPT_GATE|GATE_IST_1
    lidt    [rip + idt_pointer]

    call    set_up_pics
    call    set_up_timer
    call    set_up_keyboard
    print   "Type: "
    sti                                 // takes effect after the next instruction

kernel_ready:
    hlt                                 // sleeps until an interrupt; its handler returns to the next instruction
    jmp     kernel_ready
end_routine _start

// ---------------------------------------------------------------------------------------------------------------
// As a PC's firmware leaves them, IRQ0 is vector 8, which is #DF. Initialisation is a sequence of four command words:
// the first to the command port, the others to the data port.
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

    mov     al, 0b11111100              // OCW1, the mask: only IRQ0 and IRQ1 get through
    out     PIC_MASTER_DATA, al
    mov     al, 0b11111111
    out     PIC_SLAVE_DATA, al
    ret
end_routine set_up_pics

routine set_up_timer
    mov     al, PIT_RATE
    out     PIT_MODE, al
    mov     al, PIT_DIVISOR & 0xff
    out     PIT_CHANNEL_0, al
    mov     al, PIT_DIVISOR >> 8
    out     PIT_CHANNEL_0, al

    mov     edi, TICK_COUNTER           // five noughts
    mov     ecx, TICK_DIGITS
    mov     eax, GREY_ON_BLACK << 8 | '0'
    rep     stosw
    ret
end_routine set_up_timer

// Firmware would have done this: interrupts on, and codes as the first PC's keyboard sent them.
routine set_up_keyboard
    mov     al, WRITE_COMMAND_BYTE
    out     KEYBOARD_COMMAND, al
not_taken:
    in      al, KEYBOARD_COMMAND
    test    al, STATUS_INPUT_FULL
    jnz     not_taken
    mov     al, COMMAND_BYTE
    out     KEYBOARD_DATA, al
    ret
end_routine set_up_keyboard

// ---------------------------------------------------------------------------------------------------------------
// IRQ0. The digits on the screen are the counter: add one to the last, and carry to the left.
routine timer_handler
    push    rax
    push    rdi
    inc     qword ptr [ticks]
    mov     edi, TICK_LAST_DIGIT
add_one:
    inc     byte ptr [rdi]
    cmp     byte ptr [rdi], '9'
    jbe     counted
    mov     byte ptr [rdi], '0'
    sub     rdi, 2
    cmp     rdi, TICK_COUNTER
    jae     add_one
counted:
    mov     al, OCW2_EOI                // until then the 8259 holds back IRQ0 and everything below it
    out     PIC_MASTER_COMMAND, al
    pop     rdi
    pop     rax
    iretq
end_routine timer_handler

// IRQ1. The processor has pushed five words; nine registers make fourteen, and RSP is a multiple of 16 where we call.
routine keyboard_handler
    save_registers
    cld
    in      al, KEYBOARD_DATA           // the 8042 sends the next code only when this one has been fetched
    movzx   eax, al

    // Shift counts while it is held. Every other key counts when it goes down.
    mov     edx, eax
    and     edx, ~KEY_RELEASED
    cmp     edx, KEY_LEFT_SHIFT
    je      shift_key
    cmp     edx, KEY_RIGHT_SHIFT
    je      shift_key
    cmp     eax, KEY_BACKSPACE
    je      backspace_key
    cmp     eax, KEYS
    jae     key_done                    // released, or a key that has no character

    lea     rdx, [rip + characters]
    cmp     byte ptr [shift_held], 0
    je      echo
    lea     rdx, [rip + shifted_characters]
echo:
    mov     al, [rdx + rax]
    test    al, al
    jz      key_done
    mov     [echo_text], al
    lea     rsi, [rip + echo_text]
    call    print_string
    jmp     key_done

shift_key:
    test    al, KEY_RELEASED
    setz    [shift_held]
    jmp     key_done

backspace_key:                          // one cell back, blank it, and print nothing: that moves the cursor
    mov     eax, [cursor]
    cmp     eax, FIRST_ROW * COLUMNS
    je      key_done
    dec     eax
    mov     [cursor], eax
    mov     byte ptr [VGA + rax * 2], ' '
    print   ""

key_done:
    mov     al, OCW2_EOI                // IRQ1 belongs to the master alone: one EOI
    out     PIC_MASTER_COMMAND, al
    restore_registers
    iretq
end_routine keyboard_handler

// What a kernel without this gate is left with is a shutdown.
routine double_fault_handler
    cld
    print   "double fault, halted\n"
    cli
    hlt
end_routine double_fault_handler

// ---------------------------------------------------------------------------------------------------------------
// Scan code set 1, a US keyboard, from Esc (1) to the space bar (0x39). A zero: no character.
.section .rodata
table characters
    .byte   0, 0                                // 0x01 Esc
    .ascii  "1234567890-="
    .byte   0, 0                                // 0x0e Backspace, 0x0f Tab
    .ascii  "qwertyuiop[]\n"                    // 0x1c Enter
    .byte   0                                   // 0x1d Ctrl
    .ascii  "asdfghjkl;'`"
    .byte   0                                   // 0x2a left Shift
    .ascii  "\\zxcvbnm,./"
    .byte   0, '*', 0, ' '                      // 0x36 right Shift, 0x37 keypad *, 0x38 Alt, 0x39 Space
end_table characters

table shifted_characters
    .byte   0, 0
    .ascii  "!@#$%^&*()_+"
    .byte   0, 0
    .ascii  "QWERTYUIOP{}\n"
    .byte   0
    .ascii  "ASDFGHJKL:\"~"
    .byte   0
    .ascii  "|ZXCVBNM<>?"
    .byte   0, '*', 0, ' '
end_table shifted_characters

// ---------------------------------------------------------------------------------------------------------------
.data
    .balign 8
table gdt
    .quad   0                                   // 0x00 null
    segment PRESENT|CODE, LONG                  // 0x08 kernel code
    segment PRESENT|DATA, FLAT                  // 0x10 kernel data
    segment PRESENT|RING_3|DATA, FLAT           // 0x18 user data
    segment PRESENT|RING_3|CODE, LONG           // 0x20 user code
gdt_tss:
    tss_segment                                 // 0x28 TSS
end_table gdt

gdt_pointer:
    .word   gdt_pointer - gdt - 1               // a limit is the last byte's offset, not a size
    .quad   gdt

idt_pointer:
    .word   256 * 16 - 1
    .quad   idt

    .balign 128                                 // a TSS should not straddle a page
table tss
    task_state kernel_stack_top, double_fault_stack_top
end_table tss

table echo_text                                 // one character and the zero behind it
    .byte   0, 0
end_table echo_text

.bss
    .balign 8
table ticks
    .skip   8
end_table ticks

table shift_held
    .skip   1
end_table shift_held

    .balign PAGE_SIZE
table idt                                       // 256 gates, not present until set_gate
    .skip   256 * 16
end_table idt

stack kernel_stack
stack double_fault_stack                        // TSS.IST1

#include "tables.inc"
#include "print.inc"
