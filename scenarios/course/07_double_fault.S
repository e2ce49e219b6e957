// 07_double_fault.S: an exception that cannot be delivered, because its delivery raises another.
//
// Eight experiments. In each of them RSP points to where nothing can be pushed, and an instruction raises a first
// exception. Its delivery raises the second:
//
//   RSP in a page that is not present     #PF
//   RSP that is not canonical             #SS
//
// Either the second one is delivered in place of the first, or the two become a double fault. The gates of the second
// ones and of #DF have stacks of their own, so that the processor can show what it has decided. Before each experiment
// the kernel asks becomes_double_fault for a prediction; that routine is in 07_double_fault_rule.S.

.intel_syntax noprefix
#include "course.inc"

#define NOT_PRESENT     (UNMAPPED_MEMORY + 0x1000)
#define NOT_CANONICAL   0x0000900000000000
#define NO_SUCH_SELECTOR 0x1238

// An experiment: four words of eight bytes.
#define FIRST           0               // vector of the first exception
#define SECOND          8               // vector of the second
#define BAD_RSP         16              // where RSP points
#define TRIGGER         24              // what raises the first
#define EXPERIMENT_SIZE 32
#define EXPERIMENTS     8

// ---------------------------------------------------------------------------------------------------------------
.text
routine _start
    set_up
    gate    DIVIDE_ERROR,       not_expected,     INTERRUPT_GATE
    gate    INVALID_OPCODE,     not_expected,     INTERRUPT_GATE
    gate    GENERAL_PROTECTION, not_expected,     INTERRUPT_GATE
    gate    STACK_FAULT,        stack_fault_came, INTERRUPT_GATE|GATE_IST_3
    gate    DOUBLE_FAULT,       double_fault_came, INTERRUPT_GATE|GATE_IST_1
    lea     rax, [rip + second_stack_top]
    mov     [tss_ist3], rax
kernel_ready:
    lea     rbx, [rip + experiments]
    mov     r12d, EXPERIMENTS
next_experiment:
    mov     edi, [rbx + FIRST]
    mov     esi, [rbx + SECOND]
    call    becomes_double_fault        // EAX = 1: yes; 0: no
    mov     r13d, eax

    // #PF as the second exception needs a good stack; as the first it must not have one.
    mov     ecx, INTERRUPT_GATE|GATE_IST_3
    mov     eax, INTERRUPT_GATE
    cmp     dword ptr [rbx + FIRST], PAGE_FAULT
    cmovne  eax, ecx
    mov     edx, eax
    mov     edi, PAGE_FAULT
    lea     rsi, [rip + page_fault_came]
    call    write_gate

    mov     [rip + good_rsp], rsp
    mov     rsp, [rbx + BAD_RSP]
    jmp     qword ptr [rbx + TRIGGER]

// The first exceptions.
raise_invalid_opcode:
    ud2
raise_divide_error:
    xor     ecx, ecx
    div     ecx
raise_general_protection:
    mov     eax, NO_SUCH_SELECTOR
    mov     fs, eax
raise_page_fault:
    mov     eax, [UNMAPPED_MEMORY]

// What came. To return to the instruction would be of no use: it still has no stack to push to. So the frame is given
// another RIP and another RSP, and IRETQ goes there. A kernel that is not there to experiment would end the program,
// or itself: a double fault is an abort.
page_fault_came:
    mov     qword ptr [rip + delivered], PAGE_FAULT
    jmp     leave_experiment
stack_fault_came:
    mov     qword ptr [rip + delivered], STACK_FAULT
    jmp     leave_experiment
double_fault_came:
    mov     qword ptr [rip + delivered], DOUBLE_FAULT
leave_experiment:
    push    rax                         // from here: RAX, error code, RIP, CS, RFLAGS, RSP, SS
    lea     rax, [rip + experiment_over]
    mov     [rsp + 16], rax
    mov     rax, [rip + good_rsp]
    mov     [rsp + 40], rax
    pop     rax
    add     rsp, 8
    iretq

// The first exceptions themselves are never delivered.
not_expected:
    finish

experiment_over:
    print_number [rbx + FIRST]
    print   " then "
    print_number [rbx + SECOND]
    print   " gives "
    print_number [delivered]
    xor     eax, eax
    cmp     qword ptr [rip + delivered], DOUBLE_FAULT
    sete    al                          // 1: the processor has made a double fault of them
    cmp     eax, r13d
    jne     predicted_wrong
    inc     qword ptr [rip + right_predictions]
    print   "\n"
    jmp     go_on
predicted_wrong:
    print   "   (your rule says otherwise)\n"
go_on:
    add     rbx, EXPERIMENT_SIZE
    dec     r12d
    jnz     next_experiment

summing_up:
    print   "right: 0x"
    print_number [right_predictions]
    print   " of 0x8\n"
    finish
end_routine _start

.section .rodata
    .balign 8
table experiments
    .quad   INVALID_OPCODE,     PAGE_FAULT,  NOT_PRESENT,   raise_invalid_opcode
    .quad   DIVIDE_ERROR,       PAGE_FAULT,  NOT_PRESENT,   raise_divide_error
    .quad   PAGE_FAULT,         PAGE_FAULT,  NOT_PRESENT,   raise_page_fault
    .quad   INVALID_OPCODE,     STACK_FAULT, NOT_CANONICAL, raise_invalid_opcode
    .quad   DIVIDE_ERROR,       STACK_FAULT, NOT_CANONICAL, raise_divide_error
    .quad   GENERAL_PROTECTION, STACK_FAULT, NOT_CANONICAL, raise_general_protection
    .quad   GENERAL_PROTECTION, PAGE_FAULT,  NOT_PRESENT,   raise_general_protection
    .quad   PAGE_FAULT,         STACK_FAULT, NOT_CANONICAL, raise_page_fault
end_table experiments

.bss
variable good_rsp
variable delivered                      // the vector of what was delivered in the experiment
variable right_predictions
guarded_stack second_stack              // TSS.IST3

#include "course_setup.inc"
