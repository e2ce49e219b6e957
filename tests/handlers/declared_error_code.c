// A handler that declares an error code that its vector does not push, and one that does not declare the one that it does.

struct interrupt_frame {
    unsigned long ip, cs, flags, sp, ss;
};

unsigned long last;

__attribute__((interrupt)) void breakpoint_handler(struct interrupt_frame *frame, unsigned long error_code)
{
    last = frame->ip + error_code;
}

__attribute__((interrupt)) void page_fault_handler(struct interrupt_frame *frame)
{
    last = frame->ip;
}
