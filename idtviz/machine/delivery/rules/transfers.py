"""Rules for far CALL, JMP and RET, and for SYSCALL and SYSENTER (SDM 2A CALL, JMP; 2B RET, SYSCALL, SYSENTER)."""

from __future__ import annotations

from idtviz.machine.delivery.rules.rule import rule

FAR_POINTER = rule(
    "far.pointer",
    "The far pointer is taken",
    "A far pointer is an offset, and behind it the selector of the segment to go to. It stands in the instruction, or "
    "in memory where the instruction says.",
    "SDM 2A CALL, JMP",
)
FAR_POINTER_STACK = rule(
    "far.pointer.stack",
    "The far pointer is read through SS",
    "An address built on ESP or EBP goes through SS, so that a bad one is #SS where others are #GP.",
    "SDM 2A CALL, JMP",
    on_stack=True,
)
FAR_OPERAND = rule(
    "far.operand",
    "The far pointer lies within its segment",
    "Outside 64-bit mode the segment must be usable and readable, and offset and selector must lie within its limit: "
    "else #GP(0), or #SS(0) through SS.",
    "SDM 3A 5.3, 5.5",
)
FAR_NULL = rule(
    "far.null",
    "The selector is not null",
    "The selector names the code segment, gate or TSS to go to. The null selector names none: #GP(0).",
    "SDM 2A CALL, JMP",
)
FAR_LIMIT = rule(
    "far.limit",
    "The selector lies within its descriptor table",
    "The descriptor's eight bytes must all lie within the limit of the GDT, or of the LDT if TI is set.",
    "SDM 2A CALL, JMP",
)
FAR_READ = rule("far.read", "The descriptor is read", "Eight bytes, as a supervisor.", "SDM 3A 3.4.5")
FAR_TYPE = rule(
    "far.type",
    "The descriptor is one that can be gone to",
    "A code segment, a call gate, or in protected mode also a task gate or a TSS that is not busy. Long mode has only "
    "64-bit call gates: TSS, task gates and 16-bit gates are #GP there.",
    "SDM 2A CALL, JMP; 3A 5.8.3.1, 7.3",
)
FAR_CODE_LONG = rule(
    "far.code.long",
    "L and D of the code segment are not both set",
    "In long mode L=1 makes the segment 64-bit code, and D must then be 0: the pair L=1 D=1 is reserved.",
    "SDM 2A CALL, JMP; 3A 5.2.1",
)
FAR_CODE_DPL = rule(
    "far.code.dpl",
    "The code segment may be gone to from this ring",
    "Without a gate, far CALL and JMP stay in their ring. A non-conforming segment must have DPL equal to CPL, with an "
    "RPL of at most CPL; a conforming one only a DPL of at most CPL, and its code runs in the caller's ring.",
    "SDM 3A 5.8.1",
)
FAR_CODE_PRESENT = rule(
    "far.code.present", "The code segment is present", "P=0 is #NP with the selector.", "SDM 2A CALL, JMP"
)
FAR_ADDRESS = rule(
    "far.address",
    "The address gone to is valid",
    "Canonical for 64-bit code; within the limit of the code segment otherwise. It is checked before anything is "
    "pushed.",
    "SDM 2A CALL, JMP",
)
FAR_LOAD = rule(
    "far.load",
    "CS is loaded",
    "The RPL of CS becomes CPL, whatever the selector said. The processor sets the accessed bit of the descriptor if "
    "it was clear.",
    "SDM 2A CALL, JMP; 3A 3.4.5.1",
)
FAR_LOAD_PARAGRAPH = rule(
    "far.load.paragraph",
    "CS takes the paragraph",
    "In real and virtual-8086 mode nothing is looked up: the segment begins at sixteen times its selector.",
    "SDM 3B 20.1.1",
)
FAR_ENTER = rule(
    "far.enter",
    "The code segment is entered",
    "The instruction pointer takes the offset of the far pointer, or that of the gate, which leaves the far pointer's "
    "own offset unused. No flag changes: interrupts stay as they were.",
    "SDM 2A CALL, JMP",
)

CALL_GATE_USE = rule(
    "far.gate.dpl",
    "The gate may be used from this ring",
    "The DPL of a call gate, task gate or TSS must be at least CPL, and at least the RPL of the selector that names "
    "it: so a kernel opens it to user code, or does not.",
    "SDM 3A 5.8.4, 7.3",
)
CALL_GATE_WIDE = rule(
    "far.gate.wide",
    "The second half of the gate is read",
    "In long mode a call gate takes two slots of its table, and the second half holds the upper half of the offset. It "
    "too must lie within the table's limit.",
    "SDM 3A 5.8.3.1",
)
CALL_GATE_PRESENT = rule(
    "far.gate.present", "The gate is present", "P=0 is #NP with the gate's selector.", "SDM 3A 5.8.3"
)
CALL_GATE_CODE_DPL = rule(
    "far.gate.code",
    "The gate's code segment may be entered from this ring",
    "CALL through a gate may raise privilege: the DPL of the code segment must be at most CPL. JMP may not, as nothing "
    "would lead back: for a non-conforming segment the DPL must equal CPL.",
    "SDM 3A 5.8.4",
)
CALL_GATE_STACK = rule(
    "far.gate.stack",
    "The inner ring's stack is taken from the TSS",
    "A CALL that raises privilege does not trust the caller's stack. The TSS holds SS and ESP for each inner ring, in "
    "long mode RSP alone; if they lie outside the limit of the TSS, that is #TS with its selector.",
    "SDM 3A 5.8.5, 7.2.1",
)
CALL_GATE_SS_NULL = rule(
    "far.gate.ss.null", "The new SS is not null", "A stack segment field of the TSS that was never set: #TS(0).",
    "SDM 2A CALL, 3A 5.8.5",
)  # fmt: skip
CALL_GATE_SS_LIMIT = rule(
    "far.gate.ss.limit",
    "The new SS lies within its descriptor table",
    "The selector comes from the TSS, so the fault is #TS with it.",
    "SDM 2A CALL",
)
CALL_GATE_SS_READ = rule(
    "far.gate.ss.read", "The new stack-segment descriptor is read", "Eight bytes, as a supervisor.", "SDM 2A CALL"
)
CALL_GATE_SS_RPL = rule(
    "far.gate.ss.rpl",
    "RPL and DPL of the new SS are the new CPL",
    "The stack belongs to the ring that is entered: #TS with the selector otherwise.",
    "SDM 2A CALL, 3A 5.8.5",
)
CALL_GATE_SS_DATA = rule(
    "far.gate.ss.data",
    "The new SS is a writable data segment",
    "A stack must be writable: #TS with the selector otherwise.",
    "SDM 2A CALL",
)
CALL_GATE_SS_PRESENT = rule(
    "far.gate.ss.present", "The new SS is present", "P=0 is #SS with the selector.", "SDM 2A CALL"
)
CALL_GATE_PARAMETERS = rule(
    "far.gate.parameters",
    "The parameters are read from the caller's stack",
    "A call gate says how many words the processor copies from the caller's stack to the inner one, up to 31. 64-bit "
    "call gates copy none.",
    "SDM 3A 5.8.5, 5.8.5.1",
)
CALL_PUSH_STACK = rule(
    "far.push.stack",
    "Push the caller's stack",
    "SS and the stack pointer of the caller come first on the inner stack, for the far RET that leads back outward.",
    "SDM 3A 5.8.5",
    on_stack=True,
)
CALL_PUSH_PARAMETER = rule(
    "far.push.parameter",
    "Push a parameter",
    "The inner procedure finds its parameters above its return address, as it would had there been no change of stack.",
    "SDM 3A 5.8.5",
    on_stack=True,
)
CALL_PUSH_CS = rule(
    "far.push.cs", "Push CS", "For the far RET: its RPL is the ring to return to.", "SDM 2A CALL", on_stack=True
)
CALL_PUSH_IP = rule(
    "far.push.ip",
    "Push the return address",
    "That of the instruction behind the CALL.",
    "SDM 2A CALL",
    on_stack=True,
)
RETURN_RELEASE = rule(
    "return.release",
    "RET goes on in the caller",
    "RET n takes n bytes of parameters off the stack; on a return to an outer ring off both, since CALL copied them.",
    "SDM 2B RET",
)

SYSCALL_ENABLED = rule(
    "syscall.enabled",
    "SYSCALL exists here",
    "EFER.SCE must be set, and the code must be 64-bit: on Intel processors SYSCALL is #UD in every other mode. AMD's "
    "take it in compatibility mode, through CSTAR, and in protected mode too.",
    "SDM 2B SYSCALL",
)
SYSCALL_SAVE = rule(
    "syscall.save",
    "RCX and R11 take RIP and RFLAGS",
    "SYSCALL touches no memory: the return address goes to RCX and the flags to R11, where SYSRET looks for them.",
    "SDM 2B SYSCALL",
)
SYSCALL_FLAGS = rule(
    "syscall.flags",
    "Flags that are set in FMASK are cleared",
    "A kernel puts IF there, and DF and AC, so that it is entered with interrupts off.",
    "SDM 2B SYSCALL",
)
SYSCALL_LOAD = rule(
    "syscall.load",
    "CS and SS are loaded from STAR",
    "Bits 47:32 of STAR name CS, and the next descriptor SS. No descriptor is read: base, limit and rights are fixed, "
    "so the GDT must say the same for later loads to agree.",
    "SDM 2B SYSCALL; 3A 5.8.8",
)
SYSCALL_ENTER = rule(
    "syscall.enter",
    "The kernel is entered at LSTAR",
    "RSP still is the user's: the kernel changes stacks itself, and an interrupt before that would land on the user's "
    "stack if FMASK left IF set and the gate had no other.",
    "SDM 2B SYSCALL",
)
SYSENTER_CS = rule(
    "sysenter.cs",
    "SYSENTER_CS names a segment, and protection is on",
    "A null selector in IA32_SYSENTER_CS, as after reset, or real mode: #GP(0).",
    "SDM 2B SYSENTER",
)
SYSENTER_FLAGS = rule(
    "sysenter.flags",
    "IF and VM are cleared",
    "SYSENTER saves neither flags nor return address: by convention the program has left them in registers.",
    "SDM 2B SYSENTER",
)
SYSENTER_LOAD = rule(
    "sysenter.load",
    "CS and SS are loaded from SYSENTER_CS",
    "SS is the next descriptor behind CS. Neither is read: flat ring 0 segments, 64-bit code in long mode.",
    "SDM 2B SYSENTER; 3A 5.8.7",
)
SYSENTER_ENTER = rule(
    "sysenter.enter",
    "The kernel is entered at SYSENTER_EIP",
    "The stack pointer comes from SYSENTER_ESP: unlike SYSCALL, SYSENTER changes stacks.",
    "SDM 2B SYSENTER",
)
