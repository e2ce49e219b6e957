// bare_handler.S: the handler of a page fault, and nothing else. There is no kernel around it.
//
// It is assembled and not linked: `report`, which it calls, is not there. idtviz puts a machine around it, with tables
// in good order, a program in ring 3 to be interrupted, and a stand-in for `report` that changes every register that a
// function in C may change. `idtviz check bare_handler.o` does the same without a screen.

.intel_syntax noprefix

#define ERROR_CODE      rsp             // what the processor has pushed, as the handler finds it
#define SAVED_CS        rsp + 16

.text
.globl  page_fault_handler
.type   page_fault_handler, @function
page_fault_handler:
    test    byte ptr [SAVED_CS], 3      // from ring 0 GS.base is the kernel's already
    jz      save_registers
    swapgs
save_registers:
    push    rax                         // the nine that report may change
    push    rcx
    push    rdx
    push    rsi
    push    rdi
    push    r8
    push    r9
    push    r10
    push    r11
    sub     rsp, 8                      // six words and nine: one more, and RSP is a multiple of 16

    cld                                 // C expects DF = 0, and the interrupted program may have set it
    mov     rdi, cr2                    // before anything else can fault, and write over it
    mov     rsi, [ERROR_CODE + 10 * 8]
call_report:
    call    report                      // void report(uint64_t address, uint64_t error_code)

    add     rsp, 8
    pop     r11
    pop     r10
    pop     r9
    pop     r8
    pop     rdi
    pop     rsi
    pop     rdx
    pop     rcx
    pop     rax
    test    byte ptr [SAVED_CS], 3      // the error code is still there: the same distance as on the way in
    jz      drop_error_code
    swapgs
drop_error_code:
    add     rsp, 8
go_back:
    iretq
.size   page_fault_handler, . - page_fault_handler
