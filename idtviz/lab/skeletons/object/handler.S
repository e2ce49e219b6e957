// handler.S: the handler of a page fault, and nothing else. There is no kernel around it, and it is not linked:
// idtviz puts a machine around it, with tables in good order and a program in ring 3 to be interrupted.
//
// From the top of the stack, as it is found: the error code, RIP, CS, RFLAGS, RSP, SS. CR2 has the address.

.intel_syntax noprefix

.text
.globl  page_fault_handler
.type   page_fault_handler, @function
page_fault_handler:
    push    rax
    mov     rax, cr2                    // before anything else can fault, and write over it
    mov     [rip + last_address], rax
    pop     rax
    add     rsp, 8                      // the error code: IRETQ does not know of it
go_back:
    iretq
.size   page_fault_handler, . - page_fault_handler

.bss
    .balign 8
.globl  last_address
.type   last_address, @object
last_address:
    .skip   8
.size   last_address, 8
