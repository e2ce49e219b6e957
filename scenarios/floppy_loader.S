// floppy_loader.S: how a kernel has always begun. The boot sector reads the sectors behind it by INT 0x13, asks the
// BIOS how much memory there is and for A20, and leaves real mode, and with it the BIOS, for good.
//
//   0x00007C00   this sector, loaded by the BIOS
//   0x00007E00   the sectors behind it, loaded by this one
//   0x00009000   the memory map

.intel_syntax noprefix
#include "pc.inc"

#define SECTOR          512
#define VIDEO           0x10
#define TELETYPE        0x0e            // AL = character
#define DISK            0x13
#define RESET_DISK      0x00
#define READ_SECTORS    0x02            // AL sectors to ES:BX; CH = cylinder, CL = sector, DH = head, DL = drive
#define SYSTEM          0x15
#define ENABLE_A20      0x2401
#define MEMORY_MAP      0xe820
#define SMAP            0x534d4150
#define USABLE          1

#define MAP             0x9000
#define ENTRY_SIZE      20
#define ENTRY_LENGTH    8
#define ENTRY_TYPE      16

#define CODE_32         0x08
#define DATA_32         0x10
#define SERVICE         0x30            // a vector of our own, once there is an IDT

.code16
.text
routine _start
    xor     ax, ax
    mov     ds, ax
    mov     es, ax
    mov     ss, ax
    mov     sp, 0x7c00
    ljmp    0, offset begin
begin:
    cld
    mov     [drive], dl                 // the only thing that the BIOS tells

read_sectors:
    mov     ah, READ_SECTORS
    mov     al, (second_end - second) / SECTOR
    xor     ch, ch                      // cylinder 0
    mov     cl, 2                       // sector 2: they are counted from 1, and the first is this one
    mov     dh, 0                       // head 0
    mov     dl, [drive]
    mov     bx, offset second           // ES:BX
    int     DISK
    jnc     loaded
    mov     ah, RESET_DISK              // a floppy drive may need a second try: the motor has to come up to speed
    int     DISK
    dec     byte ptr [tries]
    jnz     read_sectors
    mov     si, offset failed_text
    call    print
    cli
    hlt
loaded:
    mov     si, offset loaded_text
    call    print
    jmp     second
end_routine _start

// DS:SI = text, up to a zero.
routine print
    mov     ah, TELETYPE
    mov     bx, GREY_ON_BLACK
next_character:
    lodsb
    test    al, al
    jz      printed
    int     VIDEO
    jmp     next_character
printed:
    ret
end_routine print

loaded_text:
    .asciz  "sectors loaded by INT 0x13\r\n"
failed_text:
    .asciz  "the floppy cannot be read\r\n"

table drive
    .byte   0
end_table drive

table tries
    .byte   3
end_table tries

    .org    510
    .word   0xaa55

// ---------------------------------------------------------------------------------------------------------------
// From here on what the boot sector has loaded.
second:
    mov     di, MAP                     // ES:DI
    xor     ebx, ebx                    // 0: from the first entry on
ask_for_entry:
    mov     eax, MEMORY_MAP
    mov     edx, SMAP
    mov     ecx, ENTRY_SIZE
    int     SYSTEM
    jc      map_is_complete
    add     di, ENTRY_SIZE
    test    ebx, ebx                    // 0: that was the last
    jnz     ask_for_entry
map_is_complete:
    mov     [map_end], di

enable_a20:
    mov     ax, ENABLE_A20
    int     SYSTEM
    mov     si, offset no_a20_text
    jc      give_up
test_a20:                               // with A20 low, FFFF:0010 is 0000:0000 once more
    mov     ax, 0xffff
    mov     fs, ax
    mov     eax, [0]
    not     dword ptr fs:[0x10]
    cmp     eax, [0]
    not     dword ptr fs:[0x10]
    je      enter_protected_mode
give_up:
    call    print
    cli
    hlt

enter_protected_mode:
    cli                                 // the BIOS's handlers are 16-bit code: no interrupt from here on
    lgdt    [gdtr]
    mov     eax, cr0
    or      al, 1
    mov     cr0, eax
    ljmp    CODE_32, offset protected

no_a20_text:
    .asciz  "A20 stays low\r\n"

.code32
routine protected
    mov     eax, DATA_32
    mov     ds, eax
    mov     es, eax
    mov     ss, eax
    mov     esp, 0x7c00
    lidt    [idtr]

    xor     ebx, ebx                    // the sum of all usable ranges
    mov     esi, MAP
add_entry:
    cmp     esi, [map_end]
    jae     summed
    cmp     dword ptr [esi + ENTRY_TYPE], USABLE
    jne     next_entry
    add     ebx, [esi + ENTRY_LENGTH]
next_entry:
    add     esi, ENTRY_SIZE
    jmp     add_entry
summed:
    shr     ebx, 10
    mov     eax, ebx
    mov     edi, VGA + 2 * COLUMNS * 2  // row 2
call_service:
    int     SERVICE                     // through a gate now
    mov     esi, offset usable_text
    call    print32
finished:
    hlt
    jmp     finished
end_routine protected

// INT 0x30: EAX in decimal at EDI, which goes on.
routine service_handler
    push    ebx
    push    ecx
    mov     ebx, 10
    xor     ecx, ecx
divide:
    xor     edx, edx
    div     ebx
    push    edx
    inc     ecx
    test    eax, eax
    jnz     divide
next_digit:
    pop     eax
    add     al, '0'
    mov     ah, GREY_ON_BLACK
    stosw
    loop    next_digit
    pop     ecx
    pop     ebx
    iretd
end_routine service_handler

// ESI = text, up to a zero, at EDI.
routine print32
    mov     ah, GREY_ON_BLACK
next_character32:
    lodsb
    test    al, al
    jz      printed32
    stosw
    jmp     next_character32
printed32:
    ret
end_routine print32

usable_text:
    .asciz  " KiB usable by INT 0x15, printed in protected mode"

    .balign 8
table gdt
    .quad   0
    segment PRESENT|CODE, FLAT
    segment PRESENT|DATA, FLAT
gdt_end:
end_table gdt

table gdtr
    .word   gdt_end - gdt - 1
    .long   gdt
end_table gdtr

// Gates up to that of INT 0x30; all others are not present. This one's offset is below 64 KiB: its upper half is 0.
    .balign 8
table idt
    .fill   SERVICE, 8, 0
    .word   service_handler, CODE_32, INTERRUPT_GATE, 0
idt_end:
end_table idt

table idtr
    .word   idt_end - idt - 1
    .long   idt
end_table idtr

table map_end
    .long   0
end_table map_end

    .balign SECTOR
second_end:
