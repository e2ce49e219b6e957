// disk_sector.S: a sector from a disk, changed, written back and read again, by PIO and IRQ14.
//
//   task file -> command -> BSY ... DRQ -> IRQ14 -> slave 8259 -> IRQ2 -> master 8259 -> vector 0x2e -> disk_handler
//
// The drive asks for attention when it has a sector for us, or has taken one. The words themselves are moved by the
// processor, one after the other, through a single port.

.intel_syntax noprefix
#include "kernel32.inc"
#include "ports.inc"

#define IRQ_BASE        0x20            // the first vector that the SDM leaves to us: 0 to 31 are the processor's
#define DISK_IRQ        14

#define ATA_DATA        0x1f0           // 16 bits wide; the others are bytes
#define ATA_COUNT       0x1f2           // sectors
#define ATA_LBA_LOW     0x1f3
#define ATA_LBA_MID     0x1f4
#define ATA_LBA_HIGH    0x1f5
#define ATA_DEVICE      0x1f6           // which drive, LBA or not, and bits 27:24 of the LBA
#define ATA_STATUS      0x1f7           // read: also takes back the interrupt
#define ATA_COMMAND     0x1f7           // written
#define ATA_CONTROL     0x3f6
#define FIRST_DRIVE_BY_LBA 0xe0
#define INTERRUPTS_ON   0x00
#define BSY             0x80            // the drive is at work, and no other bit counts
#define DRQ             0x08            // words are waiting, or wanted
#define READ_SECTORS    0x20
#define WRITE_SECTORS   0x30
#define FLUSH_CACHE     0xe7

#define WORDS           256             // in a sector
#define THE_SECTOR      1
#define DIGIT           27              // where in the sector its text counts

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

    gate    IRQ_BASE + DISK_IRQ, disk_handler, INTERRUPT_GATE
    lidt    [idt_pointer]

    call    set_up_pics
    mov     edx, ATA_CONTROL
    mov     al, INTERRUPTS_ON
    out     dx, al

    call    read_sector
    mov     esi, offset sector
    call    print_string

change_sector:
    inc     byte ptr [sector + DIGIT]
    call    write_sector

    mov     edi, offset sector          // nothing of it is left in memory
    mov     ecx, WORDS / 2
    xor     eax, eax
    rep     stosd
    call    read_sector
    mov     esi, offset sector
    call    print_string

done:
    sti
    hlt
    jmp     done
end_routine _start

// ---------------------------------------------------------------------------------------------------------------
routine read_sector
    mov     al, READ_SECTORS
    call    command
    call    wait_for_disk
data_in:
    mov     edx, ATA_DATA
    mov     edi, offset sector
    mov     ecx, WORDS
    rep     insw
    ret
end_routine read_sector

// For the first sector of a write there is no interrupt: whoever gives the command has the data at hand.
routine write_sector
    mov     al, WRITE_SECTORS
    call    command
    mov     edx, ATA_STATUS
not_asked_for:
    in      al, dx
    test    al, BSY
    jnz     not_asked_for
    test    al, DRQ
    jz      not_asked_for
data_out:
    mov     edx, ATA_DATA
    mov     esi, offset sector
    mov     ecx, WORDS
    rep     outsw
    call    wait_for_disk
    mov     al, FLUSH_CACHE             // a drive may say that it is done when the sector is in its cache
    call    command
    call    wait_for_disk
    ret
end_routine write_sector

// Fill the task file and give the command in AL.
routine command
    mov     byte ptr [disk_ready], 0
    mov     ah, al
    mov     edx, ATA_DEVICE
    mov     al, FIRST_DRIVE_BY_LBA
    out     dx, al
    mov     edx, ATA_COUNT
    mov     al, 1
    out     dx, al
    mov     edx, ATA_LBA_LOW
    mov     al, THE_SECTOR
    out     dx, al
    mov     edx, ATA_LBA_MID
    mov     al, 0
    out     dx, al
    mov     edx, ATA_LBA_HIGH
    out     dx, al
    mov     edx, ATA_COMMAND
    mov     al, ah
    out     dx, al
    ret
end_routine command

// With CLI around the question, the interrupt cannot come between the answer and HLT: STI lets it in one instruction
// later, which is the HLT itself.
routine wait_for_disk
    cli
    cmp     byte ptr [disk_ready], 0
    jne     ready
    sti
    hlt
    jmp     wait_for_disk
ready:
    ret
end_routine wait_for_disk

// ---------------------------------------------------------------------------------------------------------------
// IRQ14.
routine disk_handler
    push    eax
    push    edx
    mov     edx, ATA_STATUS             // to read the status is to take the request back: the line falls
    in      al, dx
    mov     byte ptr [disk_ready], 1
    mov     al, OCW2_EOI
    out     PIC_SLAVE_COMMAND, al
    out     PIC_MASTER_COMMAND, al
    pop     edx
    pop     eax
    iret
end_routine disk_handler

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
    mov     al, 0b10111111              // and of the slave's lines IRQ14
    out     PIC_SLAVE_DATA, al
    ret
end_routine set_up_pics

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
table sector
    .skip   WORDS * 2
end_table sector

table disk_ready
    .skip   1
end_table disk_ready

    .balign PAGE_SIZE
table idt                                       // 256 gates, not present until set_gate
    .skip   256 * 8
end_table idt

stack kernel_stack

#include "tables32.inc"
#include "print32.inc"
