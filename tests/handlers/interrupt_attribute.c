// Handlers as GCC writes them for __attribute__((interrupt)): built for 64 and for 32 bits.

typedef unsigned long word;

struct interrupt_frame {
    word ip, cs, flags, sp, ss;
};

extern void report(const struct interrupt_frame *frame, word error_code);
extern void schedule(void);

volatile word ticks;
volatile unsigned short *const screen = (volatile unsigned short *)0xb8000;

static inline void out(unsigned short port, unsigned char value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline unsigned char in(unsigned short port)
{
    unsigned char value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

// A callee that is there: its registers are the handler's business too.
__attribute__((noinline)) static void draw(unsigned position, word value)
{
    for (unsigned digit = 0; digit < 2 * sizeof(word); digit++, value >>= 4)
        screen[position + digit] = 0x0700 | "0123456789abcdef"[value & 15];
}

__attribute__((interrupt)) void divide_error_handler(struct interrupt_frame *frame)
{
    draw(0, frame->ip);
    frame->ip += 2;
}

__attribute__((interrupt)) void breakpoint_handler(struct interrupt_frame *frame)
{
    report(frame, 0);
}

__attribute__((interrupt)) void general_protection_handler(struct interrupt_frame *frame, word error_code)
{
    report(frame, error_code);
}

__attribute__((interrupt)) void page_fault_handler(struct interrupt_frame *frame, word error_code)
{
    word address;
    __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    draw(80, address);
    draw(160, error_code);
    report(frame, error_code);
}

// There is nothing to return to.
__attribute__((interrupt)) void double_fault_handler(struct interrupt_frame *frame, word error_code)
{
    report(frame, error_code);
    for (;;)
        __asm__ volatile("cli; hlt");
}

__attribute__((interrupt)) void timer_handler(struct interrupt_frame *frame)
{
    (void)frame;
    ticks++;
    out(0x20, 0x20);
}

// Sends EOI first, and lets other interrupts in while it works.
__attribute__((interrupt)) void irq5_handler(struct interrupt_frame *frame)
{
    (void)frame;
    out(0x20, 0x20);
    __asm__ volatile("sti");
    draw(240, ticks);
    schedule();
    __asm__ volatile("cli");
}

__attribute__((interrupt)) void keyboard_handler(struct interrupt_frame *frame)
{
    (void)frame;
    screen[320] = 0x0700 | in(0x60);
    out(0x20, 0x20);
}

__attribute__((interrupt)) void irq12_handler(struct interrupt_frame *frame)
{
    (void)frame;
    ticks++;
    out(0xa0, 0x20);
    out(0x20, 0x20);
}
