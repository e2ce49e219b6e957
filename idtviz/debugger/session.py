"""The session: the one door to a machine in time, and the one owner of its phase.

Every command moves to another moment. Behind the frontier the machine replays what was recorded; at the frontier it
goes where no one has been, and scripted inputs find their triggers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from idtviz.debugger.history import History
from idtviz.debugger.inputs import Input, Recorded, ScriptedInput
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.places import Place, PlaceKind, parse
from idtviz.debugger.procedures import ProcedureView, suppose
from idtviz.debugger.recording import Recording
from idtviz.debugger.stops import AddressBreakpoint, Breakpoint, EventBreakpoint, Reason, Stop
from idtviz.debugger.symbols import Symbols
from idtviz.debugger.view import View, call_return_address, look
from idtviz.machine.delivery.event import Event
from idtviz.machine.delivery.long import LongDelivery
from idtviz.machine.events import Happened, Returned
from idtviz.machine.pc import Machine, UnsupportedError

SEARCH_LIMIT = 100_000_000
"""Ticks of virtual time for which a place is looked for."""
_SLICE = 250_000  # instructions between two looks at whether someone wants to pause
_ENDLESS = 400  # delivery steps without an instruction that completes


class Phase(Enum):
    """What the session is doing."""

    STOPPED = "stopped"
    RUNNING = "running"
    ENDED = "ended"


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


class SessionError(Exception):
    """A command that cannot be carried out here; the message says why."""


class _Interrupted(Exception):  # noqa: N818 -- control flow within a run, not an error
    """A move ends before its goal."""

    def __init__(self, stop: Stop) -> None:
        self.stop = stop


class Session:
    """A machine that can be moved in both directions of time."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.symbols = setup.symbols
        self.phase = Phase.STOPPED
        self.stop = Stop(Reason.START)
        """Why the last command ended."""
        self.breakpoints: list[Breakpoint] = []
        self.on_event: Callable[[Happened], None] = _ignore
        """Told of each event when it happens for the first time."""
        self.machine = setup.build()
        self.machine.on_event = self._record
        self._progress = Progress(START, 0)
        self._recording = Recording(setup.inputs)
        self._pause = threading.Event()
        self._view: View | None = None
        self._ahead = False  # a run has begun a procedure of which no step has been performed
        self._watched = {item.place.value for item in setup.inputs if item.place.kind is PlaceKind.ADDRESS}
        self._history = History(self.machine)
        self._discover(START)
        self._history.take(START)

    # Where we are

    @property
    def moment(self) -> Moment:
        """The present."""
        return Moment(self.machine.clock.instructions, self.machine.step)

    @property
    def progress(self) -> Progress:
        """How far the run that is going on has come, as another thread may ask; else the present."""
        running = self.phase is Phase.RUNNING
        return self._progress if running else Progress(self.moment, self.machine.clock.now)

    @property
    def frontier(self) -> Moment:
        """The furthest moment that has been reached."""
        return self._recording.frontier

    @property
    def events(self) -> Sequence[Happened]:
        """Everything that has happened up to the frontier, in order; the first `seen` lie before the present."""
        return self._recording.events

    @property
    def seen(self) -> int:
        """How many of `events` lie before the present moment."""
        return self.machine.events

    @property
    def inputs(self) -> Sequence[Recorded]:
        """The inputs applied up to the frontier, in order."""
        return self._recording.inputs

    @property
    def recognised(self) -> Sequence[tuple[Moment, Event]]:
        """Each event up to the frontier, with the moment at which its delivery begins."""
        return self._recording.recognised

    @property
    def idle(self) -> bool:
        """Whether the processor waits in HLT, and everything that the scenario has to say has been said."""
        board = self.machine.board
        coming = self._recording.pending or board.keyboard.state.typist or board.pic.intr
        return self.machine.halted and not coming

    @property
    def view(self) -> View:
        """Everything there is to see at this moment; a value that stays as it is when the session moves on."""
        if self._view is None:
            self._view = look(self.machine, self.symbols, self.moment, self._recording)
        return self._view

    def suppose(self, vector: int) -> ProcedureView:
        """What would happen if `vector` came now: as an exception below 32, as an external interrupt above."""
        return suppose(self.machine, vector)

    def digest(self) -> str:
        """A hash of processor, RAM and chips at this moment."""
        return self.machine.digest()

    # Forward

    def step(self) -> Stop:
        """One instruction; or, where one is delivered or returned from, on to the next instruction boundary."""
        return self._command(self._one_boundary, Reason.STEP)

    def micro_step(self) -> Stop:
        """One step of a delivery or return; one instruction where nothing is delivered."""
        return self._command(self._one, Reason.STEP)

    def next(self) -> Stop:
        """Over a call, a repeated string instruction, or a whole interrupt with its handler."""
        return self._command(self._over, Reason.STEP)

    def finish(self) -> Stop:
        """On until the IRET that ends the innermost handler has returned."""
        depth = len(self.machine.live)
        if isinstance(self.machine.activity, LongDelivery):
            self._command(self._one_boundary, Reason.STEP)
            depth = len(self.machine.live)
        if not depth:
            raise SessionError("no handler is running: there is nothing to finish")
        return self._command(lambda: self._run(lambda: len(self.machine.live) < depth), Reason.RETURNED)

    def run(
        self,
        until: Moment | str | None = None,
        *,
        limit: int | None = None,
        stop_when: Callable[[], bool] | None = None,
    ) -> Stop:
        """On to a breakpoint, to `until` (a moment or the text of a place), or to the end.

        `limit`: ticks of virtual time, counted from the start of the machine, after which the run stops anyway.
        `stop_when` is asked between slices, and around every delivery, return and HLT.
        """
        if isinstance(until, str):
            place = parse(until, self.symbols)
            return self._command(lambda: self._run_to_place(place, self.moment), Reason.MOMENT)
        if until is not None:
            return self._command(lambda: self._run_to(until, limit), Reason.MOMENT)
        return self._command(lambda: self._run(stop_when or _never, limit=limit), Reason.MOMENT)

    def pause(self) -> None:
        """End the run that is going on in another thread at its next opportunity."""
        self._pause.set()

    # Back, and anywhere

    def back(self) -> Stop:
        """To the instruction boundary before this one."""
        return self._go(self._recording.before(self.moment, micro=False))

    def micro_back(self) -> Stop:
        """To the step before this one."""
        return self._go(self._recording.before(self.moment, micro=True))

    def back_over(self) -> Stop:
        """Over the interrupt that has just returned, to where it came; else one instruction back."""
        last = self.events[self.seen - 1] if self.seen else None
        if isinstance(last, Returned) and self.moment == Moment(last.instruction + 1):
            return self._go(self._recording.recognised[last.delivery][0])
        return self.back()

    def run_back(self) -> Stop:
        """To the last breakpoint that was passed, or to the start."""
        return self._command(lambda: self._replay_to(self._last_hit()), Reason.BREAKPOINT)

    def seek(self, moment: Moment | str) -> Stop:
        """To any moment, given as a value or as the text of a place; beyond the frontier by running there."""
        if isinstance(moment, str):
            place = parse(moment, self.symbols)
            return self._command(lambda: self._seek_place(place), Reason.MOMENT)
        if moment <= self.frontier:
            return self._go(moment)
        return self._command(lambda: self._run_to(moment, None), Reason.MOMENT)

    # From outside

    def give(self, given: Input) -> None:
        """Apply an input now. What lay ahead of this moment is forgotten: the run takes another way from here."""
        if self.phase is Phase.RUNNING:
            raise SessionError("the machine is running: pause it first")
        at = self.moment
        self._recording.truncate(at, self.machine.events)
        self._history.forget_from(at)
        self._recording.inputs.append(Recorded(at, given, None))
        given.apply(self.machine)
        if self.machine.activity is None and self.machine.finished is None:
            self._history.take(at)
        self._view = None
        self.phase = Phase.ENDED if self.machine.stuck else Phase.STOPPED

    # The frame of every command

    def _go(self, moment: Moment | None) -> Stop:
        if moment is None:
            raise SessionError("this is the start of the recording")
        return self._command(lambda: self._replay_to(moment), Reason.MOMENT)

    def _command(self, move: Callable[[], None], reason: Reason) -> Stop:
        if self.phase is Phase.RUNNING:
            raise SessionError("the machine is running: pause it first")
        self.phase = Phase.RUNNING
        self._view = None
        machine = self.machine
        try:
            move()
            self._unbegin()
            self.stop = _PLAIN_STOPS[reason]
        except _Interrupted as interrupted:
            self._unbegin()
            self.stop = interrupted.stop
        except UnsupportedError as error:
            self.stop = Stop(Reason.UNSUPPORTED, str(error))
        finally:
            self.phase = Phase.STOPPED
            if machine.halted or machine.shut_down:
                self._note_end()
        return self.stop

    def _note_end(self) -> None:
        if not self.machine.stuck:
            return
        self.phase = Phase.ENDED
        self.stop = _end(self.machine)

    # One move

    def _one(self) -> None:
        """One micro-step, and what belongs to arriving behind it."""
        self._ahead = False
        self.machine.micro_step()
        self._arrive()

    def _one_boundary(self) -> None:
        machine = self.machine
        machine.micro_step()
        self._arrive()
        while machine.activity is not None or (machine.halted and not machine.stuck):
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
        elif resume is not None and machine.cpu.rip != resume:
            floor = registers.rsp

            def returned() -> bool:
                return machine.activity is None and machine.cpu.rip == resume and machine.cpu.registers().rsp >= floor

            self._run(returned, exits={resume})

    def _guard_endless(self) -> None:
        if self.machine.step >= _ENDLESS:
            text = f"{self.machine.step} delivery steps in a row, and no instruction completes any more"
            raise _Interrupted(Stop(Reason.ENDLESS_FAULT, text))

    # Arriving

    def _arrive(self) -> None:
        """At a moment reached for the first time: record it. At any other: apply the inputs recorded there."""
        machine = self.machine
        at = Moment(machine.clock.instructions, machine.step)
        frontier = self._recording.frontier
        if at.instruction > frontier.instruction or at > frontier:
            self._discover(at)
        else:
            self._reapply(at)
        self._offer(at)

    def _offer(self, at: Moment) -> None:
        """A checkpoint can stand here, unless a procedure is under way, or has just ended and is still to be seen."""
        machine = self.machine
        if machine.activity is None and machine.finished is None and not self._ahead:
            self._history.offer(at)

    def _discover(self, at: Moment) -> None:
        machine, recording = self.machine, self._recording
        activity = machine.activity
        recording.reach(at, boundary=activity is None and not machine.halted)
        if isinstance(activity, LongDelivery):
            recording.recognise(Moment(at.instruction, at.step - len(activity.steps)), activity.event)
        if recording.script:
            if activity is None and machine.cpu.rip in self._watched:
                recording.pass_address(at, machine.cpu.rip)
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
        slices, around deliveries and returns. Raises _Interrupted for a breakpoint, a pause, an end.
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
            if machine.activity is None and machine.cpu.rip in breaks and not machine.halted:
                raise _Interrupted(Stop(Reason.BREAKPOINT, f"breakpoint at {self._name(machine.cpu.rip)}"))
            if isinstance(machine.activity, LongDelivery) and not machine.activity.steps and self.moment != start:
                self._break_on(machine.activity)
            if machine.stuck:
                raise _Interrupted(_end(machine))
            if self._pause.is_set():
                raise _Interrupted(Stop(Reason.PAUSED, "paused"))
            if limit is not None and machine.clock.now >= limit:
                raise _Interrupted(Stop(Reason.LIMIT, f"{machine.clock.now} ticks of virtual time have passed"))

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
        if machine.cpu.rip in halts:
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

    def _break_on(self, delivery: LongDelivery) -> None:
        for item in self.breakpoints:
            if isinstance(item, EventBreakpoint) and item.matches(delivery.event):
                at = self.moment
                self._recording.recognise(at, delivery.event)
                self._replay_to(at)
                raise _Interrupted(Stop(Reason.BREAKPOINT, f"{delivery.event.name} is about to be delivered"))

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
            if isinstance(activity, LongDelivery):
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
                left -= machine.activity is None and not machine.halted and machine.cpu.rip == place.value
                return left <= 0

            self._run(arrived, exits={place.value}, limit=limit)
        else:

            def recognised() -> bool:
                activity = self.machine.activity
                if isinstance(activity, LongDelivery) and not activity.steps:
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
            if self.machine.cpu.rip == place.value and place.occurrence == 1:
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
            start for start, event in self.recognised if start < now and any(item.matches(event) for item in events)
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
            if rest and machine.cpu.rip in addresses:
                found = at
            if rest and at.instruction < upper.instruction:
                following = self._recording.next_input(at)
                end = min(count for count in (following, upper.instruction) if count is not None)
                inside = machine.cpu.rip in addresses
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


_PLAIN_STOPS = {reason: Stop(reason) for reason in Reason}


def _end(machine: Machine) -> Stop:
    """The machine's own end."""
    if machine.shut_down:
        return Stop(Reason.SHUTDOWN, "the processor has shut down: a fault came while #DF was being delivered")
    return Stop(Reason.HALTED, "HLT, and nothing is left that could wake the processor")


def _ignore(_event: Happened) -> None:
    """Nobody listens."""


def _never() -> bool:
    return False
