// kernel.S: a small kernel in 64-bit mode. It makes one gate, executes INT3, and says how often that was handled.
//
// It is entered at _start, with paging on (the first GiB, each address its own), interrupts off, CS = 0x08 and
// SS = 0x10, and without any table of its own. breakpoint_handler is in handler.S.

.intel_syntax noprefix

#define KERNEL_CODE     0x08            // a selector: the descriptor's index in the GDT times 8
#define INTERRUPT_GATE  0x8e00          // P=1 DPL=0 type=0xE
#define BREAKPOINT      3               // the vector of INT3
#define GATE            idt + BREAKPOINT * 16
#define VGA             0xb8000         // the text screen: two bytes a cell, the character and its colours
#define GREY_ON_BLACK   0x07

.text
.globl  _start
.type   _start, @function
_start:
    lea     rsp, [rip + stack_top]
    lgdt    [rip + gdt_pointer]         // an IRETQ reads the descriptors of CS and SS from there

    lea     rax, [rip + breakpoint_handler]
    mov     [GATE], ax                  // offset 15:0
    mov     word ptr [GATE + 2], KERNEL_CODE
    mov     word ptr [GATE + 4], INTERRUPT_GATE
    shr     rax, 16
    mov     [GATE + 6], ax              // offset 31:16
    shr     rax, 16
    mov     [GATE + 8], eax             // offset 63:32
    lidt    [rip + idt_pointer]

kernel_ready:
    movabs  rax, 0x1122334455667788     // whatever the handler does, RAX has to be as it was
    int3
after_int3:
    mov     bl, [rip + hits]
    add     bl, '0'
    mov     [rip + digit], bl

    lea     rsi, [rip + message]
    mov     edi, VGA
    mov     bh, GREY_ON_BLACK
next_character:
    mov     bl, [rsi]
    test    bl, bl
    jz      done
    mov     [rdi], bx
    inc     rsi
    add     rdi, 2
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
    .quad   0x00af9b000000ffff          // 0x08 code: P=1 DPL=0 L=1
    .quad   0x00cf93000000ffff          // 0x10 data: P=1 DPL=0, writable
gdt_pointer:
    .word   gdt_pointer - gdt - 1       // a limit is the last byte's offset
    .quad   gdt
idt_pointer:
    .word   256 * 16 - 1
    .quad   idt

.bss
    .balign 4096
idt:                                    // 256 gates of sixteen bytes; P=0 until one is made
    .skip   256 * 16
    .skip   4096
stack_top:
    .skip   16
