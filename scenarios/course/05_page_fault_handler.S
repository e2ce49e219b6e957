// 05_page_fault_handler.S: put a page under the address that was touched, and let the instruction run again.
//
// You get    CR2                   the address that was touched, somewhere in 0x600000 to 0x7fffff
//            [rsp]                 the error code; above it RIP, CS, RFLAGS, RSP and SS
//            heap_table            the page table: entry n, eight bytes, is for the page at 0x600000 + n * 4096
//            call new_page         gives the address of a fresh page in RAX, and changes no other register
//
// Write into the entry of that page the fresh page's address with PAGE_WRITABLE and PAGE_PRESENT. Then give back every
// register that you have changed, take the error code from the stack, and return: the instruction runs again.
//
// The entry's number is bits 20:12 of the address.

.intel_syntax noprefix
#include "course.inc"

.text
routine page_fault_handler
    unfinished                          // write the handler in place of this line
end_routine page_fault_handler
