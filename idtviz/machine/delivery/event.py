"""What is delivered: an exception or interrupt, and what becomes of it when its delivery meets a fault."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from idtviz.x86.vectors import VECTORS, DoubleFaultClass, Kind, double_fault_class

DEBUG, UNDEFINED_OPCODE, DOUBLE_FAULT = 1, 6, 8
INVALID_TSS, NOT_PRESENT, STACK_FAULT, GENERAL_PROTECTION, PAGE_FAULT, ALIGNMENT_CHECK = 10, 11, 12, 13, 14, 17


class Source(Enum):
    """Where an event comes from (SDM 3A 6.3, 6.4)."""

    EXCEPTION = "exception"
    SOFTWARE = "software"
    EXTERNAL = "external"
    NMI = "nmi"


@dataclass(frozen=True, slots=True)
class Fault:
    """An exception that a step runs into. `cr2` is the linear address of a page fault, else None."""

    vector: int
    error_code: int
    cr2: int | None = None

    @property
    def name(self) -> str:
        return VECTORS[self.vector].mnemonic


@dataclass(frozen=True, slots=True)
class Event:
    """One exception or interrupt on its way to a handler.

    `rip` is the address that the frame saves; `instruction_rip` that of the instruction during which it happened, which
    a fault in its delivery saves instead. `caused_by` is the index of the failed delivery that led here.
    """

    vector: int
    source: Source
    rip: int
    instruction_rip: int
    error_code: int | None = None
    cr2: int | None = None
    irq: int | None = None
    caused_by: int | None = None
    repeating: bool = False
    """Whether it comes between two iterations of a repeated string instruction."""
    real: bool = False
    """Whether it happens in real mode, where no exception pushes an error code (SDM 3B 20.1.4)."""

    @property
    def name(self) -> str:
        """`#PF`, `INT 0x80`, `IRQ1`, `NMI`."""
        if self.irq is not None:
            return f"IRQ{self.irq}"
        if self.source is Source.SOFTWARE and self.vector not in (3, 4):
            return f"INT {self.vector:#x}"
        if self.source is Source.EXTERNAL:
            return f"interrupt {self.vector:#x}"
        return VECTORS[self.vector].mnemonic

    @property
    def external(self) -> bool:
        """Bit 0 (EXT) of every error code that this delivery gives rise to (SDM 3A 6.13)."""
        return self.source is not Source.SOFTWARE

    @property
    def completes_instruction(self) -> bool:
        """Whether an instruction ends with this delivery: INT n, INT3, INTO, INT1 save the address behind them."""
        return self.rip != self.instruction_rip

    @property
    def sets_rf(self) -> bool:
        """Whether the saved RFLAGS has RF set: for faults, so that an instruction breakpoint does not hit twice.

        For the same reason also where a repeated string instruction is to go on (SDM 3B 17.3.1.1).
        """
        return self.repeating or (self.source is Source.EXCEPTION and VECTORS[self.vector].kind is Kind.FAULT)

    @property
    def double_fault_class(self) -> DoubleFaultClass:
        """Interrupts of every kind are benign, whatever their vector (SDM 3A table 6-4)."""
        return double_fault_class(self.vector) if self.source is Source.EXCEPTION else DoubleFaultClass.BENIGN


def exception(fault: Fault, rip: int, caused_by: int | None = None, *, real: bool = False) -> Event:
    """The event that `fault` of the instruction at `rip` raises, in real mode or outside it.

    Only some vectors push an error code (SDM 3A table 6-1), in real mode none.
    """
    code = fault.error_code if VECTORS[fault.vector].error_code and not real else None
    return Event(fault.vector, Source.EXCEPTION, rip, rip, code, fault.cr2, None, caused_by, real=real)


def after_fault(event: Event, fault: Fault, index: int) -> Event | None:
    """What the processor delivers when delivering `event` (delivery number `index`) met `fault`; None: it shuts down.

    SDM 3A table 6-5: two contributory exceptions, or anything but a benign one on top of a page fault, make a double
    fault; any fault on top of a double fault is a shutdown. All else is delivered serially.
    """
    first, second = event.double_fault_class, double_fault_class(fault.vector)
    if event.vector == DOUBLE_FAULT and event.source is Source.EXCEPTION:
        return None
    contributory, page_fault = DoubleFaultClass.CONTRIBUTORY, DoubleFaultClass.PAGE_FAULT
    doubles = (first is contributory and second is contributory) or (
        first is page_fault and second in (contributory, page_fault)
    )
    if doubles:
        return exception(Fault(DOUBLE_FAULT, 0), event.instruction_rip, index, real=event.real)
    return exception(fault, event.instruction_rip, index, real=event.real)
