"""What a session is asked to stop at, as values; and the numbered list of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from idtviz.debugger.conditions import ALWAYS, Condition
from idtviz.machine.delivery.event import Event, Source
from idtviz.machine.registers import Registers
from idtviz.machine.watch import Bytes, Ports

_INT3, _INTO = 3, 4


@dataclass(frozen=True, slots=True)
class AddressBreakpoint:
    """Stop in front of the instruction at one of the linear `addresses`: of a source line there can be several."""

    addresses: tuple[int, ...]
    name: str = field(compare=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class DeliveryBreakpoint:
    """Stop when an event is about to be delivered: of this vector, interrupt line and source, as far as they are given.

    INT3 and INTO count as exceptions: they are what raises #BP and #OF.
    """

    name: str = field(compare=False)
    vector: int | None = None
    irq: int | None = None
    sources: frozenset[Source] = frozenset(Source)
    condition: Condition = ALWAYS

    def names(self, event: Event) -> bool:
        """Whether `event` is one of those, whatever the condition says."""
        if self.vector not in (None, event.vector) or self.irq not in (None, event.irq):
            return False
        raises = event.source is Source.SOFTWARE and event.vector in (_INT3, _INTO)
        return event.source in self.sources or (raises and Source.EXCEPTION in self.sources)

    def matches(self, event: Event, at: Registers) -> bool:
        """Whether to stop a delivery of `event` that begins in the state `at`."""
        return self.names(event) and self.condition.holds(event, at)

    def __str__(self) -> str:
        return f"{self.name} if {self.condition}" if self.condition.terms else self.name


@dataclass(frozen=True, slots=True)
class FailedDeliveryBreakpoint:
    """Stop behind the step in which a delivery meets a fault of its own."""

    def __str__(self) -> str:
        return "fault in delivery"


@dataclass(frozen=True, slots=True)
class ShutdownBreakpoint:
    """Stop in front of the delivery whose failure will shut the processor down."""

    def __str__(self) -> str:
        return "shutdown"


@dataclass(frozen=True, slots=True)
class ReturnBreakpoint:
    """Stop in front of an IRET; `ring`: only of one that will go through to that ring."""

    ring: int | None = None

    def __str__(self) -> str:
        return "iret" if self.ring is None else f"iret to ring {self.ring}"


@dataclass(frozen=True, slots=True)
class PortBreakpoint:
    """Stop behind an instruction that has accessed one of `ports`."""

    ports: Ports

    def __str__(self) -> str:
        ports = self.ports
        last = f"..{ports.last:#x}" if ports.last != ports.first else ""
        way = "" if ports.read and ports.write else " read" if ports.read else " write"
        return f"port {ports.first:#x}{last}{way}"


@dataclass(frozen=True, slots=True)
class WriteBreakpoint:
    """Stop behind the instruction, or the step of a delivery, that has written to one of the bytes at `place`.

    What the processor itself marks in page tables while code runs (accessed, dirty) does not count.
    """

    place: Bytes
    name: str = field(compare=False)

    def __str__(self) -> str:
        return f"write {self.name} {self.place.size}"


@dataclass(frozen=True, slots=True)
class RegisterBreakpoint:
    """Stop behind the instruction or step that has written the register, by its full name.

    An instruction counts where it writes the register at all, a step of a delivery or return where that changes it.
    """

    name: str

    def __str__(self) -> str:
        return f"write {self.name}"


@dataclass(frozen=True, slots=True)
class ModeBreakpoint:
    """Stop where the mode has changed: real, protected, long, compatibility, virtual-8086."""

    def __str__(self) -> str:
        return "mode"


@dataclass(frozen=True, slots=True)
class RingBreakpoint:
    """Stop where the CPL has changed."""

    def __str__(self) -> str:
        return "ring"


Breakpoint = (
    AddressBreakpoint
    | DeliveryBreakpoint
    | FailedDeliveryBreakpoint
    | ShutdownBreakpoint
    | ReturnBreakpoint
    | PortBreakpoint
    | WriteBreakpoint
    | RegisterBreakpoint
    | ModeBreakpoint
    | RingBreakpoint
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A breakpoint in its list: its number, whether it stops anything now, and how often runs have stopped there."""

    number: int
    breakpoint: Breakpoint
    enabled: bool = True
    hits: int = 0


class Breakpoints:
    """The breakpoints of a session, numbered from 1 in the order in which they were set; a number is used once."""

    def __init__(self) -> None:
        self._listed: dict[int, Listed] = {}
        self._last = 0

    @property
    def listed(self) -> tuple[Listed, ...]:
        """All of them, with their numbers."""
        return tuple(self._listed.values())

    @property
    def last(self) -> int:
        """The highest number that has been used; 0: none has."""
        return self._last

    @property
    def enabled(self) -> tuple[Breakpoint, ...]:
        """Those that stop a run."""
        return tuple(entry.breakpoint for entry in self._listed.values() if entry.enabled)

    def __iter__(self) -> Iterator[Breakpoint]:
        return (entry.breakpoint for entry in self._listed.values())

    def __len__(self) -> int:
        return len(self._listed)

    def add(self, item: Breakpoint) -> Listed:
        """Set a breakpoint; one that is set already is switched on."""
        known = self._entry(item)
        if known is None:
            self._last += 1
            known = Listed(self._last, item)
        self._listed[known.number] = found = replace(known, enabled=True)
        return found

    def put_back(self, listed: Iterable[Listed], last: int) -> None:
        """Have the list hold these, and no others. `last`: the highest number that has been used."""
        self._listed = {entry.number: entry for entry in listed}
        self._last = max((last, *self._listed))

    def toggle(self, item: Breakpoint) -> bool:
        """Set the breakpoint, or take it away if it is set; returns whether it is set now."""
        known = self._entry(item)
        if known is None:
            self.add(item)
        else:
            self.delete(known.number)
        return known is None

    def delete(self, number: int) -> Listed:
        """Take one away. Raises KeyError where there is none of this number."""
        return self._listed.pop(number)

    def clear(self) -> None:
        """Take all away."""
        self._listed.clear()

    def switch(self, number: int, *, on: bool) -> Listed:
        """Have one stop runs, or let them pass. Raises KeyError where there is none of this number."""
        self._listed[number] = found = replace(self._listed[number], enabled=on)
        return found

    def count(self, item: Breakpoint) -> None:
        """A run has stopped at it; one that is not in the list is not counted."""
        known = self._entry(item)
        if known is not None:
            self._listed[known.number] = replace(known, hits=known.hits + 1)

    def _entry(self, item: Breakpoint) -> Listed | None:
        return next((entry for entry in self._listed.values() if entry.breakpoint == item), None)
