"""What an explanation is made of: the links of a chain, the conditions of an arrival, the bytes that they rest on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from idtviz.checks.finding import Finding
from idtviz.debugger.moment import Moment


class Ending(Enum):
    """What a run has come to."""

    SHUTDOWN = "shutdown"
    ENDLESS_FAULT = "endless fault"
    ENDLESS_DELIVERY = "endless delivery"
    """Each delivery fails and leads to the next, and no instruction completes any more."""
    SPIN = "spin"
    """A loop that nothing ends."""
    STOPPED = "stopped"
    """HLT for ever inside the handler of an exception."""
    HANG = "hang"
    """HLT for ever while an interrupt is awaited, or requested."""
    DONE = "done"
    """HLT for ever, and nothing was amiss; or the machine was reset or switched off."""
    RUNNING = "running"
    """It goes on: nothing has ended it so far."""

    @property
    def bad(self) -> bool:
        """Whether it is one that nobody wants."""
        return self not in (Ending.DONE, Ending.RUNNING)


@dataclass(frozen=True, slots=True)
class Place:
    """An instruction: its linear address, its symbol, and the source line that it comes from, as far as known."""

    address: int
    name: str | None = None
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A field of a structure: its name, its bits as the manuals write them, the number there, what that means."""

    name: str
    bits: str
    value: int
    meaning: str


@dataclass(frozen=True, slots=True)
class Entry:
    """Bytes that the processor read: `IDT[14]` at an address, and what they say.

    `physical`: the address is a physical one (an entry of a page table); else it is linear.
    """

    name: str
    address: int
    raw: bytes
    parts: tuple[Part, ...]
    physical: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """The step of a delivery or return that failed: its rule, what it asked for, what it found, and the fault."""

    rule: str
    title: str
    why: str
    asked: str
    value: str
    fault: str


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a chain: something that happened, or a finding (then `happened` is empty).

    `prose`: sentences. `instruction`: that at `place`. `failure`: the step that failed, of what was going on when it
    came (`returning`: of that IRET or far transfer), or of its delivery. `entries`: the bytes that this rests on.
    """

    title: str
    prose: tuple[str, ...]
    moment: Moment | None = None
    place: Place | None = None
    instruction: str = ""
    returning: Failure | None = None
    failure: Failure | None = None
    entries: tuple[Entry, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Chain:
    """From the first cause to the end; `verdict` is a sentence."""

    ending: Ending
    verdict: str
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that has to hold for an interrupt to arrive: whether it does, the value found, and what to change."""

    name: str
    holds: bool
    found: str
    change: str = ""

    @property
    def passes(self) -> bool:
        """Whether it comes to hold by itself, or with the conditions before it."""
        return not self.change or self.change.startswith("nothing")


@dataclass(frozen=True, slots=True)
class Arrival:
    """Why an interrupt does not arrive at a moment: the conditions on its way, from the device to the handler."""

    subject: str
    moment: Moment
    way: str
    """Which controllers it goes through."""
    conditions: tuple[Condition, ...]

    @property
    def blocked(self) -> Condition | None:
        """The first that does not hold, one that somebody has to change before one that passes; None: all hold."""
        failed = [it for it in self.conditions if not it.holds]
        return next((it for it in failed if not it.passes), failed[0] if failed else None)

    @property
    def verdict(self) -> str:
        """A sentence."""
        first = self.blocked
        if first is None:
            return f"nothing holds {self.subject} back: it is taken at the next instruction boundary"
        return f"{self.subject} does not arrive: {first.found}"
