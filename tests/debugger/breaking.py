"""Two ways to the same stops: a run at speed, and single micro-steps with a question at each moment."""

from __future__ import annotations

from collections.abc import Callable

from idtviz.debugger.breakpoint_text import parse_breakpoint
from idtviz.debugger.breakpoints import Breakpoint
from idtviz.debugger.lookout import Lookout
from idtviz.debugger.moment import Moment
from idtviz.debugger.session import Phase, Session
from idtviz.debugger.stops import Reason
from idtviz.machine.registers import Registers

Question = Callable[[Session, Registers], bool]
"""Asked of a session behind a micro-step, with the registers from in front of it."""


def set_at(session: Session, *texts: str) -> tuple[Breakpoint, ...]:
    items = tuple(parse_breakpoint(text, session.symbols) for text in texts)
    for item in items:
        session.breakpoints.add(item)
    return items


def run_through(session: Session, end: Moment) -> list[Moment]:
    """Every moment before `end` at which runs stop for a breakpoint."""
    found: list[Moment] = []
    while session.run(end).reason is Reason.BREAKPOINT:
        found.append(session.moment)
    return found


def run_back_through(session: Session) -> list[Moment]:
    """Every moment at which running back stops, latest first, without the start."""
    found: list[Moment] = []
    while session.run_back() and session.moment > Moment(0):
        found.append(session.moment)
    return found


def stepped_through(session: Session, end: Moment, *texts: str) -> list[Moment]:
    """Every moment between the first and `end` at which a breakpoint is met, in micro-steps of the machine."""
    machine = session.machine
    items = [parse_breakpoint(text, session.symbols) for text in texts]
    lookout = Lookout(machine, session.symbols, items)
    found: set[Moment] = set()
    while session.moment < end and not machine.stuck:
        lookout.micro_step()
        session._arrive()
        found.update(met.moment for met in lookout.met())
    return sorted(moment for moment in found if Moment(0) < moment < end)


def asked_through(session: Session, end: Moment, question: Question) -> list[Moment]:
    """Every moment before `end` behind a micro-step at which `question` is answered with yes."""
    found = []
    while session.moment < end and session.phase is not Phase.ENDED:
        before = session.machine.cpu.registers()
        session.micro_step()
        if question(session, before):
            found.append(session.moment)
    return [moment for moment in found if moment < end]
