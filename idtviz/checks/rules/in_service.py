"""Which interrupt a handler is for, as the interrupt controllers have it, and what was said to them on its way."""

from __future__ import annotations

from idtviz.checks.finding import Note
from idtviz.checks.scene import Passage, Scene
from idtviz.debugger.observing import Instant
from idtviz.machine.chips.pic import PicPairState
from idtviz.machine.delivery.event import Source
from idtviz.machine.events import EndOfInterrupt, Happened

_STACK = 16384
"""Bytes of a kernel stack, below a frame, within which the handler of that frame is taken to be at work."""


def line_of(passage: Passage) -> int | None:
    """The line that a handler's interrupt came on, spurious ones included."""
    event = passage.delivered.event
    return event.irq if event.source is Source.EXTERNAL else None


def by_lapic(passage: Passage) -> bool:
    """Whether the local APIC has it in service, as it is entered."""
    lapic = passage.entry.lapic
    external = passage.delivered.event.source is Source.EXTERNAL
    return external and lapic is not None and bool(lapic.isr >> passage.vector & 1)


def irq_in_service(passage: Passage) -> int | None:
    """The line whose ISR bit an 8259 has set for this handler; None: spurious, automatic EOI, not from an 8259."""
    irq = line_of(passage)
    if irq is None or by_lapic(passage) or not serves(passage.entry.pic, irq):
        return None
    return irq


def serves(pic: PicPairState, irq: int) -> bool:
    """Whether the ISR bit of a line is set."""
    return bool((pic.master.isr if irq < 8 else pic.slave.isr) >> (irq & 7) & 1)


def side(irq: int) -> str:
    return "master" if irq < 8 else "slave"


def called(passage: Passage) -> str:
    return passage.delivered.event.name


def still_in(scene: Scene, passage: Passage) -> bool:
    """Whether what runs is that handler, as far as one can see: a scheduler may have gone on to another stack."""
    frame = passage.frame
    instant = _now(passage, scene.moment.instruction)
    if instant is None or frame is None:
        return passage.delivered.event.source is Source.EXTERNAL and irq_in_service(passage) is None
    return 0 <= frame.address - instant.top < _STACK


def _now(passage: Passage, instruction: int) -> Instant | None:
    """The instruction that is being executed, if it is looked at."""
    last = passage.instants[-1] if passage.instants else None
    return last if last is not None and last.moment.instruction == instruction else None


def place_of(passage: Passage, event: Happened) -> int | None:
    found = _now(passage, event.instruction)
    return None if found is None else found.registers.linear_rip


def iret_of(passage: Passage) -> int | None:
    """The IRET that a handler has returned with."""
    return place_of(passage, passage.returned) if passage.returned is not None else None


def at_iret(passage: Passage) -> tuple[int, *tuple[Note, ...]]:
    """The place of what a handler has left undone: its IRET, and a note where it begins."""
    at = iret_of(passage)
    if at is None or at == passage.handler:
        return (passage.handler,)
    return at, Note("the handler begins here", passage.handler)


def eoi_elsewhere(scene: Scene, passage: Passage, controller: str) -> int | None:
    """Where in the handler an EOI went to a controller whose name begins so."""
    sent: set[int] = set()
    for event in reversed(scene.events):
        if event.instruction < passage.delivered.instruction:
            break
        if isinstance(event, EndOfInterrupt) and event.controller.startswith(controller):
            sent.add(event.instruction)
    seen = (it.registers.linear_rip for it in reversed(passage.instants) if it.moment.instruction in sent)
    return next(seen, passage.handler) if sent else None
