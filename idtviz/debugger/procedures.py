"""A delivery or return as there is to see of it: the steps performed, the steps to come, and what it found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from idtviz.debugger.disassembly import Instruction
from idtviz.debugger.moment import Moment
from idtviz.debugger.recording import Recording
from idtviz.machine.chips.pic import inta
from idtviz.machine.delivery.event import GENERAL_PROTECTION, PAGE_FAULT, Event, Fault, Source, exception
from idtviz.machine.delivery.iret import LongReturn
from idtviz.machine.delivery.long import Located, LongDelivery
from idtviz.machine.delivery.procedure import Step
from idtviz.machine.events import Delivered
from idtviz.machine.memory import RehearsedMemory
from idtviz.machine.pc import Machine
from idtviz.machine.registers import Registers
from idtviz.x86.addresses import is_canonical
from idtviz.x86.descriptors import SegmentDescriptor
from idtviz.x86.frames import InterruptFrame64
from idtviz.x86.gates import Gate64
from idtviz.x86.paging import Walk

FIRST_USER_VECTOR = 32
"""Vectors below it belong to the processor (SDM 3A 6.2)."""


class Stage(Enum):
    """Where a procedure stands at a moment."""

    UNDER_WAY = "under way"
    DONE = "done"
    NEXT = "comes next"
    SUPPOSED = "if it came now"


@dataclass(frozen=True, slots=True)
class Link:
    """A delivery that failed: the event's name, the step that failed, and the exception that it met."""

    name: str
    step: str
    fault: str


@dataclass(frozen=True, slots=True)
class ProcedureView:
    """`performed` of `steps` have been performed; the others were rehearsed on a copy and will be as they stand here.

    `event` is None for an IRET. What was found (`gate` and so on) is known ahead of the step that finds it.
    """

    stage: Stage
    event: Event | None
    before: Registers
    after: Registers | None
    steps: tuple[Step, ...]
    performed: int
    fault: Fault | None
    gate: Gate64 | None = None
    gate_address: int = 0
    descriptor: SegmentDescriptor | None = None
    descriptor_address: int = 0
    stack: Located | None = None
    frame: InterruptFrame64 | None = None
    returns_to: tuple[int, int] | None = None
    chain: tuple[Link, ...] = ()
    """For an event that came out of failed deliveries: those, first to last."""

    failed: Step | None = None
    """The step in which the delivery before this one failed, while no step of this one has been performed."""

    @property
    def active(self) -> bool:
        """Whether some of its steps have been performed and it is still what the moment is about."""
        return self.stage in (Stage.UNDER_WAY, Stage.DONE)

    @property
    def current(self) -> Step | None:
        """The step that was performed last."""
        return self.steps[self.performed - 1] if self.performed and self.active else self.failed


def under_way(machine: Machine, recording: Recording) -> ProcedureView | None:
    """The procedure that is under way, or that has ended with the step just performed."""
    activity = machine.activity
    if isinstance(activity, LongDelivery):
        whole = LongDelivery(activity.event, activity.before, RehearsedMemory(machine.memory, activity.before))
        whole.complete()
        coming = tuple(whole.steps[len(activity.steps) :])
        steps, performed = tuple(activity.steps) + coming, len(activity.steps)
        return _delivery(Stage.UNDER_WAY, whole, steps, performed, recording)
    if isinstance(activity, LongReturn):
        back = LongReturn(activity.before, RehearsedMemory(machine.memory, activity.before), activity.size)
        back.complete()
        coming = tuple(back.steps[len(activity.steps) :])
        return _return(Stage.UNDER_WAY, back, tuple(activity.steps) + coming, len(activity.steps))
    done = machine.finished
    if isinstance(done, LongDelivery):
        return _delivery(Stage.DONE, done, tuple(done.steps), len(done.steps), recording)
    if done is not None:
        return _return(Stage.DONE, done, tuple(done.steps), len(done.steps))
    return None


def at_rest(
    machine: Machine,
    registers: Registers,
    here: Instruction | None,
    operand: Walk | None,
    recording: Recording,
    moment: Moment,
) -> ProcedureView | None:
    """What the next step would begin, as far as it can be told: a pending interrupt, the instruction at RIP."""
    if registers.mode != "long" or machine.shut_down:
        return None
    event = recording.event_at(moment) or _pending(machine, registers)
    if event is None and not machine.halted:
        if here is not None and here.mnemonic.startswith("iret"):
            size = {"iretq": 8, "iretd": 4}.get(here.mnemonic, 2)
            back = LongReturn(registers, RehearsedMemory(machine.memory, registers), size)
            back.complete()
            return _return(Stage.NEXT, back, tuple(back.steps), 0)
        event = _raised(registers, here, operand)
    if event is None:
        return None
    return _rehearsed(machine, event, Stage.NEXT)


def suppose(machine: Machine, vector: int) -> ProcedureView:
    """What would happen if `vector` came now: as an exception below 32, as an external interrupt from there on."""
    rip = machine.cpu.rip
    if vector < FIRST_USER_VECTOR:
        return _rehearsed(machine, exception(Fault(vector, 0), rip), Stage.SUPPOSED)
    return _rehearsed(machine, Event(vector, Source.EXTERNAL, rip, rip), Stage.SUPPOSED)


def _rehearsed(machine: Machine, event: Event, stage: Stage) -> ProcedureView:
    whole = machine.rehearse(event)
    return _delivery(stage, whole, tuple(whole.steps), 0, None)


def _pending(machine: Machine, registers: Registers) -> Event | None:
    """The interrupt that the controllers would be asked for at this boundary."""
    if not (machine.board.pic.intr and machine.cpu.interrupts_enabled):
        return None
    answer, _ = inta(machine.board.pic.state)
    return Event(answer.vector, Source.EXTERNAL, registers.rip, registers.rip, irq=answer.irq)


def _raised(registers: Registers, here: Instruction | None, operand: Walk | None) -> Event | None:
    """The event that the instruction at RIP is sure to raise: INT n, INT3, UD2, a memory operand that is not there."""
    rip = registers.rip
    if here is None:
        return None
    if here.mnemonic in ("int", "int3"):
        vector = 3 if here.mnemonic == "int3" else int(here.operands, 0)
        return Event(vector, Source.SOFTWARE, here.end, rip)
    if here.mnemonic == "ud2":
        return exception(Fault(6, 0), rip)
    if operand is not None and not is_canonical(operand.linear):
        return exception(Fault(GENERAL_PROTECTION, 0), rip)
    if operand is not None and operand.fault is not None and here.mnemonic not in ("invlpg", "prefetchw"):
        return exception(Fault(PAGE_FAULT, operand.fault.value, operand.linear), rip)
    return None


def _failures(recording: Recording, event: Event) -> list[Delivered]:
    """The failed deliveries that `event` came out of, first to last."""
    found: list[Delivered] = []
    cause = event.caused_by
    while cause is not None and cause < len(recording.deliveries):
        found.insert(0, recording.deliveries[cause])
        cause = found[0].event.caused_by
    return found


def _delivery(
    stage: Stage, found: LongDelivery, steps: tuple[Step, ...], performed: int, recording: Recording | None
) -> ProcedureView:
    failures = _failures(recording, found.event) if recording is not None else []
    links = [
        Link(failure.event.name, failure.steps[-1].text, failure.fault.name)
        for failure in failures
        if failure.fault is not None
    ]
    return ProcedureView(
        stage=stage,
        event=found.event,
        before=found.before,
        after=found.after,
        steps=steps,
        performed=performed,
        fault=found.fault,
        gate=found.gate,
        gate_address=found.gate_address,
        descriptor=found.descriptor,
        descriptor_address=found.descriptor_address,
        stack=found.stack,
        frame=found.frame,
        chain=tuple(links),
        failed=failures[-1].steps[-1] if failures and not performed else None,
    )


def _return(stage: Stage, found: LongReturn, steps: tuple[Step, ...], performed: int) -> ProcedureView:
    return ProcedureView(stage, None, found.before, found.after, steps, performed, found.fault, returns_to=found.to)
