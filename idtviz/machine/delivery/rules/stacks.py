"""Rules for choosing the handler's stack, and for what is pushed there (SDM 3A 6.12.1, 6.14.2)."""

from __future__ import annotations

from idtviz.machine.delivery.rules.rule import rule

STACK_SELECT = rule(
    "stack.select",
    "The handler's stack is chosen",
    "In long mode a gate with an IST number takes that stack from the TSS, always. Otherwise a handler in an inner "
    "ring takes the RSP of that ring from the TSS, in protected mode SS:ESP, and one in the same ring goes on where "
    "the interrupted code stood.",
    "SDM 3A 6.12.1, 6.14.2, 6.14.5",
)
STACK_NULL = rule(
    "stack.null",
    "The new SS is not null",
    "A TSS that was never filled in has SS0 = 0. A null selector is #TS(0), with EXT as ever.",
    "SDM 2A INT n",
)
STACK_LIMIT = rule(
    "stack.limit",
    "The new SS lies within its descriptor table",
    "The selector of the TSS is looked up like any other, in the tables that are loaded now: else #TS.",
    "SDM 2A INT n",
)
STACK_RPL = rule(
    "stack.rpl",
    "The RPL of the new SS is the new ring",
    "The stack must belong to the handler's ring: else #TS.",
    "SDM 2A INT n",
)
STACK_READ = rule(
    "stack.read", "The new stack-segment descriptor is read", "Eight bytes, as a supervisor.", "SDM 3A 3.4.5"
)
STACK_DPL = rule(
    "stack.dpl",
    "The DPL of the new SS is the new ring",
    "The stack must belong to the handler's ring: else #TS.",
    "SDM 2A INT n",
)
STACK_DATA = rule(
    "stack.data", "The new SS is a writable data segment", "A stack must be writable: else #TS.", "SDM 2A INT n"
)
STACK_PRESENT = rule(
    "stack.present",
    "The new SS is present",
    "P=0 is #SS with the selector, where all else that is wrong with SS is #TS.",
    "SDM 2A INT n",
)
STACK_CANONICAL = rule(
    "stack.canonical",
    "The new stack pointer is canonical",
    "Bits 63:47 must all be equal. A stack pointer of the TSS that is not canonical is #SS.",
    "SDM 3A 6.14.2",
    on_stack=True,
)
STACK_ALIGN = rule(
    "stack.align",
    "RSP is aligned to 16 bytes",
    "In 64-bit mode the processor clears the low four bits of RSP before it pushes, always, so that handlers may save "
    "SSE registers with aligned moves. That is also why SS:RSP is always pushed: the old value could not be computed "
    "back.",
    "SDM 3A 6.14.2",
)
PUSH_ROOM = rule(
    "push.room",
    "There is room on the stack",
    "Every word to push must lie within the limit of the stack segment, which is looked at before the first is pushed. "
    "Otherwise #SS(0), or #SS with the new selector for the stack of an inner ring. 64-bit mode has no limits.",
    "SDM 2A CALL, INT n",
    on_stack=True,
)
_PUSHES = (
    "In 64-bit mode the frame always has five words of eight bytes, with or without a change of ring. In protected "
    "mode SS and ESP are pushed only with one; the words have four bytes, or two through a 16-bit gate. "
)
PUSH_DATA = rule(
    "push.data",
    "Push a data segment of virtual-8086 mode",
    "GS, FS, DS and ES go first when virtual-8086 mode is left, since they are about to be made null. IRET to that "
    "mode takes them back last.",
    "SDM 3B 20.3.1.1",
    on_stack=True,
)
PUSH_SS = rule(
    "push.ss",
    "Push SS",
    _PUSHES + "SS comes first, zero-extended.",
    "SDM 3A 6.12.1, 6.14.2",
    on_stack=True,
)
PUSH_RSP = rule(
    "push.rsp",
    "Push RSP",
    _PUSHES + "This is the interrupted code's RSP, before any alignment.",
    "SDM 3A 6.12.1, 6.14.2",
    on_stack=True,
)
PUSH_RFLAGS = rule(
    "push.rflags",
    "Push RFLAGS",
    "The flags as they were, IF and TF included; for a fault with RF set, so that an instruction breakpoint on the "
    "same instruction does not hit again on return. 16-bit FLAGS have no room for RF.",
    "SDM 3A 6.14.2, 3B 17.3.1.1",
    on_stack=True,
)
PUSH_CS = rule(
    "push.cs",
    "Push CS",
    "Its low two bits are the ring to return to: a handler tests them to tell user code from kernel code.",
    "SDM 3A 6.14.2",
    on_stack=True,
)
PUSH_RIP = rule(
    "push.rip",
    "Push RIP",
    "For a fault the address of the instruction that faulted, so that it is tried again; for a trap, INT n or an "
    "interrupt that of the next one.",
    "SDM 3A 6.5, 6.14.2",
    on_stack=True,
)
PUSH_ERROR = rule(
    "push.error",
    "Push the error code",
    "Only certain exceptions push one; interrupts and INT n never do, whatever the vector, and in real mode nothing "
    "does. The handler must take it off the stack before IRET, which knows nothing of it.",
    "SDM 3A 6.13",
    on_stack=True,
)
