"""Rules for a hardware task switch (SDM 3A 7.3)."""

from __future__ import annotations

from idtviz.machine.delivery.rules.rule import rule

TASK_SELECTOR = rule(
    "task.selector",
    "The selector names a descriptor of the GDT",
    "A TSS descriptor may stand only in the GDT: TI must be 0, and the descriptor must lie within the limit. A bad "
    "selector is #GP, or #TS where IRET took it from the back link.",
    "SDM 3A 7.2.2, table 7-1",
)
TASK_READ = rule("task.read", "The TSS descriptor is read", "Eight bytes, as a supervisor.", "SDM 3A 7.2.2")
TASK_TYPE = rule(
    "task.type",
    "The TSS is in the state that this switch needs",
    "Tasks cannot be entered twice, since there is one place to save each: interrupts, CALL and JMP need a TSS that is "
    "available and make it busy. IRET goes back to a task that was left by an interrupt or CALL, which is still busy.",
    "SDM 3A 7.2.2, 7.3",
)
TASK_PRESENT = rule("task.present", "The TSS is present", "P=0 is #NP with the TSS selector.", "SDM 3A table 7-1")
TASK_LIMIT = rule(
    "task.limit",
    "The TSS is large enough",
    "The limit is the offset of the last byte: at least 0x67 for a 32-bit TSS, 0x2b for a 16-bit one. In the TSS of "
    "the old task it is enough that the fields fit that are saved.",
    "SDM 3A 7.2.2, table 7-1",
)
TASK_PAGED = rule(
    "task.paged",
    "Both TSSs can be accessed",
    "The pages of the new TSS, and those of the old one that will be written to, are tried first: a page fault here "
    "finds the old task as it was.",
    "SDM 3A 7.3, step 6",
)
TASK_LEAVE = rule(
    "task.leave",
    "The old task is no longer busy",
    "JMP and IRET leave a task for good, so its descriptor is marked available. An interrupt or CALL leaves it busy: "
    "it will be returned to.",
    "SDM 3A 7.3, step 7",
)
TASK_SAVE = rule(
    "task.save",
    "The old task is saved in its TSS",
    "EIP, EFLAGS, the general registers and the segment selectors go where TR points. The stacks of the inner rings, "
    "CR3 and the LDT selector are never written by the processor. IRET clears NT in the image.",
    "SDM 3A 7.2.1, 7.3",
)
TASK_LINK = rule(
    "task.link",
    "The new TSS gets a back link",
    "An interrupt or CALL writes the selector of the old TSS to the first word of the new one: with NT=1, IRET returns "
    "there.",
    "SDM 3A 7.4",
)
TASK_STATE = rule(
    "task.state",
    "The state of the new task is read",
    "All registers of the new task come from its TSS. A 16-bit TSS has no CR3, FS and GS.",
    "SDM 3A 7.3, step 12; 7.6",
)
TASK_BUSY = rule(
    "task.busy",
    "The new task is marked busy",
    "Bit 1 of the type in the TSS descriptor. IRET finds it set and leaves it.",
    "SDM 3A 7.2.2, 7.3",
)
TASK_COMMIT = rule(
    "task.commit",
    "The processor is in the new task",
    "TR, EIP, EFLAGS, the general registers and the visible selectors are those of the new task, and CR0.TS is set so "
    "that the x87 state can be switched late. NT is set after an interrupt or CALL. From here on a fault is one of the "
    "new task, and its handler finds that task's registers.",
    "SDM 3A 7.3, steps 10 to 13",
)
TASK_CR3 = rule(
    "task.cr3",
    "CR3 is loaded from the new TSS",
    "With paging each task may have an address space of its own. The GDT, and everything that the switch still reads, "
    "must be mapped there too.",
    "SDM 3A 7.3, 7.7.1",
)
TASK_LDT = rule(
    "task.ldt",
    "LDTR is loaded",
    "A null selector means no LDT. Another one must name a present LDT descriptor in the GDT, else #TS.",
    "SDM 3A table 7-1",
)
TASK_SEGMENT_NULL = rule(
    "task.segment.null",
    "The selector is not null",
    "CS and SS cannot be null in protected mode: #TS. Data-segment registers may be null, and are then not looked up.",
    "SDM 3A table 7-1",
)
TASK_SEGMENT_LIMIT = rule(
    "task.segment.limit",
    "The selector lies within its descriptor table",
    "The LDT is by now that of the new task.",
    "SDM 3A table 7-1",
)
TASK_SEGMENT_READ = rule(
    "task.segment.read",
    "The segment descriptor is read",
    "Eight bytes, as a supervisor, through the page tables of the new task.",
    "SDM 3A 7.3, step 13",
)
TASK_SEGMENT_TYPE = rule(
    "task.segment.type",
    "The segment is of the kind that its register holds",
    "Code for CS, writable data for SS, an LDT for LDTR, data or readable code for DS, ES, FS and GS.",
    "SDM 3A table 7-1",
)
TASK_SEGMENT_DPL = rule(
    "task.segment.dpl",
    "The privilege of the segment fits",
    "The RPL of CS is the ring of the new task. SS must have that DPL and RPL, a non-conforming CS that DPL. Data and "
    "non-conforming code must have a DPL of at least that ring and of at least their RPL.",
    "SDM 3A table 7-1",
)
TASK_SEGMENT_PRESENT = rule(
    "task.segment.present",
    "The segment is present",
    "P=0 is #NP with the selector, #SS for SS, #TS for an LDT.",
    "SDM 3A table 7-1",
)
TASK_SEGMENT_LOAD = rule(
    "task.segment.load",
    "The segment register is loaded",
    "The descriptor goes into the hidden part of the register, and its accessed bit is set.",
    "SDM 3A 7.3, step 13",
)
TASK_VM86 = rule(
    "task.vm86",
    "The segment registers take paragraphs",
    "VM=1 in the EFLAGS image of a 32-bit TSS: the task runs in virtual-8086 mode, and no descriptor is looked up.",
    "SDM 3B 20.2.5",
)
TASK_TRAP = rule(
    "task.trap",
    "The T bit asks for #DB",
    "Bit 0 of the word at 0x64 of a 32-bit TSS is for debuggers: #DB comes before the task's first instruction, with "
    "BT set in DR6.",
    "SDM 3A 7.2.1, 3B 17.3.1.5",
)
TASK_ENTER = rule(
    "task.enter",
    "The new task runs",
    "It goes on where its TSS says. A task that was entered by an interrupt or CALL ends with IRET, and the next "
    "switch to it goes on behind that IRET.",
    "SDM 3A 7.3",
)
