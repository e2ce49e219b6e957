// disk_loader.S: a hard disk of 16 sectors. Its first is a master boot record with a partition table; the partition
// begins with a boot sector of its own, which counts in a sector of the disk how often it has been booted.
//
// Both go to 0x7C00, one after the other: the first makes room for the second. It is linked for the place that it moves
// to, so what has a name at 0x7C00 is the second.

.intel_syntax noprefix
#include "pc.inc"

#define RELOCATED       0x0600          // where a master boot record goes to
#define SECTOR          512
#define BOOT_SECTOR     0x7c00
#define BUFFER          0x8000

#define TABLE           446             // four entries of 16 bytes
#define ENTRIES_END     510
#define ACTIVE          0x80
#define ENTRY_LBA       8
#define PARTITION       8               // the LBA at which ours begins
#define PARTITION_SECTORS 8
#define COUNTER         (PARTITION + 1) // the sector that holds the count

#define VIDEO           0x10
#define TELETYPE        0x0e
#define DISK            0x13
#define HAS_EXTENSION   0x41            // BX = 0x55aa
#define READ_LBA        0x42            // DS:SI = packet
#define WRITE_LBA       0x43
#define PARAMETERS      0x48            // DS:SI = buffer

.code16
.section .master, "awx"
routine master
    cli
    xor     ax, ax
    mov     ds, ax
    mov     es, ax
    mov     ss, ax
    mov     sp, BOOT_SECTOR
    sti
    cld
    mov     si, BOOT_SECTOR
    mov     di, RELOCATED
    mov     cx, SECTOR / 2
    rep movsw
    ljmp    0, offset relocated
relocated:
    mov     bp, RELOCATED + TABLE
look_at_entry:
    test    byte ptr [bp], ACTIVE
    jnz     found
    add     bp, 16
    cmp     bp, RELOCATED + ENTRIES_END
    jb      look_at_entry
    int     0x18                        // nothing to boot: the BIOS says so
found:
    mov     ah, HAS_EXTENSION
    mov     bx, 0x55aa
    int     DISK
    jc      no_extension
    mov     eax, [bp + ENTRY_LBA]
    mov     [packet_lba], eax
    mov     si, offset packet
    mov     ah, READ_LBA
read_partition:
    int     DISK
    jc      no_extension
    mov     si, bp                      // DS:SI = the entry, for whoever wants to know; DL = the drive
enter_partition:
    ljmp    0, BOOT_SECTOR
no_extension:
    cli
    hlt
end_routine master

    .balign 4
table packet
    .byte   16, 0
    .word   1                           // sectors
    .word   BOOT_SECTOR, 0              // offset, segment
packet_lba:
    .quad   0
end_table packet

    .org    TABLE
    .byte   ACTIVE, 0, PARTITION + 1, 0 // first: head 0, sector 9, cylinder 0
    .byte   0xda, 0, PARTITION + PARTITION_SECTORS, 0   // type: no file system; last
    .long   PARTITION, PARTITION_SECTORS
    .org    ENTRIES_END
    .word   0xaa55

// ---------------------------------------------------------------------------------------------------------------
// The partition: its boot sector, then the sector of the counter.
.section .partition, "awx"
routine _start
    mov     [drive], dl
    mov     si, offset hello_text
    call    print

    mov     si, BUFFER
    mov     word ptr [si], 26           // bytes that there is room for
    mov     ah, PARAMETERS
    mov     dl, [drive]
    int     DISK
    mov     eax, [BUFFER + 16]          // sectors in all
    call    print_number
    mov     si, offset sectors_text
    call    print

    mov     ah, READ_LBA
    call    transfer
    inc     dword ptr [BUFFER]
    mov     ah, WRITE_LBA
    call    transfer
    mov     dword ptr [BUFFER], 0
    mov     ah, READ_LBA                // what was written is there
    call    transfer
    mov     si, offset boots_text
    call    print
    mov     eax, [BUFFER]
    call    print_number
    mov     si, offset end_text
    call    print
    cli
    hlt
end_routine _start

// AH = READ_LBA or WRITE_LBA: the sector of the counter to or from BUFFER.
routine transfer
    mov     si, offset counter_packet
    mov     dl, [drive]
    int     DISK
    jc      failed
    ret
failed:
    mov     si, offset failed_text
    call    print
    cli
    hlt
end_routine transfer

routine print
    lodsb
    test    al, al
    jz      printed
    call    put
    jmp     print
printed:
    ret
end_routine print

// EAX in decimal.
routine print_number
    xor     cx, cx
    mov     ebx, 10
divide:
    xor     edx, edx
    div     ebx
    push    dx
    inc     cx
    test    eax, eax
    jnz     divide
next_digit:
    pop     ax
    add     al, '0'
    call    put
    loop    next_digit
    ret
end_routine print_number

routine put
    mov     ah, TELETYPE
    mov     bx, GREY_ON_BLACK
    int     VIDEO
    ret
end_routine put

hello_text:
    .asciz  "in the boot sector of a partition, on a disk of "
sectors_text:
    .asciz  " sectors\r\n"
boots_text:
    .asciz  "booted so often: "
failed_text:
    .asciz  "the disk cannot be read or written"
end_text:
    .asciz  "\r\n"

drive:
    .byte   0

    .balign 4
table counter_packet
    .byte   16, 0
    .word   1
    .word   BUFFER, 0
    .quad   COUNTER
end_table counter_packet

    .org    SECTOR - 2
    .word   0xaa55

    .org    (COUNTER - PARTITION) * SECTOR
    .long   41                          // as if it had been booted so often
    .org    PARTITION_SECTORS * SECTOR
