"""Moving a machine in time: onward at the frontier, where no one has been, and by replay behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from idtviz.debugger.code import call_return_address
from idtviz.debugger.history import History
from idtviz.debugger.inputs import Recorded, ScriptedInput
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.places import Place, PlaceKind
from idtviz.debugger.recording import Recording
from idtviz.debugger.stops import AddressBreakpoint, Breakpoint, EventBreakpoint, Reason, Stop
from idtviz.debugger.symbols import Symbols
from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.events import Happened
from idtviz.machine.pc import Machine

SEARCH_LIMIT = 100_000_000
"""Ticks of virtual time for which a place is looked for."""
ENDLESS = 400
"""Delivery steps without an instruction that completes, after which a fault counts as endless."""
_SLICE = 250_000  # instructions between two looks at whether someone wants to pause


@dataclass(frozen=True, slots=True)
class Setup:
    """What a session needs to begin: how to build the machine, the names of its addresses, its scripted inputs."""

    name: str
    build: Callable[[], Machine]
    symbols: Symbols = field(default_factory=Symbols)
    inputs: tuple[ScriptedInput, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come; safe to read from another thread."""

    moment: Moment
    ticks: int


class Interrupted(Exception):  # noqa: N818 -- control flow within a run, not an error
    """A move ends before its goal."""

    def __init__(self, stop: Stop) -> None:
        self.stop = stop


class Traveller:
    """A machine, what is recorded of its run, and every way of getting from one moment to another.

    A move ends at its goal, or with `Interrupted`. Faces do not see this class: they use the session's commands.
    """

    def __init__(self, setup: Setup) -> None:
        self.symbols = setup.symbols
        self.breakpoints: list[Breakpoint] = []
        self.on_event: Callable[[Happened], None] = _ignore
        """Told of each event when it happens for the first time."""
        self.machine = setup.build()
        self.machine.on_event = self._record
        self._processor = self.machine.processor  # asked for at each step
        self._progress = Progress(START, 0)
        self._recording = Recording(setup.inputs)
        self._pause = threading.Event()
        self._ahead = False  # a run has begun a procedure of which no step has been performed
        self._watched = {item.place.value for item in setup.inputs if item.place.kind is PlaceKind.ADDRESS}
        self._history = History(self.machine)
        self._discover(START)
        self._history.take(START)

    @property
    def moment(self) -> Moment:
        """The present."""
        return Moment(self.machine.clock.instructions, self.machine.step)

    @property
    def frontier(self) -> Moment:
        """The furthest moment that has been reached."""
        return self._recording.frontier

    @property
    def idle(self) -> bool:
        """Whether the processor waits in HLT, and everything that the scenario has to say has been said."""
        board = self.machine.board
        coming = self._recording.pending or board.keyboard.state.typist or board.pic.intr
        return self.machine.halted and not coming

    # One move

    def _one(self) -> None:
        """One micro-step, and what belongs to arriving behind it."""
        self._ahead = False
        self.machine.micro_step()
        self._arrive()

    def _one_boundary(self) -> None:
        machine, processor = self.machine, self._processor
        machine.micro_step()
        self._arrive()
        while processor.activity is not None or (processor.halted and not machine.stuck):
            self._guard_endless()
            machine.micro_step()
            self._arrive()

    def _over(self) -> None:
        machine = self.machine
        depth = len(machine.live)
        registers = machine.cpu.registers()
        resume = call_return_address(machine, registers) if machine.activity is None else None
        self._one_boundary()
        if len(machine.live) > depth:
            self._run(lambda: len(machine.live) <= depth)
        elif resume is not None and machine.cpu.linear_rip != resume:
            floor = registers.rsp

            def returned() -> bool:
                return (
                    machine.activity is None
                    and machine.cpu.linear_rip == resume
                    and machine.cpu.registers().rsp >= floor
                )

            self._run(returned, exits={resume})

    def _guard_endless(self) -> None:
        if self.machine.step >= ENDLESS:
            text = f"{self.machine.step} delivery steps in a row, and no instruction completes any more"
            raise Interrupted(Stop(Reason.ENDLESS_FAULT, text))

    # Arriving

    def _arrive(self) -> None:
        """At a moment reached for the first time: record it. At any other: apply the inputs recorded there."""
        at = Moment(self.machine.clock.instructions, self._processor.step)
        frontier = self._recording.frontier
        if at.instruction > frontier.instruction or at > frontier:
            self._discover(at)
        else:
            self._reapply(at)
        self._offer(at)

    def _offer(self, at: Moment) -> None:
        """A checkpoint can stand here, unless a procedure is under way, or has just ended and is still to be seen."""
        processor = self._processor
        if processor.activity is None and processor.finished is None and not self._ahead:
            self._history.offer(at)

    def _discover(self, at: Moment) -> None:
        machine, recording = self.machine, self._recording
        activity = self._processor.activity
        recording.reach(at, machine.cpu.cpl, boundary=activity is None and not machine.halted)
        if isinstance(activity, Delivery):
            recording.recognise(Moment(at.instruction, at.step - len(activity.steps)), activity.event)
        if recording.script:
            if activity is None and machine.cpu.linear_rip in self._watched:
                recording.pass_address(at, machine.cpu.linear_rip)
            for index, scripted in recording.due(at, stuck=machine.stuck):
                recording.inputs.append(Recorded(at, scripted.input, index))
                scripted.input.apply(machine)

    def _reapply(self, at: Moment) -> None:
        for given in self._recording.inputs_at(at):
            given.apply(self.machine)

    def _record(self, event: Happened) -> None:
        if self.machine.events == len(self._recording.events):
            self._recording.happened(event)
            self.on_event(event)

    # Running

    def _run(
        self,
        done: Callable[[], bool],
        *,
        exits: frozenset[int] | set[int] = frozenset(),
        bound: int | None = None,
        limit: int | None = None,
    ) -> None:
        """Run at speed until `done()`, asked wherever the machine halts: at `exits`, at `bound` instructions, between
        slices, around deliveries and returns. Raises Interrupted for a breakpoint, a pause, an end.
        """
        machine, start = self.machine, self.moment
        self._progress = Progress(start, machine.clock.now)
        self._pause.clear()
        breaks = {item.address for item in self.breakpoints if isinstance(item, AddressBreakpoint)}
        halts = exits | breaks | self._watched
        while True:
            self._guard_endless()
            at_rest = machine.activity is None and not machine.halted
            if at_rest:
                self._slice(halts, bound, limit)
            else:
                self._one()
            self._progress = Progress(self.moment, machine.clock.now)
            if done():
                return
            if machine.activity is None and machine.cpu.linear_rip in breaks and not machine.halted:
                raise Interrupted(Stop(Reason.BREAKPOINT, f"breakpoint at {self._name(machine.cpu.linear_rip)}"))
            if isinstance(machine.activity, Delivery) and not machine.activity.steps and self.moment != start:
                self._break_on(machine.activity)
            if machine.stuck:
                raise Interrupted(end_of(machine))
            if self._pause.is_set():
                raise Interrupted(Stop(Reason.PAUSED, "paused"))
            if limit is not None and machine.clock.now >= limit:
                raise Interrupted(Stop(Reason.LIMIT, f"{machine.clock.now} ticks of virtual time have passed"))

    def _slice(self, halts: set[int] | frozenset[int], bound: int | None, limit: int | None) -> None:
        """Run at speed for a while; the machine is at rest."""
        machine = self.machine
        at = self.moment
        here = at.instruction
        ends = [here + _SLICE, self._history.due(here), self._recording.next_input(at), bound]
        ends.append(limit - machine.clock.idle if limit is not None else None)
        if at < self.frontier:
            ends.append(self.frontier.instruction)
        until = max(here + 1, min((end for end in ends if end is not None and end > here), default=here + 1))
        if machine.cpu.linear_rip in halts:
            machine.run(here + 1)
        else:
            machine.set_breakpoints(frozenset(halts))
            try:
                machine.run(until)
            finally:
                machine.set_breakpoints(frozenset())
        activity, machine.activity = machine.activity, None
        self._ahead = activity is not None
        if self.moment != at:
            self._arrive()
            if self._ahead and self._recording.inputs_at(self.moment):
                # An input came at the very boundary at which something else was about to begin: look again.
                self._replay_to(self.moment)
                return
        machine.activity = activity

    def _break_on(self, delivery: Delivery) -> None:
        for item in self.breakpoints:
            if isinstance(item, EventBreakpoint) and item.matches(delivery.event):
                at = self.moment
                self._recording.recognise(at, delivery.event)
                self._replay_to(at)
                raise Interrupted(Stop(Reason.BREAKPOINT, f"{delivery.event.name} is about to be delivered"))

    def _run_to(self, target: Moment, limit: int | None) -> None:
        if self.moment >= target:
            return
        if target.instruction > self.machine.instructions:
            self._run(lambda: self.moment >= Moment(target.instruction), bound=target.instruction, limit=limit)
        self._unbegin()
        while self.moment < target and self.machine.instructions == target.instruction and not self.machine.stuck:
            self._one()

    def _unbegin(self) -> None:
        """A delivery stands in front of its first step: be at the boundary itself, with nothing recognised yet."""
        if self._ahead:
            activity = self.machine.activity
            if isinstance(activity, Delivery):
                self._recording.recognise(self.moment, activity.event)
            self._replay_to(self.moment)

    def _run_to_place(self, place: Place, after: Moment | None) -> None:
        if place.kind is PlaceKind.COUNT:
            self._run_to(Moment(place.value, place.steps), None)
            return
        limit = self.machine.clock.now + SEARCH_LIMIT
        if place.kind is PlaceKind.END:
            self._run(lambda: self.idle, limit=limit)
            return
        if place.kind is PlaceKind.ADDRESS:
            left = place.occurrence

            def arrived() -> bool:
                nonlocal left
                machine = self.machine
                left -= machine.activity is None and not machine.halted and machine.cpu.linear_rip == place.value
                return left <= 0

            self._run(arrived, exits={place.value}, limit=limit)
        else:

            def recognised() -> bool:
                activity = self.machine.activity
                if isinstance(activity, Delivery) and not activity.steps:
                    self._recording.recognise(self.moment, activity.event)
                return self._recording.find(place, after) is not None

            if not recognised():
                self._run(recognised, limit=limit)
            found = self._recording.find(place, after)
            assert found is not None
            self._replay_to(found)
        for _ in range(place.steps):
            self._one()

    def _seek_place(self, place: Place) -> None:
        if place.kind is PlaceKind.COUNT:
            target = Moment(place.value, place.steps)
            if target <= self.frontier:
                self._replay_to(target)
            else:
                self._run_to(target, None)
            return
        if place.kind is PlaceKind.ADDRESS:
            self._replay_to(START)
            if self.machine.cpu.linear_rip == place.value and place.occurrence == 1:
                return
        elif self._recording.find(place) is None:
            self._replay_to(self.frontier)
        self._run_to_place(place, None)

    # Replaying

    def _replay_to(self, target: Moment) -> None:
        """Be at `target`, which is not beyond the frontier."""
        machine, recording = self.machine, self._recording
        if self._ahead or self.moment >= target or self._history.nearest(target) > self.moment:
            self._history.rewind(target)
            self._ahead = False
        while (at := self.moment) < target and not machine.stuck:
            if machine.activity is None and not machine.halted and at.instruction < target.instruction:
                following = recording.next_input(at)
                end = min(target.instruction, self._history.due(at.instruction))
                machine.run(end if following is None else min(following, end))
                if (now := self.moment) != at:
                    self._reapply(now)
                    self._offer(now)
            else:
                machine.micro_step()
                self._reapply(self.moment)

    def _last_hit(self) -> Moment:
        """The last moment before this one at which a breakpoint stood."""
        now = self.moment
        events = [item for item in self.breakpoints if isinstance(item, EventBreakpoint)]
        hits = [
            start
            for start, event in self._recording.recognised
            if start < now and any(item.matches(event) for item in events)
        ]
        addresses = {item.address for item in self.breakpoints if isinstance(item, AddressBreakpoint)}
        latest = max(hits, default=START)
        upper = now
        while addresses and upper > latest:
            lower = self._history.nearest(
                Moment(upper.instruction, upper.step - 1)
                if upper.step
                else Moment(max(0, upper.instruction - 1), 1 << 30)
            )
            found = self._passed(addresses, lower, upper)
            if found is not None:
                return max(found, latest)
            if lower == START:
                break
            upper = lower
        return latest

    def _passed(self, addresses: set[int], lower: Moment, upper: Moment) -> Moment | None:
        """The last moment in [lower, upper) at which the instruction at one of `addresses` is next."""
        machine = self.machine
        self._history.rewind(lower)
        found = None
        while (at := self.moment) < upper and not machine.stuck:
            rest = machine.activity is None and not machine.halted
            if rest and machine.cpu.linear_rip in addresses:
                found = at
            if rest and at.instruction < upper.instruction:
                following = self._recording.next_input(at)
                end = min(count for count in (following, upper.instruction) if count is not None)
                inside = machine.cpu.linear_rip in addresses
                machine.set_breakpoints(frozenset() if inside else frozenset(addresses))
                machine.run(at.instruction + 1 if inside else end)
                machine.set_breakpoints(frozenset())
            else:
                machine.micro_step()
            if self.moment != at:
                self._reapply(self.moment)
        return found

    def _name(self, address: int) -> str:
        return self.symbols.name(address) or f"{address:#x}"


def end_of(machine: Machine) -> Stop:
    """The machine's own end."""
    if machine.shut_down:
        return Stop(Reason.SHUTDOWN, "the processor has shut down: a fault came while #DF was being delivered")
    return Stop(Reason.HALTED, "HLT, and nothing is left that could wake the processor")


def _ignore(_event: Happened) -> None:
    """Nobody listens."""
