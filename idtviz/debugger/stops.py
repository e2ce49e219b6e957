"""Why the session stopped."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from idtviz.machine.pc import Machine


class Reason(Enum):
    """Why the last command came to its end."""

    START = "start"
    STEP = "step"
    MOMENT = "moment"
    BREAKPOINT = "breakpoint"
    RETURNED = "returned"
    FOUND = "found"
    BARRIER = "held"
    PAUSED = "paused"
    LIMIT = "limit"
    HALTED = "halted"
    SHUTDOWN = "shutdown"
    ENDLESS_FAULT = "endless fault"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Stop:
    """A reason, and a sentence for the person who asked."""

    reason: Reason
    text: str = ""


class Interrupted(Exception):  # noqa: N818 -- control flow within a run, not an error
    """A move ends before its goal."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(stop.text)
        self.stop = stop


class Abandoned(Interrupted):
    """A way into the past, or a search there, was paused: nothing has come of it."""

    def __init__(self) -> None:
        super().__init__(Stop(Reason.PAUSED, "paused: here is where you were"))


def end_of(machine: Machine) -> Stop:
    """The machine's own end."""
    if machine.shut_down:
        return Stop(Reason.SHUTDOWN, "the processor has shut down: a fault came while #DF was being delivered")
    if machine.off:
        return Stop(Reason.HALTED, machine.off)
    return Stop(Reason.HALTED, "HLT, and nothing is left that could wake the processor")
