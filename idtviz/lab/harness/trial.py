"""One way through a bare handler: from the interrupted program into it, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from idtviz.checks.finding import Finding
from idtviz.checks.rule import Findings, Rule
from idtviz.checks.scene import Call, Passage, Scene
from idtviz.debugger.disassembly import disassemble
from idtviz.debugger.inputs import Input, Irq, Keys, Nmi, Raised, ScriptedInput
from idtviz.debugger.observing import Instant
from idtviz.debugger.places import Place, PlaceKind
from idtviz.debugger.session import Session, Setup
from idtviz.debugger.stops import Reason
from idtviz.debugger.symbols import Symbols
from idtviz.lab.harness import routines
from idtviz.lab.harness.examining import HandlerExamination
from idtviz.lab.harness.passing import Argument, arguments
from idtviz.lab.harness.world import FAULT_ADDRESS, IRQ_BASE, NESTED_IRQ, World, is_interrupted
from idtviz.machine.decoding import code_bits
from idtviz.machine.delivery.event import Source
from idtviz.machine.events import Delivered, Returned
from idtviz.x86 import flags
from idtviz.x86.vectors import VECTORS

BUDGET = 300_000
"""Instructions within which a handler has to return."""
_ARRIVING = 200_000
"""Ticks within which a key has come through the keyboard's wire."""
_MOST_EVENTS = 200
"""Within one trial: who sets a timer that never stops is not waited for."""
_IRQS = range(IRQ_BASE, IRQ_BASE + 16)
_KEYBOARD_IRQ, _NMI, _PAGE_FAULT = 1, 2, 14
_BY_INSTRUCTION = (3, 4)
"""Exceptions that an instruction of the program asks for."""
_ERROR_CODES = {8: 0, _PAGE_FAULT: 0x2, 17: 0}
"""What a fault of the interrupted program has for an error code; for selectors' faults that of GDT entry 41."""
_SELECTOR_ERROR = 0x148
_USER, _USER_ACCESS = 3, 0x4
_ON_THE_STACK = 2


class Ending(Enum):
    """What came of a trial."""

    RETURNED = "returned"
    STOPPED = "stopped"
    """HLT with interrupts off: it does not mean to return."""
    FAULTED = "faulted"
    """An exception of its own."""
    RAN_ON = "ran on"
    """It had not returned when the budget was used up."""
    LEFT = "left"
    """Another IRET has led out of it."""
    WENT_BACK = "went back"
    """The interrupted program goes on, and no IRET has led there."""
    FLOODED = "flooded"
    """Interrupts came in without end."""
    FAILED = "failed"
    """The processor shut down."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What was seen. `calls` are those that the handler itself made; `enabled`: it set IF before it returned.

    `rip` is where it stood at the end, `fault` the exception that it raised.
    """

    ring: int
    nested: bool
    ending: Ending
    findings: tuple[Finding, ...]
    calls: tuple[Call, ...]
    arguments: tuple[tuple[Argument, ...], ...]
    """What was handed over at each of them."""
    passage: Passage | None
    enabled: bool
    instructions: int
    """Of the handler, what it calls, and what interrupts it."""
    budget: int
    """How many there might have been."""
    rip: int
    fault: Delivered | None = None

    @property
    def saves_vectors(self) -> bool:
        """Whether the handler, or what it calls, has an eye on the XMM registers: then its callees may use them."""
        seen = () if self.passage is None else self.passage.instants
        return any(_touches_vectors(instant) for instant in seen)


def _touches_vectors(instant: Instant) -> bool:
    if instant.decoded is None:
        return False
    if instant.decoded.mnemonic.startswith(("fxsave", "xsave")):
        return True
    found = disassemble(instant.raw, instant.registers.rip, code_bits(instant.registers))[0]
    return "xmm" in found.operands


class _Witness(Rule):
    """Keeps the passage through the handler that is tried; finds nothing."""

    id = title = why = fix = source = ""
    bug_class = None

    def __init__(self) -> None:
        self.passage: Passage | None = None
        self.enabled = False

    def entered(self, scene: Scene, delivered: Delivered) -> Findings:
        if delivered.index == 0:
            self.passage = scene.passages[-1]
        elif self.passage is not None and delivered.origin.rflags & flags.IF:
            self.enabled = True
        yield from ()


def event_of(vector: int, ring: int) -> tuple[bytes, Input | None]:
    """How the interrupted program of `ring` comes to raise `vector`: an instruction of its own, or an input."""
    if vector in _IRQS:
        line = vector - IRQ_BASE
        return b"", Keys("a") if line == _KEYBOARD_IRQ else Irq(line)
    if vector == _NMI:
        return b"", Nmi()
    if vector in _BY_INSTRUCTION or vector >= len(VECTORS[:32]):
        return routines.software(vector), None
    code = _ERROR_CODES.get(vector, _SELECTOR_ERROR) if VECTORS[vector].error_code else 0
    if vector == _PAGE_FAULT and ring == _USER:
        code |= _USER_ACCESS
    return b"", Raised(vector, code, FAULT_ADDRESS if vector == _PAGE_FAULT else 0)


def run(world: World, given: Input | None, symbols: Symbols, *, nested: bool = False, budget: int = BUDGET) -> Trial:
    """Have the program interrupted, once. `nested`: another IRQ comes as soon as the handler lets it."""
    inputs = list(scripted(given))
    if nested:
        at = Place(PlaceKind.ADDRESS, world.handler, 1, 0, f"{world.handler:#x}")
        inputs.append(ScriptedInput(at, Irq(NESTED_IRQ)))
    session = Session(Setup("a bare handler", world.build, symbols, tuple(inputs)))
    handlers = _Handlers(session)
    arriving = _ARRIVING if isinstance(given, Keys) else 0
    stop = session.run(limit=budget + arriving, stop_when=handlers.is_over)
    witness = _Witness()
    examination = HandlerExamination(world.loaded, session.observations, symbols, witness)
    findings = tuple(examination.go_on())
    at_end = session.machine.cpu.registers()
    passage = witness.passage
    fault = handlers.fault
    ending = _ending(session, handlers, stop.reason)
    instructions = 0
    if passage is not None:
        by_instruction = passage.delivered.event.source is Source.SOFTWARE
        instructions = session.machine.instructions - passage.delivered.instruction - by_instruction
    calls = tuple(call for call in passage.calls if call.depth == 0) if passage is not None else ()
    return Trial(
        ring=world.ring,
        nested=nested,
        ending=ending,
        findings=findings,
        calls=calls,
        arguments=tuple(_arguments(session, call, passage) for call in calls if passage is not None),
        passage=passage,
        enabled=witness.enabled or _enables(passage),
        instructions=instructions,
        budget=budget,
        rip=fault.event.instruction_rip if fault is not None else at_end.linear_rip,
        fault=fault,
    )


def scripted(given: Input | None) -> tuple[ScriptedInput, ...]:
    """The input that raises the event, given in the midst of the program that it interrupts."""
    return () if given is None else (ScriptedInput(Place(PlaceKind.COUNT, 2, 1, 0, "2"), given),)


class _Handlers:
    """Whether the handler has been left, or met an exception of its own."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def fault(self) -> Delivered | None:
        """The first exception of the handler's own."""
        deliveries = [event for event in self._session.events if isinstance(event, Delivered)]
        return next((event for event in deliveries[1:] if event.event.irq is None), None)

    @property
    def returned(self) -> bool:
        return any(isinstance(event, Returned) and event.delivery == 0 for event in self._session.events)

    def is_over(self) -> bool:
        """Asked around each delivery and return."""
        return self.returned or self.fault is not None or self.too_many

    @property
    def too_many(self) -> bool:
        return len(self._session.events) > _MOST_EVENTS


def _ending(session: Session, handlers: _Handlers, reason: Reason) -> Ending:
    if handlers.returned:
        return Ending.RETURNED
    if reason is Reason.SHUTDOWN:
        return Ending.FAILED
    if handlers.fault is not None:
        return Ending.FAULTED
    if handlers.too_many:
        return Ending.FLOODED
    if reason is Reason.HALTED:
        return Ending.STOPPED
    if is_interrupted(session.machine.cpu.registers().linear_rip):
        return Ending.WENT_BACK
    return Ending.RAN_ON if session.machine.live else Ending.LEFT


def _arguments(session: Session, call: Call, passage: Passage) -> tuple[Argument, ...]:
    """What is handed over at a call: in 32-bit code it lies on the stack, which is read at that moment."""
    if passage.word == 8:
        return arguments(call, passage, b"")
    session.seek(call.at.moment)
    stack = session.machine.linear().peek(call.at.registers.rsp, 4 * _ON_THE_STACK) or b""
    return arguments(call, passage, stack)


def _enables(passage: Passage | None) -> bool:
    """Whether the handler has IF set while it runs, at an instruction that was looked at."""
    return passage is not None and any(instant.registers.rflags & flags.IF for instant in passage.instants)
