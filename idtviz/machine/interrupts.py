"""The processor's INTR and NMI inputs: what is pending there, and what is taken at a boundary (SDM 3A 6.8, 6.9)."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.machine.board import Board
from idtviz.machine.cpu import Cpu
from idtviz.machine.delivery.event import Event, Fault, Source, exception

NMI_VECTOR = 2


@dataclass(frozen=True, slots=True)
class InputState:
    """The NMI latch, whether NMIs are blocked until IRET, and the lines that were raised for one interrupt only.

    `given`: an exception that someone outside wants at the next boundary.
    """

    nmi_pending: bool = False
    nmi_blocked: bool = False
    pulsed: frozenset[int] = frozenset()
    given: Fault | None = None


class InterruptInputs:
    """INTR, which the interrupt controllers drive, and NMI."""

    def __init__(self, board: Board, cpu: Cpu) -> None:
        self._board = board
        self._cpu = cpu
        self._nmi_pending = False
        self._nmi_blocked = False
        self._pulsed: frozenset[int] = frozenset()
        self._given: Fault | None = None

    @property
    def next_boundary(self) -> bool:
        """Whether something is held off that the next boundary may let through by itself: the end of a shadow."""
        waits = (self._nmi_pending and not self._nmi_blocked) or (self._board.intr and self._cpu.interrupt_flag)
        return waits and self._cpu.interrupt_shadow

    @property
    def wakes(self) -> bool:
        """Whether something is there that ends a HLT now."""
        return self._given is not None or self._takes_nmi or (self._board.intr and self._cpu.interrupts_enabled)

    @property
    def _takes_nmi(self) -> bool:
        """The shadow of MOV SS holds an NMI off; that of STI may (SDM 2B STI), and the two look alike here."""
        return self._nmi_pending and not self._nmi_blocked and not self._cpu.interrupt_shadow

    def take(self) -> Event:
        """Acknowledge what `wakes` says is there; an NMI goes before an interrupt (SDM 3A table 6-2)."""
        rip, real = self._cpu.rip, not self._cpu.protection_enabled
        if self._given is not None:
            fault, self._given = self._given, None
            if fault.cr2 is not None:
                self._cpu.cr2 = fault.cr2
            return exception(fault, rip, real=real)
        if self._takes_nmi:
            self._nmi_pending = False
            self._nmi_blocked = True
            return Event(NMI_VECTOR, Source.NMI, rip, rip, real=real)
        answer = self._board.acknowledge()
        irq = answer.irq
        if irq in self._pulsed:
            self._pulsed -= {irq}
            self._board.drive(irq, level=False)
        return Event(answer.vector, Source.EXTERNAL, rip, rip, irq=irq, real=real)

    def iret(self) -> None:
        """IRET ends the blocking of NMIs, even where it faults (SDM 3A 6.7.1)."""
        self._nmi_blocked = False

    def raise_irq(self, line: int) -> None:
        """Raise a line until the processor acknowledges it."""
        self._pulsed |= {line}
        self._board.drive(line, level=True)

    def raise_nmi(self) -> None:
        """Signal a non-maskable interrupt."""
        self._nmi_pending = True

    def raise_exception(self, fault: Fault) -> None:
        """Have an exception come at the next boundary, as of the instruction there."""
        self._given = fault

    @property
    def state(self) -> InputState:
        return InputState(self._nmi_pending, self._nmi_blocked, self._pulsed, self._given)

    @state.setter
    def state(self, value: InputState) -> None:
        self._nmi_pending = value.nmi_pending
        self._nmi_blocked = value.nmi_blocked
        self._pulsed = value.pulsed
        self._given = value.given
