// page_fault.S: three page faults from ring 3, and what a kernel makes of each.
//
//   error code 6   a write to a page that is not present     the handler maps a frame; the store succeeds
//   error code 7   a write to a page that is read-only       the handler makes it writable; the store succeeds
//   error code 5   a read of a page that is the kernel's     refused; ring 3 goes on elsewhere
//
// A page fault is a fault in the SDM's sense: the RIP in its frame is that of the instruction itself. Repair the
// cause, return, and the instruction runs again as if nothing had been.

.intel_syntax noprefix
#include "kernel.inc"

#define USER_BASE       0x400000        // ring 3 has 4 MiB from here: its program,
#define USER_HEAP       0x600000        // and from here memory that comes when it is touched
#define USER_PAGES      1024            // two page tables

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    lea     rsp, [rip + kernel_stack_top]

    // Our own GDT. CS keeps its hidden copy of the old descriptor until it is loaded anew, and only a far
    // transfer loads it.
    call    set_tss_base
    lgdt    [rip + gdt_pointer]
    lea     rax, [rip + gdt_loaded]
    push    KERNEL_CODE
    push    rax
    retfq
gdt_loaded:
    mov     eax, KERNEL_DATA
    mov     ss, eax
    mov     eax, USER_DATA              // ring 0 does not use them, and IRETQ would clear ring 0's on its way out
    mov     ds, eax
    mov     es, eax

    // The TSS tells where the stack is when ring 3 is interrupted.
    mov     eax, TSS_SELECTOR
    ltr     ax

    gate    PAGE_FAULT,   page_fault_handler,   INTERRUPT_GATE
    gate    DOUBLE_FAULT, double_fault_handler, INTERRUPT_GATE|GATE_IST_1
    gate    SYSTEM_CALL,  system_call_handler,  INTERRUPT_GATE|GATE_DPL_3
    lidt    [rip + idt_pointer]

    lea     rax, [rip + pml4]           // the tables are below, ready made
    mov     cr3, rax

    mov     al, 0xff                    // no device has a part in this story
    out     PIC_MASTER_DATA, al
    out     PIC_SLAVE_DATA, al

kernel_ready:
    // IRETQ is the way down to ring 3, so we push the frame of an interrupt that never was.
    push    USER_DATA                   // SS
    lea     rax, [rip + user_stack_top]
    push    rax                         // RSP
    push    RFLAGS_IF|RFLAGS_ALWAYS_1   // RFLAGS
    push    USER_CODE                   // CS
    lea     rax, [rip + user_start]
    push    rax                         // RIP
    iretq
end_routine _start

// ---------------------------------------------------------------------------------------------------------------
// The processor has pushed SS, RSP, RFLAGS, CS, RIP and an error code: six words. Nine registers and CR2 make
// sixteen, and RSP is a multiple of 16 again where we call.
#define FAULT_ADDRESS   rsp
#define ERROR_CODE      rsp + 8 + SAVED_REGISTERS
#define SAVED_RIP       rsp + 16 + SAVED_REGISTERS

routine page_fault_handler
    save_registers
    mov     rax, cr2                    // the linear address. Take it first: the next page fault overwrites it
    push    rax
    cld                                 // string instructions below; RFLAGS.DF is still ring 3's

    print   "page fault at 0x"
    mov     rax, [FAULT_ADDRESS]
    call    print_hex
    print   " error "
    mov     rax, [ERROR_CODE]
    call    print_hex

    // RDI = the page-table entry, if the address is ring 3's. pt_user and pt_heap lie side by side, so that one
    // index reaches both.
    mov     rax, [FAULT_ADDRESS]
    shr     rax, 12
    sub     rax, USER_BASE / PAGE_SIZE
    cmp     rax, USER_PAGES
    jae     refuse                      // (an address below USER_BASE has become a huge one)
    lea     rdi, [pt_user + rax * 8]

    test    byte ptr [ERROR_CODE], FAULT_PRESENT
    jz      map_page
    test    byte ptr [ERROR_CODE], FAULT_WRITE
    jz      refuse
    test    byte ptr [rdi], PAGE_USER   // a write to a supervisor page has the same error code
    jnz     allow_write

refuse:
    test    byte ptr [ERROR_CODE], FAULT_USER
    jz      kernel_fault
    print   ": refused\n"
    lea     rax, [rip + user_recover]   // run again, the instruction would fault again: return to another
    mov     [SAVED_RIP], rax
    jmp     resume

map_page:
    mov     rax, [rip + next_frame]
    cmp     rax, offset frame_pool_end
    je      refuse
    add     qword ptr [rip + next_frame], PAGE_SIZE
    mov     rcx, PAGE_NO_EXECUTE|PAGE_USER|PAGE_WRITABLE|PAGE_PRESENT
    or      rax, rcx
    mov     [rdi], rax
    print   ": mapped\n"
    jmp     flush

allow_write:
    or      byte ptr [rdi], PAGE_WRITABLE
    print   ": made writable\n"

flush:                                  // the TLB may still hold the entry as it was
    mov     rax, [FAULT_ADDRESS]
    invlpg  [rax]

resume:
    add     rsp, 8                      // CR2
    restore_registers
    add     rsp, 8                      // the error code: IRETQ does not know of it
    iretq

kernel_fault:
    print   ": in the kernel itself, halted\n"
    cli
    hlt
end_routine page_fault_handler

// Ring 3 ends its program with INT 0x80, EDI = a number to report.
routine system_call_handler
    cld
    push    rdi                         // five words and this one; nothing else is saved: we never go back
    print   "done: ring 3 read back 0x"
    mov     rax, [rsp]
    call    print_hex
    print   "\n"
    cli                                 // the gate did it already. HLT with IF=0 waits for nothing
    hlt
end_routine system_call_handler

// What a kernel without this gate is left with is a shutdown.
routine double_fault_handler
    cld
    print   "double fault, halted\n"
    cli
    hlt
end_routine double_fault_handler

// ---------------------------------------------------------------------------------------------------------------
// The program in ring 3. Its pages are the only ones with U=1, at all four levels.
.section .user.text, "ax", @progbits
routine user_start
    mov     edi, USER_HEAP
    mov     eax, 42
user_store:
    mov     [rdi], eax                  // error 6 = user, write, not present
    mov     ebx, [rdi]                  // the store has happened: this reads 42

    lea     rdi, [rip + user_constant]
user_overwrite:
    mov     [rdi], eax                  // error 7 = user, write, present: the page is read-only

    lea     rdi, [kernel_secret]
user_spy:
    mov     ebx, [rdi]                  // error 5 = user, read, present: the page is the supervisor's

user_recover:                           // EBX is still 42: the read that was refused has loaded nothing
    mov     edi, ebx
    int     SYSTEM_CALL
end_routine user_start

.section .user.rodata, "a", @progbits
table user_constant
    .long   7
end_table user_constant

.section .user.stack, "aw", @nobits
stack user_stack

// ---------------------------------------------------------------------------------------------------------------
// Four levels of paging, complete when the linker is done: an entry is an address plus a few bits. U=1 on the way
// down opens nothing by itself: an access from ring 3 needs it at every level.
.data
    .balign PAGE_SIZE
table pml4
    .quad   pdpt + PAGE_USER + PAGE_WRITABLE + PAGE_PRESENT         // the first 512 GiB
    .skip   511 * 8
end_table pml4

table pdpt
    .quad   pd + PAGE_USER + PAGE_WRITABLE + PAGE_PRESENT           // the first GiB
    .skip   511 * 8
end_table pdpt

table pd
    .quad   PAGE_LARGE + PAGE_WRITABLE + PAGE_PRESENT               // 0 to 2 MiB: the kernel's, supervisor
    .quad   0
    .quad   pt_user + PAGE_USER + PAGE_WRITABLE + PAGE_PRESENT      // 0x400000
    .quad   pt_heap + PAGE_USER + PAGE_WRITABLE + PAGE_PRESENT      // 0x600000
    .skip   508 * 8
end_table pd

table pt_user
    .quad   user_start    + PAGE_USER + PAGE_PRESENT                                    // execute and read
    .quad   user_constant + PAGE_USER + PAGE_PRESENT + PAGE_NO_EXECUTE                  // read
    .quad   user_stack    + PAGE_USER + PAGE_PRESENT + PAGE_NO_EXECUTE + PAGE_WRITABLE
    .skip   509 * 8
end_table pt_user

table pt_heap                                                       // nothing yet: page_fault_handler fills it
    .skip   512 * 8
end_table pt_heap

// ---------------------------------------------------------------------------------------------------------------
    .balign 8
table gdt
    .quad   0                                   // 0x00 null
    segment PRESENT|CODE, LONG                  // 0x08 kernel code
    segment PRESENT|DATA, FLAT                  // 0x10 kernel data
    segment PRESENT|RING_3|DATA, FLAT           // 0x18 user data
    segment PRESENT|RING_3|CODE, LONG           // 0x20 user code
gdt_tss:
    tss_segment                                 // 0x28 TSS
end_table gdt

gdt_pointer:
    .word   gdt_pointer - gdt - 1               // a limit is the last byte's offset, not a size
    .quad   gdt

idt_pointer:
    .word   256 * 16 - 1
    .quad   idt

    .balign 128                                 // a TSS should not straddle a page
table tss
    task_state kernel_stack_top, double_fault_stack_top
end_table tss

    .balign 8
table next_frame                                // the pool's first frame that is free
    .quad   frame_pool
end_table next_frame

table kernel_secret
    .quad   0x5ec12e7
end_table kernel_secret

.bss
    .balign PAGE_SIZE
table idt                                       // 256 gates, not present until set_gate
    .skip   256 * 16
end_table idt

stack kernel_stack                              // TSS.RSP0
stack double_fault_stack                        // TSS.IST1

    .balign PAGE_SIZE
frame_pool:
    .skip   4 * PAGE_SIZE
frame_pool_end:

#include "tables.inc"
#include "print.inc"
