"""Our own machine, asked the same questions as the judge: a `Case` goes in, an `Answer` comes out.

One machine serves all cases; before each it is put back to its first state. The interrupt controller is set up so that
its slave sends exactly the vector of the case: external events come in the way that they do in a PC.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from idtviz.machine.delivery.event import DOUBLE_FAULT, exception
from idtviz.machine.delivery.event import Event as OurEvent
from idtviz.machine.events import Delivered, Happened, ShutDown
from idtviz.machine.pc import Machine, MachineState
from idtviz.machine.registers import Registers, Table
from idtviz.machine.registers import Segment as OurSegment

from .case import (
    GENERAL_REGISTERS,
    PAGE,
    SEGMENT_REGISTERS,
    Answer,
    Case,
    Change,
    Event,
    Injection,
    Segment,
    State,
    TableRegister,
    changes_in_page,
)

MEMORY = 1 << 20
HERTZ = 10_000_000
_SLAVE, _SLAVE_DATA, _MASTER, _MASTER_DATA = 0xA0, 0xA1, 0x20, 0x21
_UNUSED_MASTER_VECTORS = 0x20


@cache
def _machine() -> tuple[Machine, MachineState]:
    machine = Machine(MEMORY, HERTZ)
    return machine, machine.snapshot()


def answer(case: Case, *, at_speed: bool = False) -> Answer:
    """What our machine does with `case`: stepping, or running to each procedure at full speed."""
    machine, fresh = _machine()
    pages = case.pages()
    machine.memory.write(0, bytes(MEMORY))
    machine.restore(fresh)
    load(machine, case)
    log = _Log(machine)
    machine.on_event = log
    _run(machine, case, log, at_speed=at_speed)
    machine.on_event = lambda event: None
    return Answer(
        case.name,
        tuple(log.events),
        shutdown=log.shut_down,
        final=None if log.shut_down else _state(machine),
        instructions=machine.instructions,
        changes=tuple(_changes(pages, machine)),
        halted=machine.halted,
    )


def load(machine: Machine, case: Case) -> None:
    """The memory and the registers of `case`."""
    for page, data in case.pages().items():
        machine.memory.write(page, bytes(data))
    machine.cpu.load(_registers(case.state))


class _Log:
    """Notes each delivery as the judge does, with CR2 as it stood then."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.events: list[Event] = []
        self.shut_down = False
        self.over = False

    def __call__(self, happened: Happened) -> None:
        if isinstance(happened, ShutDown):
            self.shut_down = self.over = True
        elif isinstance(happened, Delivered):
            self._delivered(happened)

    def _delivered(self, done: Delivered) -> None:
        """The judge lists what the processor raised: also a fault that became a double fault or a shutdown."""
        event, cr2 = done.event, self._machine.cpu.cr2
        if not self.events or event.vector == DOUBLE_FAULT:
            self.events.append(Event(_kind(event), event.vector, event.error_code, cr2, event.instruction_rip))
        if done.fault is not None:
            real = not self._machine.cpu.registers().cr0 & 1
            raised = exception(done.fault, event.instruction_rip, real=real)
            cr2 = cr2 if raised.cr2 is None else raised.cr2
            self.events.append(Event("exception", raised.vector, raised.error_code, cr2, raised.rip))
        self.over = done.fault is None


def _kind(event: OurEvent) -> str:
    """The judge calls INT1 a software event: it is the #DB that saves another address than that of its instruction."""
    return "software" if event.vector == 1 and event.rip != event.instruction_rip else event.source.value


def _run(machine: Machine, case: Case, log: _Log, *, at_speed: bool) -> None:
    pending = case.inject
    while not log.over and (machine.activity is not None or machine.instructions < case.instructions):
        if pending is not None and machine.instructions == pending.after:
            _inject(machine, pending)
            pending = None
        if machine.stuck:
            return
        if at_speed and machine.activity is None and not machine.halted:
            before = machine.instructions
            machine.run(pending.after if pending is not None else case.instructions)
            if machine.activity is None and machine.instructions == before:
                machine.micro_step()
            continue
        machine.micro_step()


def _inject(machine: Machine, event: Injection) -> None:
    if event.kind == "nmi":
        machine.raise_nmi()
        return
    write = machine.board.write
    for command, data, vectors, cascade in (
        (_MASTER, _MASTER_DATA, _UNUSED_MASTER_VECTORS, 4),
        (_SLAVE, _SLAVE_DATA, event.vector & ~7, 2),
    ):
        write(command, 1, 0x11)
        for word in (vectors, cascade, 0x01):
            write(data, 1, word)
        write(data, 1, 0x00)
    machine.raise_irq(8 + event.vector % 8)


def _registers(state: State) -> Registers:
    segments = {name: _our_segment(getattr(state, name)) for name in SEGMENT_REGISTERS}
    return Registers(
        general=tuple(getattr(state, name) for name in GENERAL_REGISTERS),
        rip=state.rip,
        rflags=state.rflags,
        cpl=state.cpl,
        **segments,
        gdtr=Table(state.gdtr.base, state.gdtr.limit),
        idtr=Table(state.idtr.base, state.idtr.limit),
        cr0=state.cr0,
        cr2=state.cr2,
        cr3=state.cr3,
        cr4=state.cr4,
        efer=state.efer,
        interrupt_shadow=False,
    )


def _our_segment(segment: Segment) -> OurSegment:
    return OurSegment(segment.selector, segment.base, segment.limit, segment.attributes)


def _state(machine: Machine) -> State:
    at = machine.cpu.registers()
    paragraphs = not at.cr0 & 1 or bool(at.rflags & 1 << 17 and not at.efer & 1 << 10)
    segments = {
        name: Segment(
            found.selector,
            found.base,
            found.limit,
            found.flags & 0x00F0FF00,
            usable=found.present and (bool(found.selector & ~3) or (paragraphs and name not in ("ldtr", "tr"))),
        )
        for name in SEGMENT_REGISTERS
        for found in [getattr(at, name)]
    }
    return State(
        rip=at.rip,
        rflags=at.rflags,
        **dict(zip(GENERAL_REGISTERS, at.general, strict=True)),
        cr0=at.cr0,
        cr2=at.cr2,
        cr3=at.cr3,
        cr4=at.cr4,
        efer=at.efer,
        dr6=machine.cpu.debug_register(6),
        dr7=machine.cpu.debug_register(7),
        gdtr=TableRegister(at.gdtr.base, at.gdtr.limit),
        idtr=TableRegister(at.idtr.base, at.idtr.limit),
        **segments,
    )


def _changes(pages: dict[int, bytearray], machine: Machine) -> Iterator[Change]:
    """The runs of bytes that differ, over all of RAM: a write outside the case's pages shows too."""
    for page in range(0, MEMORY, PAGE):
        yield from changes_in_page(page, bytes(pages.get(page, bytes(PAGE))), machine.memory.read(page, PAGE))
