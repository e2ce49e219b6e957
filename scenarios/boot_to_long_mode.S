// boot_to_long_mode.S: one INT 0x30 in each of the three modes that a processor passes through at boot.
//
//   real        the IVT, 4 bytes an entry at address 0            frame: IP, CS, FLAGS              2 bytes each
//   protected   the IDT, 8 bytes a gate at the IDTR's base        frame: EIP, CS, EFLAGS            4 bytes each
//   long        the IDT, 16 bytes a gate                          frame: RIP, CS, RFLAGS, RSP, SS   8 bytes each
//
// Each mode needs a table, a stack and a handler of its own kind. Between the modes there is no table that fits:
// interrupts stay off. Last comes a #PF, which real mode does not know.

.intel_syntax noprefix
#include "pc.inc"

#define OUR_VECTOR      0x30

#define CODE_32         0x08
#define DATA_32         0x10
#define CODE_64         0x18

#define CR0_PE          0x00000001
#define CR0_PG          0x80000000
#define CR4_PAE         0x20
#define MSR_EFER        0xc0000080
#define EFER_LME        0x100

#define MAPPED          0x200000        // the page tables end here
#define VGA_SEGMENT     0xb800
#define ROW             COLUMNS * 2     // bytes

// The text at [R]SI goes to ES:[R]DI. The same lines serve in every mode: the assembler finds the registers' widths.
.macro define_say name
routine \name
    mov     ah, GREY_ON_BLACK
1:  lodsb
    test    al, al
    jz      2f
    stosw                               // a cell: the character, and its colours
    jmp     1b
2:  ret
end_routine \name
.endm

// ---------------------------------------------------------------------------------------------------------------
// Real mode. An address is segment * 16 + offset.
.code16
.text
routine _start
    xor     ax, ax
    mov     ds, ax
    mov     ss, ax
    mov     sp, 0x7000
    cld
    mov     ax, VGA_SEGMENT
    mov     es, ax

    mov     word ptr [OUR_VECTOR * 4], offset real_handler
    mov     word ptr [OUR_VECTOR * 4 + 2], 0
real_ready:
    int     OUR_VECTOR

    // A GDT first: the far jump behind the change of CR0 loads CS from it. CR0.PE alone changes no segment register.
    lgdt    [gdt_pointer]
    mov     eax, cr0
    or      eax, CR0_PE
    mov     cr0, eax
enter_protected:
    jmp     CODE_32:protected_start
end_routine _start

routine real_handler
    mov     si, offset real_text
    mov     di, 0 * ROW
    call    say_16
    iret
end_routine real_handler
define_say say_16

// ---------------------------------------------------------------------------------------------------------------
// Protected mode, 32 bits. The gate that INT finds is the kernel's own: the IVT is bytes like any other now.
.code32
routine protected_start
    mov     eax, DATA_32
    mov     ds, eax
    mov     es, eax
    mov     ss, eax
    mov     esp, offset stack_top

    mov     eax, offset protected_handler
    mov     [idt_32 + OUR_VECTOR * 8], ax               // offset 15:0
    mov     word ptr [idt_32 + OUR_VECTOR * 8 + 2], CODE_32
    mov     word ptr [idt_32 + OUR_VECTOR * 8 + 4], INTERRUPT_GATE
    shr     eax, 16
    mov     [idt_32 + OUR_VECTOR * 8 + 6], ax           // offset 31:16
    lidt    [idt_32_pointer]
protected_ready:
    int     OUR_VECTOR

    // Four things make long mode: PAE, page tables of four levels, EFER.LME, and paging. The tables lie ready below.
    mov     eax, cr4
    or      eax, CR4_PAE
    mov     cr4, eax
    mov     eax, offset pml4
    mov     cr3, eax
    mov     ecx, MSR_EFER
    rdmsr
    or      eax, EFER_LME
    wrmsr
    mov     eax, cr0
    or      eax, CR0_PG
    mov     cr0, eax                    // EFER.LMA follows; CS is still one of 32 bits: compatibility mode
enter_long:
    jmp     CODE_64:long_start
end_routine protected_start

routine protected_handler
    mov     esi, offset protected_text
    mov     edi, VGA + 1 * ROW
    call    say_32
    iret                                // IRETD: words of four bytes
end_routine protected_handler
define_say say_32

// ---------------------------------------------------------------------------------------------------------------
// Long mode. An IDT of 8-byte gates would be read as one of 16-byte gates: it has to be a new one.
.code64
routine long_start
    mov     edi, OUR_VECTOR
    mov     esi, offset long_handler
    call    set_gate
    mov     edi, PAGE_FAULT
    mov     esi, offset page_fault_handler
    call    set_gate
    lidt    [rip + idt_64_pointer]
long_ready:
    int     OUR_VECTOR

    mov     eax, MAPPED
touch_unmapped:
    mov     [rax], eax                  // the first byte that no table maps
end_routine long_start

routine long_handler
    mov     esi, offset long_text
    mov     edi, VGA + 2 * ROW
    call    say_64
    iretq                               // words of eight bytes; IRET without the Q would take four
end_routine long_handler

routine page_fault_handler
    mov     esi, offset page_fault_text
    mov     edi, VGA + 3 * ROW
    call    say_64
    cli                                 // HLT with IF=0 waits for nothing
    hlt
end_routine page_fault_handler
define_say say_64

// One gate of sixteen bytes: EDI = vector, ESI = handler. Its upper eight bytes stay zero: we lie below 4 GiB.
routine set_gate
    shl     edi, 4
    lea     rax, [rip + idt_64]
    mov     [rax + rdi], si             // offset 15:0
    mov     word ptr [rax + rdi + 2], CODE_64
    mov     word ptr [rax + rdi + 4], INTERRUPT_GATE
    shr     esi, 16
    mov     [rax + rdi + 6], si         // offset 31:16
    ret
end_routine set_gate

// ---------------------------------------------------------------------------------------------------------------
.section .rodata
real_text:
    .asciz  "real mode:      IVT entry of 4 bytes, frame of 6"
protected_text:
    .asciz  "protected mode: gate of 8 bytes, frame of 12"
long_text:
    .asciz  "long mode:      gate of 16 bytes, frame of 40"
page_fault_text:
    .asciz  "and a page fault, which has an error code: halted"

.data
    .balign 8
table gdt                                       // one GDT for both: the segments differ, the table does not
    .quad   0                                   // 0x00 null
    segment PRESENT|CODE, FLAT                  // 0x08 code of 32 bits
    segment PRESENT|DATA, FLAT                  // 0x10 data
    segment PRESENT|CODE, LONG                  // 0x18 code of 64 bits
end_table gdt

gdt_pointer:
    .word   gdt_pointer - gdt - 1               // a limit is the last byte's offset, not a size
    .long   gdt

idt_32_pointer:
    .word   (OUR_VECTOR + 1) * 8 - 1
    .long   idt_32

idt_64_pointer:                                 // LIDT takes ten bytes in 64-bit mode
    .word   (OUR_VECTOR + 1) * 16 - 1
    .long   idt_64, 0

// The first 2 MiB, each address to itself. A 32-bit object knows no relocation of eight bytes: two words each.
    .balign PAGE_SIZE
table pml4
    .long   pdpt + PAGE_WRITABLE + PAGE_PRESENT, 0
    .skip   511 * 8
end_table pml4

table pdpt
    .long   pd + PAGE_WRITABLE + PAGE_PRESENT, 0
    .skip   511 * 8
end_table pdpt

table pd
    .long   PAGE_LARGE + PAGE_WRITABLE + PAGE_PRESENT, 0
    .skip   511 * 8
end_table pd

.bss
    .balign 16
table idt_32
    .skip   (OUR_VECTOR + 1) * 8
end_table idt_32

    .balign 16
table idt_64
    .skip   (OUR_VECTOR + 1) * 16
end_table idt_64

    .balign 16
    .skip   1024
stack_top:
