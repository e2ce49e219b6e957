// bios.S: the code of the BIOS: what the interrupt vector table points to.
//
// A service is one VMCALL: idtviz performs it at once, reading the caller's registers and writing its answers, the
// caller's FLAGS on the stack among them. What a person should see as instructions stands here as instructions: the
// ticks, the end of an interrupt, the wait for a key, and the way into a boot sector.
//
// The routines stand where the BIOS of the IBM PC/AT has them (Technical Reference, the BIOS listing): programs have
// been written that jump there. Only the last 8 KiB of the segment 0xF000 hold code. The assembler's symbols are local,
// for the linker knows no 16-bit addresses up here.

.intel_syntax noprefix
.code16

#define SEGMENT         0xf000
#define FIRST           0xe000          // the offset in the segment at which this file begins
#define OFFSET(name)    (name - .Lfirst + FIRST)

#define BIOS_DATA       0x40            // the segment of the BIOS's variables
#define TICKS           0x6c            // 32 bits: timer interrupts since midnight
#define MIDNIGHT        0x70            // midnight has passed since the last INT 0x1A
#define TICKS_A_DAY     0x1800b0

#define PIC_MASTER_COMMAND 0x20
#define PIC_MASTER_DATA 0x21
#define PIC_SLAVE_COMMAND 0xa0
#define PIC_SLAVE_DATA  0xa1
#define OCW2_EOI        0x20
#define OCW3_READ_ISR   0x0b
#define KEYBOARD_DATA   0x60
#define KEYBOARD_COMMAND 0x64
#define RTC_INDEX       0x70
#define RTC_DATA        0x71

#define BOOT_SECTOR     0x7c00
#define BOOT_STACK      0x6f00
#define BOOT_SIGNATURE  0xaa55

.macro at offset, name
    .org    \offset - FIRST
    .type   \name, @function
\name:
.endm

// A service that does nothing but return.
.macro service offset, name
    at      \offset, \name
    vmcall
    iret
    .size   \name, . - \name
.endm

.text
.Lfirst:

// ---------------------------------------------------------------------------------------------------------------
// The reset vector leads here: the interrupt controllers, the timer and the keyboard are programmed, idtviz fills the
// interrupt vector table and the BIOS's variables, and the boot begins.
at 0xe05b, bios_post
    cli
    cld
    xor     ax, ax
    mov     ss, ax
    mov     sp, BOOT_STACK

    mov     al, 0x11                    // ICW1: edge triggered, a cascade, ICW4 follows
    out     PIC_MASTER_COMMAND, al
    out     PIC_SLAVE_COMMAND, al
    mov     al, 0x08                    // ICW2: IRQ0 to IRQ7 at vectors 0x08 to 0x0F
    out     PIC_MASTER_DATA, al
    mov     al, 0x70                    // and IRQ8 to IRQ15 at 0x70 to 0x77
    out     PIC_SLAVE_DATA, al
    mov     al, 0x04                    // ICW3: the slave hangs on IRQ2
    out     PIC_MASTER_DATA, al
    mov     al, 0x02
    out     PIC_SLAVE_DATA, al
    mov     al, 0x01                    // ICW4: 8086 mode
    out     PIC_MASTER_DATA, al
    out     PIC_SLAVE_DATA, al
    mov     al, 0xb8                    // OCW1: timer, keyboard, cascade and floppy disk get through
    out     PIC_MASTER_DATA, al
    mov     al, 0x8e                    // real-time clock, mouse, coprocessor and first disk
    out     PIC_SLAVE_DATA, al

    mov     al, 0x34                    // counter 0: both bytes, rate generator
    out     0x43, al
    xor     al, al                      // divided by 65,536
    out     0x40, al
    out     0x40, al

    mov     al, 0x60                    // the 8042's command byte: translate, system flag, IRQ1
    out     KEYBOARD_COMMAND, al
    mov     al, 0x45
    out     KEYBOARD_DATA, al

bios_tables:
    vmcall
    int     0x19
    .size   bios_post, . - bios_post

// ---------------------------------------------------------------------------------------------------------------
at 0xe2c3, bios_int02
    iret
    .size   bios_int02, . - bios_int02

service 0xe3fe, bios_int13

// INT 0x19: the first sector of the drive to 0x7C00, and into it.
at 0xe600, bios_boot
    vmcall                              // DL = the drive; CF: none can be booted from
    jc      bios_int18
    xor     ax, ax
    mov     ds, ax
    mov     es, ax
    mov     ss, ax
    mov     sp, BOOT_STACK
    mov     ax, BOOT_SIGNATURE
    sti
    ljmp    0, BOOT_SECTOR
    .size   bios_boot, . - bios_boot

bios_int18:
    vmcall                              // says so
.Lnothing_to_boot:
    cli
    hlt
    jmp     .Lnothing_to_boot
    .size   bios_int18, . - bios_int18

at 0xe6f2, bios_int19
    jmp     bios_boot
    .size   bios_int19, . - bios_int19

// INT 0x15, AH=0xC0 points here: model, submodel, revision, features.
at 0xe6f5, bios_configuration
    .word   8
    .byte   0xfc, 0x00, 0x01
    .byte   0x74                        // second 8259, real-time clock, INT 0x15 AH=0x4F, extended BIOS data area
    .byte   0, 0, 0, 0
    .size   bios_configuration, . - bios_configuration

service 0xe739, bios_int14

// INT 0x16. Functions 0x00 and 0x10 wait for a key: HLT, until an interrupt has brought one.
at 0xe82e, bios_int16
    test    ah, 0xef
    jz      bios_key_wait
bios_keyboard:
    vmcall
    iret
bios_key_wait:
    cli                                 // else a key could come between the look and HLT
bios_key_take:
    vmcall                              // ZF=0: AX is a key out of the buffer
    jnz     .Lkey_is_here
    sti                                 // takes effect after HLT has begun
    hlt
    jmp     bios_key_wait
.Lkey_is_here:
    iret
    .size   bios_int16, . - bios_int16

// IRQ1: a scan code has come. A program may want to see it first, by INT 0x15 AH=0x4F.
at 0xe987, bios_int09
    push    ax
    in      al, KEYBOARD_DATA
    push    ds
    push    0
    pop     ds
    cmp     word ptr [0x15 * 4 + 2], SEGMENT
    pop     ds
    je      bios_key_arrived
    mov     ah, 0x4f
    stc
    int     0x15
    jnc     .Lkey_done                    // the program has taken it
bios_key_arrived:
    vmcall                              // CF: Ctrl, Alt and Del are down; ZF: Ctrl and Break
    jc      bios_post
    jnz     .Lkey_done
    int     0x1b
.Lkey_done:
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    pop     ax
    iret
    .size   bios_int09, . - bios_int09

// An IRQ that nobody has asked for: ended, unless it was spurious.
bios_irq_master:
    push    ax
    mov     al, OCW3_READ_ISR
    out     PIC_MASTER_COMMAND, al
    in      al, PIC_MASTER_COMMAND
    test    al, al
    jz      .Lspurious
.Lend_of_master:
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
.Lspurious:
    pop     ax
    iret
    .size   bios_irq_master, . - bios_irq_master

bios_irq_slave:
    push    ax
    mov     al, OCW3_READ_ISR
    out     PIC_SLAVE_COMMAND, al
    in      al, PIC_SLAVE_COMMAND
    test    al, al
    jz      .Lend_of_master               // spurious for the slave alone: the master has the cascade in service
    mov     al, OCW2_EOI
    out     PIC_SLAVE_COMMAND, al
    jmp     .Lend_of_master
    .size   bios_irq_slave, . - bios_irq_slave

// IRQ8, the real-time clock: register C has to be read, or there is no next one. INT 0x4A is the alarm.
bios_int70:
    push    ax
    mov     al, 0x0c
    out     RTC_INDEX, al
    in      al, RTC_DATA
    test    al, 0x20
    jz      .Lno_alarm
    int     0x4a
.Lno_alarm:
    mov     al, OCW2_EOI
    out     PIC_SLAVE_COMMAND, al
    jmp     .Lend_of_master
    .size   bios_int70, . - bios_int70

// IRQ9 is where IRQ2 was on the PC: programs hook INT 0x0A.
bios_int71:
    push    ax
    mov     al, OCW2_EOI
    out     PIC_SLAVE_COMMAND, al
    pop     ax
    int     0x0a
    iret
    .size   bios_int71, . - bios_int71

// IRQ13, the coprocessor: as on the PC, where it raised NMI.
bios_int75:
    push    ax
    xor     al, al
    out     0xf0, al
    mov     al, OCW2_EOI
    out     PIC_SLAVE_COMMAND, al
    out     PIC_MASTER_COMMAND, al
    pop     ax
    int     0x02
    iret
    .size   bios_int75, . - bios_int75

// What the screen can do: INT 10h AH=0x1B points here. Modes 0-0x13, text of 400 scan lines, two fonts at a time.
bios_video_functions:
    .byte   0xff, 0xe0, 0x0f, 0, 0, 0, 0, 0x04
    .byte   2, 8, 0x08, 0x00, 0, 0, 0, 0
    .size   bios_video_functions, . - bios_video_functions

service 0xec59, bios_int40

// A floppy disk's parameters, to which vector 0x1E points: what the controller is told, and 18 sectors a track.
at 0xefc7, bios_diskette_parameters
    .byte   0xaf, 0x02, 0x25, 0x02, 18, 0x1b, 0xff, 0x6c, 0xf6, 0x0f, 0x08
    .size   bios_diskette_parameters, . - bios_diskette_parameters

service 0xefd2, bios_int17
service 0xf065, bios_int10
service 0xf841, bios_int12
service 0xf84d, bios_int11

// INT 0x15. Function 0x86 waits: HLT, until enough ticks have gone by.
at 0xf859, bios_int15
    cmp     ah, 0x86
    je      bios_wait
bios_system:
    vmcall
    iret
bios_wait:
    vmcall                              // notes when it began
bios_still_waiting:
    vmcall                              // ZF: over
    jz      .Lwait_is_over
    sti
    hlt
    jmp     bios_still_waiting
.Lwait_is_over:
    iret
    .size   bios_int15, . - bios_int15

service 0xfe6e, bios_int1a

// IRQ0: 18.2 times a second.
at 0xfea5, bios_int08
    push    ax
    push    dx
    push    ds
    mov     ax, BIOS_DATA
    mov     ds, ax
    inc     dword ptr [TICKS]
    cmp     dword ptr [TICKS], TICKS_A_DAY
    jb      .Lsame_day
    mov     dword ptr [TICKS], 0
    inc     byte ptr [MIDNIGHT]
.Lsame_day:
    int     0x1c                        // for whoever wants to be called with each tick
    mov     al, OCW2_EOI
    out     PIC_MASTER_COMMAND, al
    pop     ds
    pop     dx
    pop     ax
    iret
    .size   bios_int08, . - bios_int08

// What the vectors point to that nobody serves.
at 0xff53, bios_iret
    iret
    .size   bios_iret, . - bios_iret

at 0xff54, bios_int05
    iret
    .size   bios_int05, . - bios_int05

at 0xfff0, bios_reset
    ljmp    SEGMENT, OFFSET(bios_post)
    .size   bios_reset, . - bios_reset

    .org    0xfff5 - FIRST
    .ascii  "01/01/26"                  // date
    .byte   0
    .byte   0xfc                        // model: a PC/AT
    .byte   0
