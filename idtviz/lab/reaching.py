"""Running on to what is to be explained: a shutdown, a hang, an endless fault, or the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from idtviz.checks.finding import Finding
from idtviz.checks.why import looping
from idtviz.debugger.inputs import Recorded
from idtviz.debugger.observing import Instant
from idtviz.debugger.stops import Reason
from idtviz.lab.prepared_session import PreparedSession
from idtviz.lab.run import DEFAULT_LIMIT

HANGS = ("RUN001", "RUN002")
"""Rules whose findings end a run: nothing else comes behind them."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Why the run ended. `hang`: the finding that ended it; `loop`: the loop that it was in at the limit.

    `text` is a sentence where the machine met something that is not modelled.
    """

    reason: Reason
    hang: Finding | None = None
    loop: tuple[Instant, ...] = ()
    text: str = ""


def reach_end(session: PreparedSession, *, limit: int = DEFAULT_LIMIT, given: Sequence[Recorded] = ()) -> Reached:
    """Run `session` to the first shutdown, hang or endless fault, to another end, or for `limit` instructions.

    `given`: inputs beside those of the scenario, as in `run`. Time spent in HLT has a limit as well.
    """
    clock, waiting = session.machine.clock, list(given)
    ticks = max(limit, DEFAULT_LIMIT)
    while clock.instructions < limit and clock.now < ticks:
        while waiting and waiting[0].moment == session.moment:
            session.give(waiting.pop(0).input)
        until = waiting[0].moment if waiting else None
        stop = session.run(until, limit=min(limit + clock.idle, ticks), stop_when=lambda: _hang(session) is not None)
        hang = _hang(session)
        if hang is not None:
            return Reached(Reason.LIMIT, hang, tuple(looping(session)) if hang.rule == "RUN001" else ())
        if waiting and waiting[0].moment == session.moment:
            continue
        if stop.reason in (Reason.HALTED, Reason.SHUTDOWN, Reason.ENDLESS_FAULT):
            return Reached(stop.reason)
        if stop.reason is Reason.UNSUPPORTED:
            return Reached(stop.reason, text=stop.text)
        if stop.reason is Reason.BREAKPOINT:
            return Reached(stop.reason)
    return Reached(Reason.LIMIT, loop=tuple(looping(session)))


def _hang(session: PreparedSession) -> Finding | None:
    return next((it for it in session.findings if it.rule in HANGS), None)
