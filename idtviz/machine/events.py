"""What happened, as values: one for each line of `idtviz trace`. Each knows its place in time: (instruction, step)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from idtviz.machine.delivery.delivery import Delivery, Gate
from idtviz.machine.delivery.event import Event, Fault
from idtviz.machine.delivery.procedure import Step
from idtviz.machine.registers import Registers
from idtviz.x86.frames import InterruptFrame


@dataclass(frozen=True, slots=True)
class Context:
    """Where the processor was, or is now: the part of its state that a frame saves."""

    mode: str
    cs: int
    rip: int
    cpl: int
    ss: int
    rsp: int
    rflags: int

    @classmethod
    def of(cls, at: Registers) -> Context:
        """The context of `at`."""
        return cls(at.mode, at.cs.selector, at.rip, at.cpl, at.ss.selector, at.rsp, at.rflags)


@dataclass(frozen=True, slots=True)
class Happened:
    """Something happened when `instruction` instructions had completed, and `step` delivery steps after the last."""

    instruction: int
    step: int


@dataclass(frozen=True, slots=True)
class Delivered(Happened):
    """A delivery that ended: in the handler (`fault` is None), or in a fault of its own.

    `index` counts deliveries from 0. `step` is the one at which it began.
    """

    index: int
    event: Event
    origin: Context
    gate: Gate | None
    gate_address: int
    stack: str | None
    frame: InterruptFrame | None
    to: Context | None
    steps: tuple[Step, ...]
    fault: Fault | None

    @classmethod
    def of(cls, done: Delivery, instruction: int, step: int, index: int) -> Delivered:
        """What `done`, delivery number `index`, came to."""
        before = Context.of(done.before)
        entered = done.after is not None
        return cls(
            instruction=instruction,
            step=step,
            index=index,
            event=done.event,
            origin=replace(before, rip=done.event.rip, rflags=done.saved_rflags),
            gate=done.gate,
            gate_address=done.gate_address,
            stack=done.stack.source if entered and done.stack is not None else None,
            frame=done.frame if entered else None,
            to=Context.of(done.after) if done.after is not None else None,
            steps=tuple(done.steps),
            fault=done.fault,
        )


@dataclass(frozen=True, slots=True)
class Returned(Happened):
    """An IRET that ended delivery number `delivery`."""

    delivery: int
    origin: Context
    to: Context


@dataclass(frozen=True, slots=True)
class LineChanged(Happened):
    """An edge of an interrupt request line."""

    line: int
    level: bool


@dataclass(frozen=True, slots=True)
class EndOfInterrupt(Happened):
    """An EOI command; `irq` is None where no line was in service, `vector` where the controller does not tell."""

    controller: str
    irq: int | None
    vector: int | None = None

    @property
    def ended(self) -> str:
        """What it ended: `IRQ1`, `vector 0x40`, or nothing."""
        if self.irq is not None:
            return f"IRQ{self.irq}"
        return "nothing was in service" if self.vector is None else f"vector {self.vector:#x}"


@dataclass(frozen=True, slots=True)
class Halted(Happened):
    """HLT was executed."""


@dataclass(frozen=True, slots=True)
class ShutDown(Happened):
    """The processor shut down; `cause` lists the deliveries that led there, first to last."""

    cause: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SwitchedOff(Happened):
    """The guest has reset the machine, or switched it off; `how` is a sentence."""

    how: str


@dataclass(frozen=True, slots=True)
class Noted(Happened):
    """Something that the machine cannot do as hardware would, or that a person would want in the log."""

    text: str
