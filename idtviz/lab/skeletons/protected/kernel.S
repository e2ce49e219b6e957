// kernel.S: a small kernel in 32-bit protected mode. It makes one gate, executes INT3, and says how often that was
// handled.
//
// It is entered at _start, with paging and interrupts off, CS = 0x08, the other segments 0x10, all of them flat, and
// without any table of its own. breakpoint_handler is in handler.S.

.intel_syntax noprefix

#define KERNEL_CODE     0x08            // a selector: the descriptor's index in the GDT times 8
#define INTERRUPT_GATE  0x8e00          // P=1 DPL=0 type=0xE
#define BREAKPOINT      3               // the vector of INT3
#define GATE            idt + BREAKPOINT * 8
#define VGA             0xb8000         // the text screen: two bytes a cell, the character and its colours
#define GREY_ON_BLACK   0x07

.text
.globl  _start
.type   _start, @function
_start:
    mov     esp, offset stack_top
    lgdt    [gdt_pointer]               // an IRET reads the descriptor of CS from there

    mov     eax, offset breakpoint_handler
    mov     [GATE], ax                  // offset 15:0
    mov     word ptr [GATE + 2], KERNEL_CODE
    mov     word ptr [GATE + 4], INTERRUPT_GATE
    shr     eax, 16
    mov     [GATE + 6], ax              // offset 31:16
    lidt    [idt_pointer]

kernel_ready:
    mov     eax, 0x11223344             // whatever the handler does, EAX has to be as it was
    int3
after_int3:
    mov     bl, [hits]
    add     bl, '0'
    mov     [digit], bl

    mov     esi, offset message
    mov     edi, VGA
    mov     bh, GREY_ON_BLACK
next_character:
    mov     bl, [esi]
    test    bl, bl
    jz      done
    mov     [edi], bx
    inc     esi
    add     edi, 2
    jmp     next_character
done:
    cli                                 // HLT with IF=0 waits for nothing
    hlt
.size   _start, . - _start

.data
    .balign 8
.globl  hits
.type   hits, @object
hits:                                   // breakpoint_handler adds one
    .long   0
.size   hits, 4

message:
    .ascii  "INT3 was handled: "
digit:
    .asciz  "0"

    .balign 8
gdt:
    .quad   0                           // 0x00 null
    .quad   0x00cf9b000000ffff          // 0x08 code: base 0, limit 4 GiB, P=1 DPL=0 D=1
    .quad   0x00cf93000000ffff          // 0x10 data: the same, writable
gdt_pointer:
    .word   gdt_pointer - gdt - 1       // a limit is the last byte's offset
    .long   gdt
idt_pointer:
    .word   256 * 8 - 1
    .long   idt

.bss
    .balign 4096
idt:                                    // 256 gates of eight bytes; P=0 until one is made
    .skip   256 * 8
    .skip   4096
stack_top:
    .skip   16
