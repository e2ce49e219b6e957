"""The 256 vectors: what each is called, what raises it, whether it pushes an error code (SDM 3A 6.3, table 6-1)."""

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    """What sort of event a vector stands for, and so which address is saved (SDM 3A 6.5)."""

    FAULT = "fault"
    TRAP = "trap"
    ABORT = "abort"
    INTERRUPT = "interrupt"
    FAULT_OR_TRAP = "fault or trap"
    RESERVED = "reserved"


@dataclass(frozen=True, slots=True)
class Vector:
    """One of the 256 vectors. `error_code` says whether the exception pushes one; an interrupt or INT n never does."""

    number: int
    mnemonic: str
    title: str
    kind: Kind
    error_code: bool
    explanation: str
    source: str


class DoubleFaultClass(Enum):
    """How an exception combines with one that is still being delivered (SDM 3A 6.15, table 6-4)."""

    BENIGN = "benign"
    CONTRIBUTORY = "contributory"
    PAGE_FAULT = "page fault"


_CONTRIBUTORY: Final = frozenset({0, 10, 11, 12, 13, 21})
_PAGE_FAULT: Final = frozenset({14, 20})


def double_fault_class(number: int) -> DoubleFaultClass:
    """The class of exception `number` for the double-fault test (SDM 3A 6.15, table 6-4).

    Only for exceptions: an interrupt or INT n is benign whatever its vector. AMD adds classes for its own
    exceptions (APM 2 8.2.9); the SDM, followed here, does not know them.
    """
    if number in _CONTRIBUTORY:
        return DoubleFaultClass.CONTRIBUTORY
    if number in _PAGE_FAULT:
        return DoubleFaultClass.PAGE_FAULT
    return DoubleFaultClass.BENIGN


_ARCHITECTURAL: Final = (
    (
        "#DE",
        "Divide Error",
        Kind.FAULT,
        "DIV or IDIV divided by zero, or the quotient does not fit in its register; AAM with 0 does the same. The "
        "saved address is that of the division, so a handler that only returns meets it again: it ends the program, "
        "or changes the operands or the saved address.",
    ),
    (
        "#DB",
        "Debug Exception",
        Kind.FAULT_OR_TRAP,
        "A breakpoint register matched, an instruction ran with TF=1, or debug registers were touched with DR7.GD=1. "
        "DR6 says which. Instruction breakpoints and GD are faults, and save the address of the instruction that has "
        "not run; data breakpoints and single steps are traps, and save the next one. The handler reads DR6 and "
        "clears it, for the processor only adds to it.",
    ),
    (
        "NMI",
        "Nonmaskable Interrupt",
        Kind.INTERRUPT,
        "The NMI pin or an APIC message asks for attention whatever IF says. It comes between two instructions and "
        "saves the address of the next. Further NMIs wait until an IRET, also an IRET out of a fault inside the "
        "handler: that is why handlers use a stack of their own (IST) and take care not to be entered twice.",
    ),
    (
        "#BP",
        "Breakpoint",
        Kind.TRAP,
        "INT3, the one-byte instruction 0xcc that debuggers plant in code. The saved address is that of the byte "
        "after it, so a debugger puts the original byte back, steps the saved address back by one, and returns. The "
        "gate needs DPL 3 if user programs are to use it.",
    ),
    (
        "#OF",
        "Overflow",
        Kind.TRAP,
        "INTO ran with OF=1. The saved address is that of the next instruction. 64-bit mode has no INTO, so there the "
        "vector is reached only by INT 4.",
    ),
    (
        "#BR",
        "BOUND Range Exceeded",
        Kind.FAULT,
        "BOUND found an index outside its two limits. The saved address is that of the BOUND instruction. 64-bit mode "
        "has no BOUND.",
    ),
    (
        "#UD",
        "Invalid Opcode",
        Kind.FAULT,
        "The bytes at RIP are no instruction, are one this processor or mode does not have, carry a LOCK prefix where "
        "none may stand, or are UD2, which exists to raise this. The saved address is that of the instruction, so a "
        "handler may emulate it and step the saved address over it. Often the sign of a jump to data.",
    ),
    (
        "#NM",
        "Device Not Available",
        Kind.FAULT,
        "An x87 or SSE instruction ran with CR0.TS=1 or CR0.EM=1, or WAIT with TS=1 and MP=1. A kernel that saves "
        "floating-point registers late loads the ones of the current task here, clears TS, and returns to the "
        "instruction, which then runs.",
    ),
    (
        "#DF",
        "Double Fault",
        Kind.ABORT,
        "An exception came up while another one was being delivered, and the two cannot be handled one after the "
        "other: for example a page fault in reading the gate of a page fault. The error code is always 0 and the saved "
        "address cannot be trusted. The handler reports and stops; it needs a good stack (IST), for the cause is often "
        "a bad one. A fault during its delivery shuts the processor down.",
    ),
    (
        "INT 0x09",
        "Coprocessor Segment Overrun (reserved)",
        Kind.ABORT,
        "On a 386 with a 387, a floating-point operand crossed the end of its segment. No later processor raises it: "
        "they raise #GP instead.",
    ),
    (
        "#TS",
        "Invalid TSS",
        Kind.FAULT,
        "A task switch, or the fetch of a new stack from the TSS, met something wrong: a TSS too short for the field, "
        "or a bad segment selector in it. The error code names the selector at fault. In 64-bit mode look at the "
        "limit in the TSS descriptor and at what LTR loaded.",
    ),
    (
        "#NP",
        "Segment Not Present",
        Kind.FAULT,
        "A gate or a descriptor with P=0 was used. The error code names it, with the IDT bit set for a gate. The "
        "saved address is that of the instruction that needed it, so a kernel could load the segment, set P, and "
        "return. An IDT entry that was never written is the usual cause.",
    ),
    (
        "#SS",
        "Stack-Segment Fault",
        Kind.FAULT,
        "An access through SS, by PUSH, POP, CALL or an operand based on RSP or RBP, left the limit of the stack "
        "segment, or in 64-bit mode used an address that is not canonical; or SS was loaded with a segment that is "
        "not present, and then the error code names it. Otherwise the code is 0.",
    ),
    (
        "#GP",
        "General Protection",
        Kind.FAULT,
        "A rule of protection was broken that has no exception of its own: a privileged instruction outside ring 0, a "
        "segment limit, an address that is not canonical, a reserved bit in a control register, INT n through a gate "
        "whose DPL is too low. If a selector or a gate was at fault the error code names it, else it is 0. The saved "
        "address is that of the instruction.",
    ),
    (
        "#PF",
        "Page Fault",
        Kind.FAULT,
        "The page tables do not allow an access. CR2 holds the linear address; the error code says whether a page was "
        "there, whether it was a read, a write or a fetch, and from which privilege. The saved address is that of the "
        "instruction, so a kernel can map the page and return, and the instruction runs as if nothing had happened. "
        "The handler reads CR2 before anything that may fault again.",
    ),
    (
        "INT 0x0f",
        "Reserved",
        Kind.RESERVED,
        "The processor raises nothing here. With the interrupt controller at its BIOS vectors, IRQ 7 arrives under "
        "this number.",
    ),
    (
        "#MF",
        "x87 Floating-Point Error",
        Kind.FAULT,
        "An earlier x87 instruction met an unmasked error, and now the next waiting one reports it, if CR0.NE=1 (with "
        "NE=0 the error goes out to the interrupt controller as IRQ 13). The saved address is that of the waiting "
        "instruction; the x87 state remembers the one at fault.",
    ),
    (
        "#AC",
        "Alignment Check",
        Kind.FAULT,
        "A ring 3 access was not aligned to its size while CR0.AM=1 and RFLAGS.AC=1. The error code is 0. Some "
        "accesses, such as a locked one that crosses a cache line, can be made to raise it from any ring.",
    ),
    (
        "#MC",
        "Machine Check",
        Kind.ABORT,
        "The hardware found an error in itself: in memory, in a cache, on a bus. The machine-check MSRs tell what and "
        "whether the saved address can be returned to. Without CR4.MCE the processor shuts down instead.",
    ),
    (
        "#XM",
        "SIMD Floating-Point Exception",
        Kind.FAULT,
        "An SSE or AVX instruction met an error that MXCSR does not mask, and CR4.OSXMMEXCPT=1 (with 0 it is #UD). "
        "The saved address is that of the instruction, and MXCSR says which error.",
    ),
    (
        "#VE",
        "Virtualization Exception",
        Kind.FAULT,
        "In a virtual machine, an access broke the rules of the extended page tables in a way that the hypervisor "
        "lets the guest handle itself. The details lie in an information area that the hypervisor has set up. It "
        "counts as a page fault in the double-fault test.",
    ),
    (
        "#CP",
        "Control Protection Exception",
        Kind.FAULT,
        "Control-flow enforcement caught a return whose address differs from the shadow stack's, or an indirect jump "
        "to a place without ENDBRANCH. The error code says which check. Usually the program is ended.",
    ),
    *(
        (
            f"INT {number:#04x}",
            "Reserved",
            Kind.RESERVED,
            "Reserved for exceptions to come. The processor raises nothing.",
        )
        for number in range(22, 28)
    ),
    (
        "#HV",
        "Hypervisor Injection Exception",
        Kind.INTERRUPT,
        "AMD only: the hypervisor rings the doorbell of an encrypted guest (SEV-SNP), which then looks in a page "
        "shared with it for the events that wait. It comes between instructions and can be blocked by the guest.",
    ),
    (
        "#VC",
        "VMM Communication Exception",
        Kind.FAULT,
        "AMD only: an encrypted guest (SEV-ES) did something that the hypervisor has to take part in. The error code "
        "is the exit code. The handler puts the few values that the hypervisor needs into a shared block and calls "
        "it. Intel processors do not have it, and push no error code for this vector.",
    ),
    (
        "#SX",
        "Security Exception",
        Kind.FAULT,
        "AMD only: an event that matters to security was turned into an exception; the only one defined is an INIT "
        "signal, error code 1. Intel processors do not have it.",
    ),
    ("INT 0x1f", "Reserved", Kind.RESERVED, "Reserved for exceptions to come. The processor raises nothing."),
)

_WITH_ERROR_CODE: Final = frozenset({8, 10, 11, 12, 13, 14, 17, 21, 29, 30})

_USER_DEFINED: Final = (
    "Free for software and devices: the number that the interrupt controller sends for a line, an APIC message, or "
    "INT n. It comes between two instructions and saves the address of the next one, without an error code. A "
    "device's handler tells the controller when it is done (EOI), or no further interrupt of that line arrives."
)


def _vector(number: int) -> Vector:
    if number >= len(_ARCHITECTURAL):
        name = f"INT {number:#04x}"
        title = "User Defined Interrupt"
        return Vector(number, name, title, Kind.INTERRUPT, False, _USER_DEFINED, "SDM 3A 6.2")  # noqa: FBT003
    mnemonic, title, kind, explanation = _ARCHITECTURAL[number]
    source = f"SDM 3A 6.15, Interrupt {number}"
    if kind is Kind.RESERVED:
        source = "SDM 3A 6.3, table 6-1"
    elif mnemonic in ("#HV", "#VC", "#SX"):
        source = "APM 2 8.2"
    return Vector(number, mnemonic, title, kind, number in _WITH_ERROR_CODE, explanation, source)


VECTORS: Final[tuple[Vector, ...]] = tuple(_vector(number) for number in range(256))
"""All vectors, by number."""

_BY_NAME: Final = {vector.mnemonic.lstrip("#").lower(): vector for vector in VECTORS}


def by_name(text: str) -> Vector:
    """The vector that `text` names: `#PF`, `pf`, `14`, `0xe` or `INT 0x20`; ValueError if it names none."""
    name = text.strip().lower()
    known = _BY_NAME.get(name.removeprefix("#"))
    if known is not None:
        return known
    try:
        number = int(name.removeprefix("int").strip(), 0)
    except ValueError:
        raise ValueError(f"{text!r} is no vector: give a mnemonic such as #PF, or a number from 0 to 255") from None
    if not 0 <= number < len(VECTORS):
        raise ValueError(f"vector {number} does not exist: vectors go from 0 to 255")
    return VECTORS[number]
