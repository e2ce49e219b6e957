// kernel.S: a small program in real mode. It makes one entry of the interrupt vector table, executes INT3, and says
// how often that was handled.
//
// It is entered at _start, with CS and the other segments 0, interrupts off, SP = 0x7000, and the interrupt vector
// table at address 0, all zero. breakpoint_handler is in handler.S.

.intel_syntax noprefix

#define BREAKPOINT      3               // the vector of INT3
#define ENTRY           BREAKPOINT * 4
#define VGA_SEGMENT     0xb800          // times 16: the text screen, two bytes a cell, the character and its colours
#define GREY_ON_BLACK   0x07

.code16
.text
.globl  _start
.type   _start, @function
_start:
    mov     word ptr ds:[ENTRY], offset breakpoint_handler
    mov     word ptr ds:[ENTRY + 2], cs

kernel_ready:
    mov     ax, 0x1122                  // whatever the handler does, AX has to be as it was
    int3
after_int3:
    mov     bl, [hits]
    add     bl, '0'
    mov     [digit], bl

    mov     cx, VGA_SEGMENT
    mov     es, cx
    mov     si, offset message
    xor     di, di
    mov     bh, GREY_ON_BLACK
next_character:
    mov     bl, [si]
    test    bl, bl
    jz      done
    mov     es:[di], bx
    inc     si
    add     di, 2
    jmp     next_character
done:
    cli                                 // HLT with IF=0 waits for nothing
    hlt
.size   _start, . - _start

.data
    .balign 4
.globl  hits
.type   hits, @object
hits:                                   // breakpoint_handler adds one
    .long   0
.size   hits, 4

message:
    .ascii  "INT3 was handled: "
digit:
    .asciz  "0"
