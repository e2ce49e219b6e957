"""What the deliveries of every mode have in common: the event, and what has been found on its way to the handler."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.machine.delivery.event import Event
from idtviz.machine.delivery.procedure import Procedure
from idtviz.machine.memory import LinearMemory
from idtviz.machine.registers import Registers
from idtviz.x86 import flags
from idtviz.x86.descriptors import SegmentDescriptor
from idtviz.x86.frames import InterruptFrame
from idtviz.x86.gates import Gate32, Gate64, IvtEntry

Gate = Gate64 | Gate32 | IvtEntry
"""What a vector selects, by mode: a 16-byte gate, an 8-byte gate, an entry of the interrupt vector table."""


@dataclass(frozen=True, slots=True)
class Located:
    """A stack pointer and where it came from: `same`, `tss.rsp0`, `tss.ist1`, `task`.

    `address` is the linear address of the TSS field that it was read from.
    """

    source: str
    pointer: int
    address: int | None


class Delivery(Procedure):
    """The delivery of `event`. What it has found so far stands in `gate`, `descriptor`, `stack`, `frame`."""

    def __init__(self, event: Event, before: Registers, memory: LinearMemory) -> None:
        self.event = event
        self.gate: Gate | None = None
        self.gate_address = 0
        self.descriptor: SegmentDescriptor | None = None
        """The handler's code segment, or the TSS that a task gate names."""
        self.descriptor_address = 0
        self.stack: Located | None = None
        self.frame: InterruptFrame | None = None
        """What is pushed; None for a task gate, which saves the registers in the old TSS."""
        super().__init__(before, memory, ext=event.external)

    def over(self, memory: LinearMemory) -> Delivery:
        """The same delivery from its beginning, over other memory."""
        return type(self)(self.event, self.before, memory)

    @property
    def saved_rflags(self) -> int:
        """RFLAGS as the frame holds them."""
        if self.event.sets_rf:
            return self.before.rflags | flags.RF
        return self.before.rflags & ~flags.RF if self.event.completes_instruction else self.before.rflags
