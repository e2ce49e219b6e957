"""A delivery or return as there is to see of it: the steps performed, the steps to come, and what it found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from idtviz.debugger.code import CodeView
from idtviz.debugger.moment import Moment
from idtviz.debugger.prediction import raised
from idtviz.debugger.recording import Recording
from idtviz.machine import far_instructions
from idtviz.machine.chips.pic import inta
from idtviz.machine.delivery.delivery import Delivery, Gate, Located
from idtviz.machine.delivery.event import Event, Fault, Source, exception
from idtviz.machine.delivery.procedure import Procedure, Step
from idtviz.machine.delivery.returns import Return
from idtviz.machine.delivery.select import return_from, transfer_of
from idtviz.machine.delivery.transfer import Transfer
from idtviz.machine.events import Delivered
from idtviz.machine.memory import RehearsedMemory
from idtviz.machine.pc import Machine
from idtviz.machine.registers import Registers, Segment
from idtviz.x86.descriptors import SegmentDescriptor
from idtviz.x86.frames import FrameWord, InterruptFrame
from idtviz.x86.gates import IvtEntry

FIRST_USER_VECTOR = 32
"""Vectors below it belong to the processor (SDM 3A 6.2)."""
_IRETS = {"iret": 2, "iretd": 4, "iretq": 8}
"""Capstone's names of IRET, by operand size in bytes."""
_PUSHES = ("push.", "far.push.")
"""How the rules begin that push a word."""


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

    `event` is None for an IRET or a transfer, whose name is `instruction`. What was found (`gate` and so on) is known
    ahead of the step that finds it.
    """

    stage: Stage
    event: Event | None
    before: Registers
    after: Registers | None
    steps: tuple[Step, ...]
    performed: int
    fault: Fault | None
    gate: Gate | None = None
    gate_address: int = 0
    descriptor: SegmentDescriptor | None = None
    descriptor_address: int = 0
    stack: Located | None = None
    frame: InterruptFrame | None = None
    pushed: tuple[FrameWord, ...] = ()
    """What is pushed without being an interrupt frame, lowest address first: by a far CALL, on another task's stack."""
    instruction: str = "IRET"
    return_address: int | None = None
    """For an IRET: linear address of the word that it pops first."""

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

    @property
    def is_return(self) -> bool:
        """Whether it is an IRET."""
        return self.return_address is not None

    @property
    def task(self) -> Segment | None:
        """What TR will hold, if it goes to another task: through a task gate, or back through a TSS's link."""
        found = self.descriptor
        if self.after is not None and self.after.tr != self.before.tr:
            return self.after.tr
        if self.gate is None or found is None or not found.is_system or "TSS" not in found.kind:
            return None
        selector = self.gate.segment if isinstance(self.gate, IvtEntry) else self.gate.selector
        return Segment(selector, found.base, found.byte_limit, found.value >> 32 & 0xF0FF00)


def under_way(machine: Machine, recording: Recording) -> ProcedureView | None:
    """The procedure that is under way, or that has ended with the step just performed."""
    activity = machine.activity
    if isinstance(activity, Procedure):
        # What has been performed is undone in the rehearsal: a task that is busy by now was not when it was entered.
        whole = _again(activity, RehearsedMemory(machine.memory, activity.before, activity.memory))
        steps = tuple(activity.steps) + tuple(whole.steps[len(activity.steps) :])
        return _seen(Stage.UNDER_WAY, whole, steps, len(activity.steps), recording)
    done = machine.finished
    if done is not None:
        return _seen(Stage.DONE, done, tuple(done.steps), len(done.steps), recording)
    return None


def _again(activity: Procedure, memory: RehearsedMemory) -> Procedure:
    """All of `activity`, rehearsed from its beginning; memory that was edited on the way is edited there again."""
    whole = activity.over(memory)
    for performed, physical, data in activity.disturbances:
        while len(whole.steps) < performed:
            whole.advance()
        memory.disturb(physical, data)
    whole.complete()
    return whole


def at_rest(
    machine: Machine, registers: Registers, code: CodeView, recording: Recording, moment: Moment
) -> ProcedureView | None:
    """What the next step would begin, as far as it can be told: a pending interrupt, the instruction at RIP."""
    if machine.shut_down:
        return None
    event = recording.event_at(moment) or _pending(machine, registers)
    if event is None and not machine.halted:
        event = raised(registers, code, machine.linear(registers))
        if event is None:
            return _left(machine, registers, code)
    if event is None:
        return None
    return _rehearsed(machine, event, Stage.NEXT)


def suppose(machine: Machine, vector: int) -> ProcedureView:
    """What would happen if `vector` came now: as an exception below 32, as an external interrupt from there on."""
    registers = machine.cpu.registers()
    rip, real = registers.rip, registers.mode == "real"
    if vector < FIRST_USER_VECTOR:
        return _rehearsed(machine, exception(Fault(vector, 0), rip, real=real), Stage.SUPPOSED)
    return _rehearsed(machine, Event(vector, Source.EXTERNAL, rip, rip, real=real), Stage.SUPPOSED)


def _rehearsed(machine: Machine, event: Event, stage: Stage) -> ProcedureView:
    whole = machine.rehearse(event)
    return _seen(stage, whole, tuple(whole.steps), 0, None)


def _left(machine: Machine, registers: Registers, code: CodeView) -> ProcedureView | None:
    """The IRET, far transfer or system call at RIP."""
    if code.here is None:
        return None
    memory = RehearsedMemory(machine.memory, registers)
    size = _IRETS.get(code.here.mnemonic)
    found: Procedure
    if size is not None:
        found = return_from(registers, memory, size)
    else:
        instruction = far_instructions.decode(code.here.raw, registers)
        if instruction is None:
            return None
        found = transfer_of(instruction, registers, memory, machine.cpu.system_call_msrs())
    found.complete()
    return _seen(Stage.NEXT, found, tuple(found.steps), 0, None)


def _pending(machine: Machine, registers: Registers) -> Event | None:
    """The interrupt that the controllers would be asked for at this boundary."""
    if not (machine.board.pic.intr and machine.cpu.interrupts_enabled):
        return None
    answer, _ = inta(machine.board.pic.state)
    real = registers.mode == "real"
    return Event(answer.vector, Source.EXTERNAL, registers.rip, registers.rip, irq=answer.irq, real=real)


def _failures(recording: Recording, event: Event) -> list[Delivered]:
    """The failed deliveries that `event` came out of, first to last."""
    found: list[Delivered] = []
    cause = event.caused_by
    while cause is not None and cause < len(recording.deliveries):
        found.insert(0, recording.deliveries[cause])
        cause = found[0].event.caused_by
    return found


def _seen(
    stage: Stage, found: Procedure, steps: tuple[Step, ...], performed: int, recording: Recording | None
) -> ProcedureView:
    seen = ProcedureView(
        stage, None, found.before, found.after, steps, performed, found.fault, pushed=_pushed(found, steps)
    )
    if isinstance(found, Delivery):
        return _delivery(seen, found, recording)
    if isinstance(found, Return):
        return replace(seen, return_address=found.base, returns_to=found.to)
    assert isinstance(found, Transfer)
    return replace(seen, instruction=found.name)


def _pushed(found: Procedure, steps: tuple[Step, ...]) -> tuple[FrameWord, ...]:
    """The words that a procedure without a frame pushes, with the values that they have when it has ended."""
    if isinstance(found, Return) or (isinstance(found, Delivery) and found.frame is not None):
        return ()
    words = []
    for step in steps:
        if step.ok and step.rule.id.startswith(_PUSHES):
            for span in step.writes:
                raw = found.memory.peek(span.address, span.size) or b""
                name, value = step.text.removeprefix("push "), int.from_bytes(raw, "little")
                words.append(FrameWord(name, value, "", span.address, span.size))
    return tuple(sorted(words, key=lambda word: word.address))


def _delivery(seen: ProcedureView, found: Delivery, recording: Recording | None) -> ProcedureView:
    failures = _failures(recording, found.event) if recording is not None else []
    links = [
        Link(failure.event.name, failure.steps[-1].text, failure.fault.name)
        for failure in failures
        if failure.fault is not None
    ]
    return replace(
        seen,
        event=found.event,
        gate=found.gate,
        gate_address=found.gate_address,
        descriptor=found.descriptor,
        descriptor_address=found.descriptor_address,
        stack=found.stack,
        frame=found.frame,
        chain=tuple(links),
        failed=failures[-1].steps[-1] if failures and not seen.performed else None,
    )
