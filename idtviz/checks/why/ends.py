"""What a run has come to at a moment, and the sentences for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from idtviz.checks.finding import Finding
from idtviz.checks.rules.running import waits_for
from idtviz.checks.why.arriving import arrival, lines_of_interest
from idtviz.checks.why.by_pic import COMES_BY_ITSELF, DEVICE_REQUESTS
from idtviz.checks.why.values import Ending
from idtviz.debugger.arriving import ENDLESS
from idtviz.debugger.moment import Moment
from idtviz.debugger.observing import Instant
from idtviz.debugger.procedures import FIRST_USER_VECTOR
from idtviz.debugger.session import Phase, Session
from idtviz.machine.delivery.event import Event, Source
from idtviz.machine.events import Delivered, Happened, ShutDown, SwitchedOff
from idtviz.x86.flags import IF

_CLOCKS = (0, 8)
_INPUTS = (1, 4)
"""The lines of the keyboard and of COM1, through which someone outside can wake a kernel."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The ending, the deliveries that led there (`live`: of handlers that are running; `cause`: that failed), the
    linear address that the processor has come to, and what to say of it.
    """

    ending: Ending
    live: tuple[int, ...]
    cause: tuple[int, ...]
    address: int
    title: str
    prose: tuple[str, ...]


def judge(session: Session, hang: Finding | None, loop: Sequence[Instant]) -> Judged:
    """What `session` has come to at its present moment."""
    view = session.view
    events = session.events[: session.seen]
    last = events[-1] if events else None
    live = tuple(it.delivery for it in session.machine.live)
    address = view.registers.linear_rip
    where = session.symbols.name(address) or f"{address:#x}"
    if view.shut_down:
        cause = last.cause if isinstance(last, ShutDown) else ()
        said = "#DF could not be delivered. That is the third fault: the processor stops, and a PC resets."
        return Judged(Ending.SHUTDOWN, live, cause, address, "shutdown (triple fault)", (said,))
    if isinstance(last, SwitchedOff):
        return Judged(Ending.DONE, (), (), address, "the machine is off", (f"{last.how[0].upper()}{last.how[1:]}.",))
    if session.moment.step >= ENDLESS:
        return _endless_delivery(events, session.moment, address)
    if hang is not None and hang.rule == "RUN002":
        said = "The handler returns, the instruction runs again, and raises the same exception. Nothing ends that."
        return Judged(Ending.ENDLESS_FAULT, live, (), address, "an endless fault", (said,))
    if view.halted:
        return _halted(session, live)
    if hang is not None or loop:
        return _spin(session, live, loop, where)
    prose = (f"It has come to {where}, and goes on.",)
    return Judged(Ending.RUNNING, live, (), address, "the run was stopped here", prose)


def verdict(judged: Judged, here: Moment, deliveries: Sequence[Delivered]) -> str:
    """One sentence about the whole."""
    count = f"after {here.instruction:,} instruction{'s' * (here.instruction != 1)}"
    first = deliveries[0] if deliveries else None
    match judged.ending:
        case Ending.SHUTDOWN:
            failed = [it.event.name for it in deliveries if it.fault is not None]
            if len(failed) == 2:
                return f"The processor shut down {count}: it could deliver neither {failed[0]} nor {failed[1]}."
            return f"The processor shut down {count}: it could not deliver {', then '.join(failed)}."
        case Ending.ENDLESS_FAULT:
            name = deliveries[-1].event.name if deliveries else "a fault"
            return f"The run hangs {count}: {name} comes again and again at the same instruction."
        case Ending.ENDLESS_DELIVERY:
            name = first.event.name if first is not None else "an exception"
            return (
                f"The processor hangs {count}: out of {name} comes one exception after the other, and no instruction."
            )
        case Ending.STOPPED:
            last = [it.event.name for it in deliveries if _is_trouble(it.event)]
            return f"The kernel stopped for good {count}, in the handler of {last[-1] if last else 'an exception'}."
        case Ending.SPIN:
            return f"The kernel hangs {count}, in a loop that nothing ends."
        case Ending.HANG:
            return f"The kernel hangs {count}: HLT waits for an interrupt, and none can come."
        case Ending.DONE:
            return f"Nothing crashed: {judged.title} {count}."
        case _:
            return f"Nothing crashed so far: {judged.title}, {count}."


def _endless_delivery(events: Sequence[Happened], here: Moment, address: int) -> Judged:
    same = [it for it in events if isinstance(it, Delivered) and it.instruction == here.instruction]
    told = tuple(dict.fromkeys(it.index for it in (*same[:3], *same[-1:])))
    count = f"{len(same)} exceptions have come since the last instruction that was completed"
    said = f"{count}: each comes out of the one before, and none of the handlers executes anything."
    return Judged(Ending.ENDLESS_DELIVERY, (), told, address, "deliveries without end", (said,))


def _halted(session: Session, live: tuple[int, ...]) -> Judged:
    view = session.view
    address = view.registers.linear_rip - 1
    where = session.symbols.name(address) or f"{address:#x}"
    enabled = bool(view.registers.rflags & IF)
    known = {it.index: it for it in session.events[: session.seen] if isinstance(it, Delivered)}
    exceptions = [known[it] for it in live if it in known and _is_trouble(known[it].event)]
    if session.phase is not Phase.ENDED:
        prose = (f"HLT at {where} waits for an interrupt, and one can come.",)
        return Judged(Ending.RUNNING, live, (), address, "HLT waits for an interrupt", prose)
    if exceptions:
        name = exceptions[-1].event.name
        title = f"HLT for ever, in the handler of {name}"
        wakes = "no interrupt can come that would end it" if enabled else "IF is 0: only an NMI could end it"
        prose = (f"The HLT at {where} stands in the handler of {name}; {wakes}.",)
        return Judged(Ending.STOPPED, live, (), address, title, prose)
    if enabled:
        return _idle(session, live, address, where)
    prose = (f"The HLT at {where} has IF=0, as kernels do at their end.",)
    if live:
        name = known[live[-1]].event.name if live[-1] in known else "an interrupt"
        prose = (f"The HLT at {where} has IF=0, in the handler of {name}.",)
    return Judged(Ending.DONE, live, (), address, "the kernel ended in HLT with IF=0", prose)


def _idle(session: Session, live: tuple[int, ...], address: int, where: str) -> Judged:
    """HLT with IF=1, and nothing in the machine will wake it: it waits for someone outside, or in vain."""
    seen = session.events[: session.seen]
    served = any(isinstance(it, Delivered) and it.event.source is Source.EXTERNAL for it in seen)
    if _held_back(session) or not (served or any(_only_waits(session, irq) for irq in _INPUTS)):
        prose = (
            f"The HLT at {where} has IF=1, but no interrupt that a device asks for gets through to the processor.",
        )
        return Judged(Ending.HANG, live, (), address, "HLT waits for an interrupt that cannot come", prose)
    prose = (f"The HLT at {where} has IF=1: the kernel is idle until someone presses a key or sends something.",)
    return Judged(Ending.RUNNING, live, (), address, "the kernel is idle in HLT", prose)


def _held_back(session: Session) -> bool:
    """Whether an interrupt that a device has asked for does not get through."""
    return any(arrival(session, irq=irq).blocked is not None for irq in lines_of_interest(session.view))


def _can_come(session: Session) -> bool:
    """Whether an interrupt can come: by itself, or because someone presses a key or sends something."""
    if _held_back(session):
        return False
    clocks = [arrival(session, irq=irq) for irq in _CLOCKS]
    by_itself = any(it.blocked is None or it.blocked.change == COMES_BY_ITSELF for it in clocks)
    return by_itself or any(_only_waits(session, irq) for irq in _INPUTS)


def _only_waits(session: Session, irq: int) -> bool:
    """Whether nothing but the device keeps a line's interrupt from arriving."""
    found = arrival(session, irq=irq).conditions
    return all(it.holds or it.name == DEVICE_REQUESTS for it in found)


def _spin(session: Session, live: tuple[int, ...], loop: Sequence[Instant], where: str) -> Judged:
    view = session.view
    address = view.registers.linear_rip
    enabled = bool(view.registers.rflags & IF)
    found = waits_for(loop, None) if loop else None
    what = ""
    if found is not None:
        at, operand = found
        address = at.registers.linear_rip
        name = session.symbols.name(operand.address) or f"{operand.address:#x}"
        what = f"It waits for {name} to change. "
    who = "an interrupt's handler would have to end it" if enabled else "with IF=0 nothing else runs that could end it"
    known = {it.index: it for it in session.events[: session.seen] if isinstance(it, Delivered)}
    inside = [known[it].event for it in live if it in known and _is_trouble(known[it].event)]
    if found is None and loop:
        # A loop that waits for nothing is meant to be the end.
        if inside:
            prose = (f"The loop at {where} stands in the handler of {inside[-1].name}, and does nothing.",)
            return Judged(Ending.STOPPED, live, (), address, f"a loop, in the handler of {inside[-1].name}", prose)
        ending = Ending.RUNNING if enabled else Ending.DONE
        title = f"the kernel ended in a loop with IF={int(enabled)}"
        return Judged(ending, live, (), address, title, (f"The loop at {where} does nothing, and waits for nothing.",))
    if enabled and _can_come(session):
        prose = (f"{what}The loop at {where} does the same each time until an interrupt comes, and one can.",)
        return Judged(Ending.RUNNING, live, (), address, "a loop that waits for an interrupt", prose)
    size = f" of {len(loop)} instruction{'s' * (len(loop) != 1)}" if loop else ""
    prose = (f"{what}The loop{size} at {where} does the same each time; {who}.",)
    return Judged(Ending.SPIN, live, (), address, f"a loop with IF={int(enabled)}", prose)


def _is_trouble(event: Event) -> bool:
    """An exception, or an interrupt that came on an exception's vector."""
    return event.source is Source.EXCEPTION or (
        event.source is Source.EXTERNAL and event.vector < FIRST_USER_VECTOR and not event.real
    )
