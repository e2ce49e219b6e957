// bzimage_hello.S: not Linux, but in its format: a setup header, and 32-bit code that is loaded at 1 MiB.
//
// The header's fields and the state at the entry are those of boot.rst in the kernel's documentation, boot protocol
// 2.15. The loader copies the header into a page of its own, the "zero page", fills in what it knows, and enters
// startup_32 with ESI at that page.

.intel_syntax noprefix
#include "kernel32.inc"

#define SETUP_HEADER    0x1f1
#define LOADED_HIGH     0x01
#define KERNEL_AT       0x100000

// Fields of the zero page.
#define ORIG_VIDEO_COLS 0x007
#define E820_ENTRIES    0x1e8
#define RAMDISK_IMAGE   0x218
#define RAMDISK_SIZE    0x21c
#define CMD_LINE_PTR    0x228

// ---------------------------------------------------------------------------------------------------------------
.section .setup, "a"
table setup_header
    .org    SETUP_HEADER
    .byte   1                           // setup_sects: sectors of setup behind the first
    .word   0                           // root_flags
    .long   0                           // syssize
    .word   0                           // ram_size
    .word   0xffff                      // vid_mode: normal
    .word   0                           // root_dev
    .word   0xaa55                      // boot_flag
    .byte   0xeb, header_end - . - 1    // jump: over the header. Its length tells a loader how long the header is
    .ascii  "HdrS"
    .word   0x020f                      // version: 2.15
    .long   0                           // realmode_swtch
    .word   0                           // start_sys_seg
    .word   0                           // kernel_version
    .byte   0                           // type_of_loader: the loader writes this
    .byte   LOADED_HIGH                 // loadflags
    .word   0                           // setup_move_size
    .long   KERNEL_AT                   // code32_start
    .long   0, 0                        // ramdisk_image, ramdisk_size: the loader's
    .long   0                           // bootsect_kludge
    .word   0                           // heap_end_ptr
    .byte   0, 0                        // ext_loader_ver, ext_loader_type
    .long   0                           // cmd_line_ptr: the loader's
    .long   0x7fffffff                  // initrd_addr_max
    .long   0x1000                      // kernel_alignment
    .byte   0                           // relocatable_kernel: no
    .byte   12                          // min_alignment, as a power of two
    .word   0                           // xloadflags
    .long   255                         // cmdline_size
    .long   0                           // hardware_subarch
    .quad   0                           // hardware_subarch_data
    .long   0, 0                        // payload_offset, payload_length
    .quad   0                           // setup_data
    .quad   KERNEL_AT                   // pref_address
    .long   kernel_end - KERNEL_AT      // init_size
    .long   0                           // handover_offset
    .long   0                           // kernel_info_offset
header_end:
end_table setup_header

// ---------------------------------------------------------------------------------------------------------------
.text
routine startup_32
    mov     esp, offset kernel_stack_top
    mov     ebp, esi                    // the zero page
kernel_ready:
    print   "command line: "
    mov     esi, [ebp + CMD_LINE_PTR]
    call    print_string
    print   "\ninitial RAM disk: "
initial_ram_disk:
    mov     ecx, [ebp + RAMDISK_SIZE]
    mov     esi, [ebp + RAMDISK_IMAGE]
    mov     edi, offset text
    rep     movsb                       // a zero follows: .bss is not filled beyond
    mov     esi, offset text
    call    print_string
    print   "columns: 0x"
    movzx   eax, byte ptr [ebp + ORIG_VIDEO_COLS]
    call    print_hex
    print   ", entries of the memory map: 0x"
    movzx   eax, byte ptr [ebp + E820_ENTRIES]
    call    print_hex
    print   "\n"
halt:
    cli
    hlt
    jmp     halt
end_routine startup_32

// ---------------------------------------------------------------------------------------------------------------
.bss
stack kernel_stack
table text
    .skip   512
end_table text

#include "print32.inc"
