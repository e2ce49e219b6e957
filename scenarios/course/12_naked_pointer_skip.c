// 12_naked_pointer_skip.c: what the kernel does about an instruction that the processor does not know.

// The words that the processor pushes, from the lowest address up. #UD has no error code (SDM 3A 6.14.2).
struct interrupt_frame {
    unsigned long rip;
    unsigned long cs;
    unsigned long rflags;
    unsigned long rsp;
    unsigned long ss;
};

#define LENGTH_OF_UD2 2
#define TOO_OFTEN 3

// What it was told, for the kernel to print.
unsigned long reported_rip;
unsigned long reported_cs;
unsigned long reported_rflags;

static unsigned long calls;

extern void give_up(void) __attribute__((noreturn));

// Go on behind the instruction: change the RIP that IRETQ will take.
void skip_instruction(struct interrupt_frame *frame)
{
    reported_rip = frame->rip;
    reported_cs = frame->cs;
    reported_rflags = frame->rflags;
    calls++;
    if (calls == TOO_OFTEN)
        give_up();
    frame->rip += LENGTH_OF_UD2;
}
