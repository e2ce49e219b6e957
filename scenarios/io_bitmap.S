// io_bitmap.S: ring 3 and the ports.
//
// An IN or OUT is allowed when CPL <= IOPL. Otherwise the processor looks into the I/O permission bitmap at the end of
// the TSS: one bit a port, 0 allows. Whatever the map does not allow is #GP(0).
//
//   user_serial    COM1, IOPL 0, bit 0     allowed by the bitmap
//   user_mask      the 8259's mask, bit 1  #GP(0); the handler raises IOPL to 3 and lets the instruction run again
//   user_cli       CLI, IOPL 3             allowed as well: IOPL is more than ports
//
// Paging is off: nothing but the ports and the instructions is protected from ring 3 here.

.intel_syntax noprefix
#include "kernel32.inc"
#include "ports.inc"

#define PORTS           0x400           // the map covers ports 0 to 0x3ff
#define IO_MAP_END      0xff            // the SDM wants one more byte, all ones: an access may reach over the last bit

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    mov     esp, offset kernel_stack_top

    mov     eax, offset tss
    mov     edi, offset gdt_tss
    call    set_base

    // Our own GDT. Only a far transfer loads CS.
    lgdt    [gdt_pointer]
    jmp     KERNEL_CODE:gdt_loaded
gdt_loaded:
    mov     eax, KERNEL_DATA
    mov     ss, eax
    mov     eax, USER_DATA              // ring 0 may use them too, so that no handler has to change them
    mov     ds, eax
    mov     es, eax

    // The TSS tells where the stack is when ring 3 is interrupted, and where the bitmap is.
    mov     eax, TSS_SELECTOR
    ltr     ax

    gate    GENERAL_PROTECTION, general_protection_handler, INTERRUPT_GATE
    gate    SYSTEM_CALL,        system_call_handler,        INTERRUPT_GATE|GATE_DPL_3
    lidt    [idt_pointer]

    mov     al, 0xff                    // no device interrupts this story
    out     PIC_MASTER_DATA, al
    out     PIC_SLAVE_DATA, al

    // COM1 alone: a 0 in the bitmap is a permission.
    btr     dword ptr [io_map + COM1_DATA / 32 * 4], COM1_DATA % 32
    print   "ring 3, IOPL 0\n"

kernel_ready:
    // IRET is the way down to ring 3, so we push the frame of an interrupt that never was.
    push    USER_DATA                   // SS
    push    offset user_stack_top       // ESP
    push    EFLAGS_IF|EFLAGS_ALWAYS_1   // EFLAGS: IOPL is 0
    push    USER_CODE                   // CS
    push    offset user_start           // EIP
    iret
end_routine _start

// ---------------------------------------------------------------------------------------------------------------
// From the top of the stack: error code, EIP, CS, EFLAGS, ESP, SS; PUSHA adds eight words.
#define ERROR_CODE      esp + 32
#define SAVED_EIP       esp + 36
#define SAVED_EFLAGS    esp + 44

routine general_protection_handler
    pusha
    cld
    print   "#GP, error code 0x"
    mov     eax, [ERROR_CODE]
    call    print_hex
    print   " at eip 0x"
    mov     eax, [SAVED_EIP]
    call    print_hex

    cmp     dword ptr [SAVED_EIP], offset user_mask
    jne     refuse
    test    dword ptr [SAVED_EFLAGS], EFLAGS_IOPL_3
    jnz     refuse
    print   ": IOPL is raised to 3\n"
raise_iopl:                             // IRET loads IOPL only when it runs in ring 0: ring 3 cannot do this by itself
    or      dword ptr [SAVED_EFLAGS], EFLAGS_IOPL_3
    popa
    add     esp, 4                      // the error code: IRET does not know of it
    iret

refuse:
    print   ": refused, halted\n"
    cli
    hlt
end_routine general_protection_handler

// Ring 3 ends its program with INT 0x80. The frame: EIP, CS, EFLAGS, ESP, SS.
routine system_call_handler
    cld
    print   "done: ring 3 has written both ports, and its eflags were 0x"
    mov     eax, [esp + 8]
    call    print_hex
    print   "\n"
    cli                                 // HLT with IF=0 waits for nothing
    hlt
end_routine system_call_handler

// ---------------------------------------------------------------------------------------------------------------
// The program in ring 3.
routine user_start
    mov     esi, offset user_text
    mov     dx, COM1_DATA
next_byte:
    lodsb
user_serial:
    out     dx, al                      // the bitmap is asked each time
    cmp     byte ptr [esi], 0
    jne     next_byte

    mov     al, 0xfb
user_mask:
    out     PIC_MASTER_DATA, al         // not in the bitmap: ring 3 has no business with the interrupt controller
user_cli:
    cli                                 // the same IOPL that opens the ports lets it turn interrupts off
    int     SYSTEM_CALL
end_routine user_start

.section .rodata
table user_text
    .asciz  "written by ring 3\n"
end_table user_text

// ---------------------------------------------------------------------------------------------------------------
.data
    .balign 8
table gdt
    .quad   0                                   // 0x00 null
    segment PRESENT|CODE, FLAT                  // 0x08 kernel code
    segment PRESENT|DATA, FLAT                  // 0x10 kernel data
    segment PRESENT|RING_3|DATA, FLAT           // 0x18 user data
    segment PRESENT|RING_3|CODE, FLAT           // 0x20 user code
gdt_tss:
    tss_segment (tss_end-tss-1)                 // 0x28 TSS: the limit takes the bitmap in
end_table gdt

gdt_pointer:
    .word   gdt_pointer - gdt - 1               // a limit is the last byte's offset, not a size
    .long   gdt

idt_pointer:
    .word   256 * 8 - 1
    .long   idt

    .balign 256                                 // a TSS should not straddle a page
table tss
    task_state esp0=kernel_stack_top, io_map=(io_map-tss)
io_map:
    .skip   PORTS / 8, 0xff                     // 1: forbidden
    .byte   IO_MAP_END
tss_end:
end_table tss

.bss
    .balign PAGE_SIZE
table idt                                       // 256 gates, not present until set_gate
    .skip   256 * 8
end_table idt

stack kernel_stack                              // TSS.ESP0
stack user_stack

#include "tables32.inc"
#include "print32.inc"
