"""The rules that the steps of a delivery or a return follow: what each checks or does, why, and the manual's place.

`idtviz explain idt.limit` prints these texts; the last line of the debugger's delivery panel is one of them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A named check or action. `on_stack`: its memory access is a stack access, which faults with #SS instead of "
    "#GP.
    """

    id: str
    title: str
    why: str
    source: str
    on_stack: bool = False


RULES: dict[str, Rule] = {}


def _rule(id_: str, title: str, why: str, source: str, *, on_stack: bool = False) -> Rule:
    RULES[id_] = rule = Rule(id_, title, why, source, on_stack)
    return rule


# Finding the gate

IDT_LIMIT = _rule(
    "idt.limit",
    "The vector lies within the IDT",
    "The IDTR limit is the offset of the last byte of the table. A 64-bit gate takes 16 bytes, so vector V needs "
    "bytes V*16 to V*16+15. A limit that forgets the -1, or that was computed from the size of a pointer, fails here "
    "with #GP.",
    "SDM 3A 6.14.1",
)
IDT_READ = _rule(
    "idt.read",
    "The gate is read from the IDT",
    "The processor reads the gate as a supervisor, whatever ring it was in: the IDT may lie on a page that user code "
    "cannot touch. If that page is not mapped, the read is a page fault.",
    "SDM 3A 6.14.1",
)
GATE_RESERVED = _rule(
    "gate.reserved",
    "The reserved type field of the upper half is zero",
    "Bits 12:8 of the fourth doubleword stand where the type of a second descriptor would be. They must be zero so "
    "that the upper half of a gate is never taken for a gate of its own.",
    "SDM 3A 6.14.1",
)
GATE_TYPE = _rule(
    "gate.type",
    "The entry is a 64-bit interrupt or trap gate",
    "Long mode knows only two kinds of gate in the IDT: type 0xE, which clears IF, and type 0xF, which leaves it. "
    "Task gates and 16-bit gates do not exist here; anything else is #GP.",
    "SDM 3A 6.14.1",
)
GATE_DPL = _rule(
    "gate.dpl",
    "Software may use this gate from its ring",
    "Only INT n, INT3 and INTO compare the gate's DPL with CPL, so that user code cannot fake a page fault or an IRQ. "
    "For exceptions and interrupts from hardware the DPL is not looked at.",
    "SDM 3A 6.12.1.2",
)
GATE_PRESENT = _rule(
    "gate.present",
    "The gate is present",
    "P=0 marks an entry that is not in use. Delivery through it is #NP with the IDT bit set in the error code.",
    "SDM 3A 6.11",
)

# The handler's code segment

SELECTOR_NULL = _rule(
    "selector.null",
    "The gate's selector is not null",
    "The selector names the code segment that the handler runs in. The null selector names none.",
    "SDM 3A 6.12.1",
)
SELECTOR_LIMIT = _rule(
    "selector.limit",
    "The selector lies within its descriptor table",
    "The selector's offset is looked up in the GDT (TI=0) or the LDT (TI=1) that is loaded now, not the one that was "
    "loaded when the gate was written. A gate that kept the boot loader's CS fails here.",
    "SDM 3A 3.4.2",
)
DESCRIPTOR_READ = _rule(
    "descriptor.read",
    "The code-segment descriptor is read",
    "Eight bytes, read as a supervisor.",
    "SDM 3A 3.4.5",
)
DESCRIPTOR_CODE = _rule(
    "descriptor.code",
    "The descriptor is a code segment",
    "A handler runs from CS, so the selector must name a code segment.",
    "SDM 3A 6.12.1",
)
DESCRIPTOR_DPL = _rule(
    "descriptor.dpl",
    "The handler is not less privileged than the interrupted code",
    "An interrupt may raise privilege or keep it, never lower it: the handler's DPL must be at most CPL. If it is "
    "lower, the stack is switched as well.",
    "SDM 3A 6.12.1.1",
)
DESCRIPTOR_LONG = _rule(
    "descriptor.long",
    "The code segment is 64-bit",
    "In long mode every handler runs in 64-bit mode: L=1 and D=0.",
    "SDM 3A 6.14.1",
)
DESCRIPTOR_PRESENT = _rule(
    "descriptor.present",
    "The code segment is present",
    "P=0 in the descriptor is #NP with the selector.",
    "SDM 3A 6.12.1",
)

# The stack

STACK_SELECT = _rule(
    "stack.select",
    "The handler's stack is chosen",
    "A gate with an IST number takes that stack from the TSS, always. Otherwise a handler in an inner ring takes the "
    "RSP of that ring from the TSS, and one in the same ring goes on where the interrupted code stood.",
    "SDM 3A 6.14.2, 6.14.5",
)
STACK_CANONICAL = _rule(
    "stack.canonical",
    "The new stack pointer is canonical",
    "Bits 63:47 must all be equal. A stack pointer of the TSS that is not canonical is #SS.",
    "SDM 3A 6.14.2",
    on_stack=True,
)
STACK_ALIGN = _rule(
    "stack.align",
    "RSP is aligned to 16 bytes",
    "In 64-bit mode the processor clears the low four bits of RSP before it pushes, always, so that handlers may save "
    "SSE registers with aligned moves. That is also why SS:RSP is always pushed: the old value could not be computed "
    "back.",
    "SDM 3A 6.14.2",
)
_PUSHES = "In 64-bit mode the frame always has five words of eight bytes, with or without a change of ring. "
PUSH_SS = _rule(
    "push.ss",
    "Push SS",
    _PUSHES + "SS comes first, zero-extended.",
    "SDM 3A 6.14.2",
    on_stack=True,
)
PUSH_RSP = _rule(
    "push.rsp",
    "Push RSP",
    _PUSHES + "This is the interrupted code's RSP, before the alignment.",
    "SDM 3A 6.14.2",
    on_stack=True,
)
PUSH_RFLAGS = _rule(
    "push.rflags",
    "Push RFLAGS",
    "The flags as they were, IF and TF included; for a fault with RF set, so that an instruction breakpoint on the "
    "same instruction does not hit again on return.",
    "SDM 3A 6.14.2, 3B 17.3.1.1",
    on_stack=True,
)
PUSH_CS = _rule(
    "push.cs",
    "Push CS",
    "Its low two bits are the ring to return to: a handler tests them to tell user code from kernel code.",
    "SDM 3A 6.14.2",
    on_stack=True,
)
PUSH_RIP = _rule(
    "push.rip",
    "Push RIP",
    "For a fault the address of the instruction that faulted, so that it is tried again; for a trap, INT n or an "
    "interrupt that of the next one.",
    "SDM 3A 6.5, 6.14.2",
    on_stack=True,
)
PUSH_ERROR = _rule(
    "push.error",
    "Push the error code",
    "Only certain exceptions push one; interrupts and INT n never do, whatever the vector. The handler must take it "
    "off the stack before IRET, which knows nothing of it.",
    "SDM 3A 6.13",
    on_stack=True,
)

# Entering the handler

HANDLER_CANONICAL = _rule(
    "handler.canonical",
    "The handler's address is canonical",
    "The gate's offset is about to become RIP.",
    "SDM 3A 6.14.1",
)
CS_LOAD = _rule(
    "cs.load",
    "CS is loaded from the gate",
    "The RPL of the new CS is the new CPL. The processor sets the accessed bit of the descriptor if it was clear.",
    "SDM 3A 6.12.1",
)
SS_LOAD = _rule(
    "ss.load",
    "SS is loaded with a null selector",
    "A change of ring in long mode leaves a null selector in SS, with the new CPL as RPL. 64-bit mode does not use SS.",
    "SDM 3A 6.14.2",
)
ENTER = _rule(
    "enter",
    "The handler is entered",
    "RIP takes the gate's offset. TF, NT and RF are cleared, and IF too through an interrupt gate: the next interrupt "
    "waits until IRET, or STI, sets it again.",
    "SDM 3A 6.12.1.3",
)

# IRET

IRET_NT = _rule(
    "iret.nt",
    "NT is clear",
    "NT=1 would ask for a return to another task through the TSS link. Long mode has no task switches: #GP(0).",
    "SDM 2A IRET, 3A 7.7",
)
_POPS = (
    "IRET reads the frame from where RSP stands now. A handler that left one word too many or too few makes every one "
    "wrong. "
)
POP_RIP = _rule("pop.rip", "Pop RIP", _POPS, "SDM 2A IRET", on_stack=True)
POP_CS = _rule(
    "pop.cs",
    "Pop CS",
    _POPS + "The RPL of this selector is the ring to return to.",
    "SDM 2A IRET",
    on_stack=True,
)
POP_RFLAGS = _rule("pop.rflags", "Pop RFLAGS", _POPS, "SDM 2A IRET", on_stack=True)
POP_RSP = _rule(
    "pop.rsp",
    "Pop RSP",
    "In 64-bit mode IRET takes RSP and SS always, as delivery pushed them always.",
    "SDM 3A 6.14.3",
    on_stack=True,
)
POP_SS = _rule(
    "pop.ss",
    "Pop SS",
    "In 64-bit mode IRET takes RSP and SS always, as delivery pushed them always.",
    "SDM 3A 6.14.3",
    on_stack=True,
)
RETURN_CS_NULL = _rule(
    "return.cs.null", "The return CS is not null", "There must be a code segment to return to.", "SDM 2A IRET"
)
RETURN_CS_LIMIT = _rule(
    "return.cs.limit",
    "The return CS lies within its descriptor table",
    "The selector was saved at delivery; the table may have been replaced since.",
    "SDM 2A IRET",
)
RETURN_CS_READ = _rule(
    "return.cs.read", "The return code-segment descriptor is read", "Eight bytes, as a supervisor.", "SDM 2A IRET"
)
RETURN_CS_RPL = _rule(
    "return.cs.rpl",
    "The return does not raise privilege",
    "IRET goes to the same ring or outward: RPL of the return CS must be at least CPL.",
    "SDM 2A IRET",
)
RETURN_CS_CODE = _rule(
    "return.cs.code",
    "The return CS is a code segment",
    "Not data, not a system segment, and not with L and D both set.",
    "SDM 2A IRET",
)
RETURN_CS_DPL = _rule(
    "return.cs.dpl",
    "The DPL of the return CS fits its RPL",
    "A non-conforming segment must have DPL equal to RPL, a conforming one at most.",
    "SDM 2A IRET",
)
RETURN_CS_PRESENT = _rule(
    "return.cs.present", "The return CS is present", "P=0 is #NP with the selector.", "SDM 2A IRET"
)
RETURN_SS_NULL = _rule(
    "return.ss.null",
    "A null SS is allowed here",
    "Only a return to 64-bit mode in ring 0, 1 or 2 may load a null SS.",
    "SDM 2A IRET",
)
RETURN_SS_LIMIT = _rule(
    "return.ss.limit",
    "The return SS lies within its descriptor table",
    "A kernel that loads a new GDT but not SS keeps a selector of the old one: delivery saves it without a look, and "
    "this check at the first IRET finds it.",
    "SDM 2A IRET",
)
RETURN_SS_READ = _rule(
    "return.ss.read", "The return stack-segment descriptor is read", "Eight bytes, as a supervisor.", "SDM 2A IRET"
)
RETURN_SS_RPL = _rule(
    "return.ss.rpl",
    "The RPL of SS is that of CS",
    "The stack belongs to the ring that is returned to.",
    "SDM 2A IRET",
)
RETURN_SS_DATA = _rule(
    "return.ss.data", "The return SS is a writable data segment", "A stack must be writable.", "SDM 2A IRET"
)
RETURN_SS_DPL = _rule(
    "return.ss.dpl", "The DPL of SS is the RPL of CS", "The stack belongs to the ring returned to.", "SDM 2A IRET"
)
RETURN_SS_PRESENT = _rule(
    "return.ss.present", "The return SS is present", "P=0 is #SS with the selector.", "SDM 2A IRET"
)
RETURN_RIP = _rule(
    "return.rip",
    "The return address is valid",
    "Canonical for 64-bit code; within the segment limit otherwise.",
    "SDM 2A IRET",
)
RETURN_LOAD = _rule(
    "return.load",
    "CS, SS and RFLAGS are loaded",
    "IF changes only if CPL is at most IOPL, and IOPL only in ring 0: a handler in ring 3 cannot give itself "
    "interrupts or ports.",
    "SDM 2A IRET",
)
RETURN_SEGMENTS = _rule(
    "return.segments",
    "Data segments of the inner ring are dropped",
    "On a return outward, DS, ES, FS and GS are made null if their DPL is below the new CPL, so that user code does "
    "not keep the kernel's segments.",
    "SDM 2A IRET, 3A 5.8.6",
)
RESUME = _rule("resume", "The interrupted code goes on", "RIP and RSP take the values from the frame.", "SDM 2A IRET")

# Waiting

HALT_WAIT = _rule(
    "halt.wait",
    "HLT waits",
    "The processor stands still until an interrupt is pending and RFLAGS.IF allows it. Virtual time goes on.",
    "SDM 2A HLT",
)
