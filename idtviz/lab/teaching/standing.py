"""How the expectations of a scenario stand at the present moment of a session."""

from __future__ import annotations

from idtviz.debugger.moment import START
from idtviz.debugger.session import Phase
from idtviz.debugger.stops import Reason
from idtviz.lab.expectations import Expectations, Outcome
from idtviz.lab.prepared_session import PreparedSession

_ENDED = {Reason.HALTED: "halted", Reason.SHUTDOWN: "shutdown"}


def standing(session: PreparedSession) -> list[Outcome]:
    """Each expectation, and how it stands: by what has happened before this moment, and by the machine as it is."""
    expectations = Expectations(session.scenario)
    for event in session.events[: session.seen]:
        expectations.note(event)
    end = _ENDED.get(session.stop.reason, "") if session.phase is Phase.ENDED else ""
    if not end and session.idle and expectations.hold(session.machine):
        end = "expectations"
    found = {finding.rule for finding in session.findings if (finding.moment or START) <= session.moment}
    return expectations.outcomes(session.machine, end, found)


def is_done(session: PreparedSession) -> bool:
    """Whether the run has come to rest with all that is expected: what the student was to make work does."""
    if not session.scenario.expect or not (session.machine.stuck or session.idle):
        return False
    return all(outcome.ok for outcome in standing(session))
