// 05_page_fault.S: memory that comes when it is touched.
//
// The 2 MiB from 0x600000 have a page table, and nothing in it. The kernel stores and loads there as if it were
// memory: each first touch of a page is a page fault, and page_fault_handler has to put a page under the address.
// The handler is in 05_page_fault_handler.S.

.intel_syntax noprefix
#include "course.inc"

#define HEAP            0x600000

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    set_up
    gate    PAGE_FAULT, page_fault_handler, INTERRUPT_GATE

    lea     rax, [rip + heap_table + PAGE_WRITABLE + PAGE_PRESENT]
    mov     [pd + 3 * 8], rax           // 2 MiB an entry: number 3 is for 0x600000 to 0x7fffff
kernel_ready:
    mov     edi, HEAP
    mov     eax, 40
first_store:
    mov     [rdi], rax                  // the page is not present: a page fault
first_load:
    mov     rbx, [rdi]                  // now it is: no fault

read_far:
    add     rbx, [rdi + 0x5008]         // another page. Read: it is not present either
write_far:
    mov     qword ptr [rdi + 0x5010], 2 // the page is there by now
    add     rbx, [rdi + 0x5010]

summing_up:
    print   "sum 0x"
    print_number rbx
    print   ", pages 0x"
    print_number [pages_given]
    print   "\n"
    finish
end_routine _start

// RAX = the address of a page of zeros that nobody has. No other register is changed.
routine new_page
    inc     qword ptr [rip + pages_given]
    mov     rax, [rip + next_free]
    add     qword ptr [rip + next_free], PAGE_SIZE
    ret
end_routine new_page

.data
    .balign 8
table next_free
    .quad   free_pages
end_table next_free

.bss
variable pages_given
    .balign PAGE_SIZE
table heap_table                        // 512 entries: entry n is for the page at HEAP + n * PAGE_SIZE
    .skip   PAGE_SIZE
end_table heap_table
free_pages:
    .skip   4 * PAGE_SIZE

#include "course_setup.inc"
