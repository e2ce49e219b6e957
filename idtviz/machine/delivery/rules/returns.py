"""Rules for IRET, and for what far RET has in common with it (SDM 2A IRET, 2B RET)."""

from __future__ import annotations

from idtviz.machine.delivery.rules.rule import rule

IRET_NT = rule(
    "iret.nt",
    "NT is clear",
    "NT=1 would ask for a return to another task through the TSS link. Long mode has no task switches: #GP(0).",
    "SDM 2A IRET, 3A 7.7",
)
IRET_TASK = rule(
    "iret.task",
    "NT says what is returned to",
    "In protected mode NT=1 marks a task that was entered by an interrupt or CALL through a task gate or TSS: IRET "
    "then goes back to the task in the link field of the TSS and pops nothing. With NT=0 it takes the frame on the "
    "stack.",
    "SDM 2A IRET, 3A 7.4",
)
IRET_LINK = rule(
    "iret.link",
    "The back link is read",
    "The first word of a TSS is the selector of the task that was interrupted or that called.",
    "SDM 3A 7.4",
)
IRET_IOPL = rule(
    "iret.iopl",
    "IOPL allows IRET in virtual-8086 mode",
    "IRET would let an 8086 program change IF, so with IOPL below 3 it is #GP(0): the monitor emulates it. With "
    "CR4.VME the processor does so itself for 16-bit IRET, with VIF in place of IF.",
    "SDM 2A IRET, 3B 20.2.7, 20.3.3",
)
IRET_VIP = rule(
    "iret.vip",
    "No virtual interrupt waits for this IRET",
    "With CR4.VME, IRET would set VIF. If VIP says that an interrupt is pending, or TF is popped as 1, the monitor is "
    "called by #GP(0) instead.",
    "SDM 2A IRET, 3B 20.3.3",
)
POP_ROOM = rule(
    "pop.room",
    "The words to pop lie within the stack segment",
    "Outside 64-bit mode every access to the stack stays within the limit of SS. A stack pointer that stands too near "
    "the end of the segment is #SS(0).",
    "SDM 2A IRET, RET; 3A 5.3",
    on_stack=True,
)
_POPS = (
    "IRET reads the frame from where RSP stands now. A handler that left one word too many or too few makes every one "
    "wrong. "
)
POP_RIP = rule("pop.rip", "Pop RIP", _POPS, "SDM 2A IRET", on_stack=True)
POP_CS = rule(
    "pop.cs",
    "Pop CS",
    _POPS + "The RPL of this selector is the ring to return to.",
    "SDM 2A IRET",
    on_stack=True,
)
POP_RFLAGS = rule("pop.rflags", "Pop RFLAGS", _POPS, "SDM 2A IRET", on_stack=True)
POP_RSP = rule(
    "pop.rsp",
    "Pop RSP",
    "In 64-bit mode IRET takes RSP and SS always, as delivery pushed them always. Elsewhere, as far RET does, only on "
    "a return to an outer ring.",
    "SDM 3A 6.12.1, 6.14.3",
    on_stack=True,
)
POP_SS = rule(
    "pop.ss",
    "Pop SS",
    "In 64-bit mode IRET takes RSP and SS always, as delivery pushed them always. Elsewhere, as far RET does, only on "
    "a return to an outer ring.",
    "SDM 3A 6.12.1, 6.14.3",
    on_stack=True,
)
POP_DATA = rule(
    "pop.data",
    "Pop a data segment of virtual-8086 mode",
    "Delivery out of virtual-8086 mode pushed GS, FS, DS and ES first, since their paragraphs mean nothing to "
    "protected mode. IRET back takes them last: ES, DS, FS, GS.",
    "SDM 3B 20.2.5",
    on_stack=True,
)
RETURN_VM86 = rule(
    "return.vm86",
    "VM in the image asks for virtual-8086 mode",
    "Only ring 0 can return to virtual-8086 mode, with a 32-bit IRET whose EFLAGS image has VM set. Nine words are "
    "popped, and nothing is looked up in a descriptor table.",
    "SDM 2A IRET, 3B 20.2.5",
)
RETURN_CS_NULL = rule(
    "return.cs.null", "The return CS is not null", "There must be a code segment to return to.", "SDM 2A IRET"
)
RETURN_CS_LIMIT = rule(
    "return.cs.limit",
    "The return CS lies within its descriptor table",
    "The selector was saved at delivery; the table may have been replaced since.",
    "SDM 2A IRET",
)
RETURN_CS_READ = rule(
    "return.cs.read", "The return code-segment descriptor is read", "Eight bytes, as a supervisor.", "SDM 2A IRET"
)
RETURN_CS_RPL = rule(
    "return.cs.rpl",
    "The return does not raise privilege",
    "IRET goes to the same ring or outward: RPL of the return CS must be at least CPL.",
    "SDM 2A IRET",
)
RETURN_CS_CODE = rule(
    "return.cs.code",
    "The return CS is a code segment",
    "Not data, not a system segment, and not with L and D both set.",
    "SDM 2A IRET",
)
RETURN_CS_DPL = rule(
    "return.cs.dpl",
    "The DPL of the return CS fits its RPL",
    "A non-conforming segment must have DPL equal to RPL, a conforming one at most.",
    "SDM 2A IRET",
)
RETURN_CS_PRESENT = rule(
    "return.cs.present", "The return CS is present", "P=0 is #NP with the selector.", "SDM 2A IRET"
)
RETURN_SS_NULL = rule(
    "return.ss.null",
    "A null SS is allowed here",
    "Only a return to 64-bit mode in ring 0, 1 or 2 may load a null SS.",
    "SDM 2A IRET",
)
RETURN_SS_LIMIT = rule(
    "return.ss.limit",
    "The return SS lies within its descriptor table",
    "A kernel that loads a new GDT but not SS keeps a selector of the old one: delivery saves it without a look, and "
    "this check at the first IRET finds it.",
    "SDM 2A IRET",
)
RETURN_SS_READ = rule(
    "return.ss.read", "The return stack-segment descriptor is read", "Eight bytes, as a supervisor.", "SDM 2A IRET"
)
RETURN_SS_RPL = rule(
    "return.ss.rpl",
    "The RPL of SS is that of CS",
    "The stack belongs to the ring that is returned to.",
    "SDM 2A IRET",
)
RETURN_SS_DATA = rule(
    "return.ss.data", "The return SS is a writable data segment", "A stack must be writable.", "SDM 2A IRET"
)
RETURN_SS_DPL = rule(
    "return.ss.dpl", "The DPL of SS is the RPL of CS", "The stack belongs to the ring returned to.", "SDM 2A IRET"
)
RETURN_SS_PRESENT = rule(
    "return.ss.present", "The return SS is present", "P=0 is #SS with the selector.", "SDM 2A IRET"
)
RETURN_RIP = rule(
    "return.rip",
    "The return address is valid",
    "Canonical for 64-bit code; within the segment limit otherwise.",
    "SDM 2A IRET",
)
RETURN_LOAD = rule(
    "return.load",
    "CS, SS and RFLAGS are loaded",
    "IF changes only if CPL is at most IOPL, and IOPL only in ring 0: a handler in ring 3 cannot give itself "
    "interrupts or ports.",
    "SDM 2A IRET",
)
RETURN_REAL = rule(
    "return.real",
    "CS takes the paragraph, the flags take the image",
    "In real and virtual-8086 mode a segment begins at sixteen times its selector. A 32-bit IRET leaves VM, VIF and "
    "VIP as they are, a 16-bit one the whole upper half. Virtual-8086 code cannot change IOPL.",
    "SDM 2A IRET, 3B 20.1.1",
)
RETURN_SEGMENTS = rule(
    "return.segments",
    "Data segments of the inner ring are dropped",
    "On a return outward, DS, ES, FS and GS are made null if their DPL is below the new CPL, so that user code does "
    "not keep the kernel's segments.",
    "SDM 2A IRET, 3A 5.8.6",
)
RESUME = rule("resume", "The interrupted code goes on", "RIP and RSP take the values from the frame.", "SDM 2A IRET")
