"""Moves a machine on and tells which breakpoints it has met: the same in a run, in single steps and in replay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from idtviz.debugger import stop_texts
from idtviz.debugger.breakpoints import (
    AddressBreakpoint,
    Breakpoint,
    DeliveryBreakpoint,
    FailedDeliveryBreakpoint,
    ModeBreakpoint,
    PortBreakpoint,
    RegisterBreakpoint,
    ReturnBreakpoint,
    RingBreakpoint,
    ShutdownBreakpoint,
    WriteBreakpoint,
)
from idtviz.debugger.moment import Moment
from idtviz.debugger.symbols import Symbols
from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.delivery.event import after_fault
from idtviz.machine.delivery.returns import Return
from idtviz.machine.memory import RehearsedMemory
from idtviz.machine.pc import Machine
from idtviz.machine.register_watch import RegisterWrite
from idtviz.machine.watch import MemoryWrite, ModeChange, PortAccess, Seen, Watched


@dataclass(frozen=True, slots=True)
class Met:
    """A breakpoint that stands at `moment`, and the sentence that says what happened there."""

    moment: Moment
    breakpoint: Breakpoint
    text: str


class Lookout:
    """Looks out for breakpoints along one movement, which begins where the machine is."""

    def __init__(
        self,
        machine: Machine,
        symbols: Symbols,
        breakpoints: Iterable[Breakpoint],
        halts: Iterable[int] = (),
    ) -> None:
        """`halts`: linear addresses in front of which a run is to end for another reason."""
        self._machine = machine
        self._symbols = symbols
        self._breakpoints = tuple(breakpoints)
        self._addresses = {
            address: item
            for item in reversed(self._breakpoints)
            if isinstance(item, AddressBreakpoint)
            for address in item.addresses
        }
        addresses = frozenset(halts) | self._addresses.keys()
        self._idle = not (self._breakpoints or addresses)
        """Whether there is nothing to look out for."""
        self._seen: tuple[Seen, ...] = ()
        self._activity = machine.activity
        self._finished = machine.finished
        machine.set_breakpoints(addresses)
        machine.watch.watch(_watched(self._breakpoints))

    def run(self, until: int) -> None:
        """`Machine.run`, which ends where a breakpoint is met."""
        self._move(lambda: self._machine.run(until))

    def micro_step(self) -> None:
        """`Machine.micro_step`."""
        self._move(self._machine.micro_step)

    def complete(self) -> None:
        """`Machine.complete`."""
        self._move(self._machine.complete)

    @property
    def wants_steps(self) -> bool:
        """Whether a breakpoint may be met between two steps of a procedure."""
        kinds = WriteBreakpoint | RegisterBreakpoint | FailedDeliveryBreakpoint
        return any(isinstance(item, kinds) for item in self._breakpoints)

    def _move(self, move: Callable[[], None]) -> None:
        machine = self._machine
        if self._idle:
            move()
            return
        machine.watch.arm()
        try:
            move()
        finally:
            self._seen = machine.watch.disarm(machine.instructions)

    def met(self) -> tuple[Met, ...]:
        """Which breakpoints the last move has met, earliest first. To be asked once behind each move."""
        if not self._breakpoints:
            return ()
        found = [*self._begun(), *self._failed(), *self._happened(), *self._here()]
        self._activity, self._finished, self._seen = self._machine.activity, self._machine.finished, ()
        return tuple(sorted(found, key=lambda met: met.moment))

    @property
    def _now(self) -> Moment:
        return Moment(self._machine.instructions, self._machine.step)

    def _here(self) -> Iterator[Met]:
        """The instruction that is next."""
        machine = self._machine
        if self._addresses and machine.activity is None and not machine.halted:
            item = self._addresses.get(machine.cpu.linear_rip)
            if item is not None:
                yield Met(self._now, item, f"breakpoint at {stop_texts.place(machine.cpu.linear_rip, self._symbols)}")

    def _begun(self) -> Iterator[Met]:
        """A delivery or return that begins here, or has taken its first step with this move."""
        activity = self._machine.activity
        if activity is self._activity or not isinstance(activity, Delivery | Return):
            return
        start = Moment(self._machine.instructions, self._machine.step - len(activity.steps))
        for item in self._breakpoints:
            if isinstance(activity, Delivery):
                if isinstance(item, DeliveryBreakpoint) and item.matches(activity.event, activity.before):
                    yield Met(start, item, f"{activity.event.name} is about to be delivered")
                elif isinstance(item, ShutdownBreakpoint) and self._is_the_last(activity):
                    yield Met(start, item, f"the delivery of {activity.event.name} will fail: the processor shuts down")
            elif isinstance(item, ReturnBreakpoint) and self._returns(activity, item):
                yield Met(
                    start, item, f"{stop_texts.place(activity.before.linear_rip, self._symbols)} is about to IRET"
                )

    def _is_the_last(self, delivery: Delivery) -> bool:
        """Whether the delivery will fail for good."""
        rehearsed = delivery.over(RehearsedMemory(self._machine.memory, delivery.before, delivery.memory))
        rehearsed.complete()
        return rehearsed.fault is not None and after_fault(delivery.event, rehearsed.fault, 0) is None

    def _returns(self, going: Return, item: ReturnBreakpoint) -> bool:
        """Whether the IRET leads where it is to lead."""
        if item.ring is None:
            return True
        rehearsed = going.over(RehearsedMemory(self._machine.memory, going.before, going.memory))
        rehearsed.complete()
        return rehearsed.after is not None and rehearsed.after.cpl == item.ring

    def _failed(self) -> Iterator[Met]:
        finished = self._machine.finished
        if finished is self._finished or not isinstance(finished, Delivery) or finished.fault is None:
            return
        for item in self._breakpoints:
            if isinstance(item, FailedDeliveryBreakpoint):
                text = f"{finished.event.name} met {finished.fault.name} at “{finished.steps[-1].text}”"
                yield Met(self._now, item, text)

    def _happened(self) -> Iterator[Met]:
        """What the watch has seen."""
        for seen in self._seen:
            for item in self._breakpoints:
                if _asks_for(item, seen):
                    yield Met(self._now, item, stop_texts.sentence(seen, self._machine, self._symbols))


def _asks_for(item: Breakpoint, seen: Seen) -> bool:
    if isinstance(seen, PortAccess):
        return isinstance(item, PortBreakpoint) and item.ports.covers(seen.port, seen.size, written=seen.written)
    if isinstance(seen, MemoryWrite):
        return isinstance(item, WriteBreakpoint) and item.place == seen.place
    if isinstance(seen, RegisterWrite):
        return isinstance(item, RegisterBreakpoint) and item.name == seen.name
    assert isinstance(seen, ModeChange)
    (mode, ring), (new_mode, new_ring) = seen.before, seen.after
    return (isinstance(item, ModeBreakpoint) and mode != new_mode) or (
        isinstance(item, RingBreakpoint) and ring != new_ring
    )


def _watched(breakpoints: Iterable[Breakpoint]) -> Watched:
    items = tuple(breakpoints)
    return Watched(
        ports=frozenset(item.ports for item in items if isinstance(item, PortBreakpoint)),
        writes=frozenset(item.place for item in items if isinstance(item, WriteBreakpoint)),
        registers=frozenset(item.name for item in items if isinstance(item, RegisterBreakpoint)),
        modes=any(isinstance(item, ModeBreakpoint | RingBreakpoint) for item in items),
    )
