"""Why the session stopped, and what it is asked to stop at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from idtviz.machine.delivery.event import Event


class Reason(Enum):
    """Why the last command came to its end."""

    START = "start"
    STEP = "step"
    MOMENT = "moment"
    BREAKPOINT = "breakpoint"
    RETURNED = "returned"
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


@dataclass(frozen=True, slots=True)
class AddressBreakpoint:
    """Stop in front of the instruction at `address`."""

    address: int
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class EventBreakpoint:
    """Stop when an event of this vector, or of this interrupt line, is about to be delivered.

    `error_mask`: only with one of these bits set in the error code.
    """

    name: str
    vector: int | None = None
    irq: int | None = None
    error_mask: int | None = None

    def matches(self, event: Event) -> bool:
        if self.irq is not None:
            return event.irq == self.irq
        if event.vector != self.vector:
            return False
        return self.error_mask is None or bool((event.error_code or 0) & self.error_mask)

    def __str__(self) -> str:
        return self.name if self.error_mask is None else f"{self.name} if error & {self.error_mask:#x}"


Breakpoint = AddressBreakpoint | EventBreakpoint
