"""The session: the one door to a machine in time, and the one owner of its phase.

Every command moves to another moment. Behind the frontier (the furthest moment reached) the machine replays what was recorded;
at the frontier it goes where no one has been, and scripted inputs find their triggers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from idtviz.debugger import stops
from idtviz.debugger.history import History
from idtviz.debugger.inputs import Input, Recorded
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.places import Place, PlaceKind, parse
from idtviz.debugger.stops import AddressBreakpoint, Breakpoint, EventBreakpoint, Reason, Stop
from idtviz.debugger.symbols import Symbols
from idtviz.debugger.view import View, look
from idtviz.machine.delivery.event import Event
from idtviz.machine.delivery.iret import LongReturn
from idtviz.machine.delivery.long import LongDelivery
from idtviz.machine.events import Delivered, Happened
from idtviz.machine.pc import Machine, UnsupportedError

DEFAULT_LIMIT = 100_000_000
"""Ticks of virtual time after which a run that was given no other end stops."""
_SLICE = 250_000  # instructions between two looks at the clock on the wall
_ENDLESS = 400  # delivery steps without an instruction that completes


class Phase(Enum):
    """What the session is doing."""

    STOPPED = "stopped"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class ScriptedInput:
    """An input of the scenario and where it is given."""

    place: Place
    input: Input


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


class _Stopped(Exception):  # noqa: N818 -- control flow within a run, not an error
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
        self.events: list[Happened] = []
        """Everything that has happened up to the frontier, in order; `seen` of them lie before the present moment."""
        self.frontier = START
        self.on_event: Callable[[Happened], None] = lambda event: None
        """Told of each event when it happens for the first time."""
        self.machine = setup.build()
        self.machine.on_event = self._record
        self.progress = Progress(START, 0)
        self.recognised: dict[Moment, Event] = {}
        """Events known to be recognised at a moment, up to the frontier."""
        self._inputs: list[Recorded] = []
        self._counted: dict[int, int] = {}
        self._last_step: dict[int, int] = {}
        self._boundaries: dict[int, list[int]] = {}
        self._pause = threading.Event()
        self._view: View | None = None
        self._history = History(self.machine)
        self._arrive()
        self._history.take(START)

    # Where we are

    @property
    def moment(self) -> Moment:
        """The present."""
        return Moment(self.machine.instructions, self.machine.step)

    @property
    def seen(self) -> int:
        """How many of `events` lie before the present moment."""
        return self.machine.events

    @property
    def view(self) -> View:
        """Everything there is to see at this moment; a value that stays as it is when the session moves on."""
        if self._view is None:
            self._view = look(self.machine, self.symbols, self.moment, self._next_event())
        return self._view

    @property
    def deliveries(self) -> list[Delivered]:
        """The deliveries up to the frontier."""
        return [event for event in self.events if isinstance(event, Delivered)]

    @property
    def inputs(self) -> Sequence[Recorded]:
        """The inputs applied up to the frontier, in order."""
        return self._inputs

    def digest(self) -> str:
        """A hash of processor, RAM and chips at this moment."""
        return self.machine.digest()

    def _next_event(self) -> Event | None:
        return self.recognised.get(self.moment)

    # Forward

    def step(self) -> Stop:
        """One instruction; or, where one is delivered or returned from, on to the next instruction boundary."""
        return self._command(self._one_boundary, Reason.STEP)

    def micro_step(self) -> Stop:
        """One step of a delivery or return; one instruction where nothing is delivered."""
        return self._command(self._one, Reason.STEP)

    def next(self) -> Stop:
        """Over a call, a repeated string instruction, or a whole interrupt with its handler."""
        depth = len(self.machine.live)
        resume = look(self.machine, self.symbols, self.moment, None).code.after_call
        floor = self.machine.cpu.registers().rsp

        def move() -> None:
            self._one_boundary()
            machine = self.machine
            if len(machine.live) > depth:
                self._run(lambda: len(machine.live) <= depth, set())
            elif resume is not None and machine.cpu.rip != resume:
                self._run(lambda: machine.cpu.rip == resume and machine.cpu.registers().rsp >= floor, {resume})

        return self._command(move, Reason.STEP)

    def finish(self) -> Stop:
        """On until the IRET that ends the innermost handler has returned."""
        depth = len(self.machine.live)
        if isinstance(self.machine.activity, LongDelivery):
            depth += 1
        if depth == 0:
            raise SessionError("no handler is running: there is nothing to finish")
        entered = len(self.machine.live) >= depth

        def returned() -> bool:
            nonlocal entered
            entered = entered or len(self.machine.live) >= depth
            return entered and len(self.machine.live) < depth

        return self._command(lambda: self._run(returned, set()), Reason.RETURNED)

    def run(self, until: Moment | str | None = None, limit: int | None = None) -> Stop:
        """On to a breakpoint, to `until` (a moment, or the text of a place), or to the end.

        `limit`: ticks of virtual time, counted from the start of the machine, after which the run stops anyway.
        """
        if isinstance(until, str):
            place = parse(until, self.symbols)
            return self._command(lambda: self._run_to_place(place, limit), Reason.MOMENT)
        target = until

        def reached() -> bool:
            return target is not None and self.moment >= target

        bound = target.instruction if target is not None else None
        return self._command(lambda: self._run(reached, set(), bound=bound, limit=limit), Reason.MOMENT)

    def pause(self) -> None:
        """End the run that is going on in another thread at its next opportunity."""
        self._pause.set()

    # Back

    def back(self) -> Stop:
        """To the instruction boundary before this one."""
        return self._command(lambda: self._replay_to(self._previous(micro=False)), Reason.MOMENT)

    def micro_back(self) -> Stop:
        """To the step before this one."""
        return self._command(lambda: self._replay_to(self._previous(micro=True)), Reason.MOMENT)

    def back_over(self) -> Stop:
        """To the boundary before the interrupt that has just been returned from, or one instruction back."""
        return self._command(lambda: self._replay_to(self._before_interrupt()), Reason.MOMENT)

    def rewind(self) -> Stop:
        """To the last breakpoint that was passed, or to the start."""
        return self._command(lambda: self._replay_to(self._last_hit()), Reason.BREAKPOINT)

    def seek(self, moment: Moment | str) -> Stop:
        """To any moment, given as a value or as the text of a place; beyond the frontier by running there."""
        if isinstance(moment, str):
            place = parse(moment, self.symbols)
            return self._command(lambda: self._seek_place(place), Reason.MOMENT)
        target = moment
        if target <= self.frontier:
            return self._command(lambda: self._replay_to(target), Reason.MOMENT)
        return self.run(target)

    # From outside

    def give(self, given: Input) -> None:
        """Apply an input now. What lay ahead of this moment is forgotten: the run takes another way from here."""
        if self.phase is Phase.RUNNING:
            raise SessionError("the machine is running: pause it first")
        self._forget_future()
        self._apply(given, None)
        self._history.forget_after(self.moment)
        if self.machine.activity is None:
            self._history.take(self.moment)
        self._view = None
        self.phase = Phase.STOPPED

    # The command around every move

    def _command(self, move: Callable[[], None], reason: Reason) -> Stop:
        if self.phase is Phase.RUNNING:
            raise SessionError("the machine is running: pause it first")
        self.phase = Phase.RUNNING
        self._pause.clear()
        try:
            move()
            stop = Stop(reason)
        except _Stopped as stopped:
            stop = stopped.stop
        except UnsupportedError as error:
            stop = Stop(Reason.UNSUPPORTED, str(error))
        finally:
            self.machine.cpu.set_breakpoints([])
            self._view = None
            self.phase = Phase.ENDED if self.machine.stuck else Phase.STOPPED
        self.stop = self._end() or stop if stop.reason in (Reason.STEP, Reason.MOMENT, Reason.RETURNED) else stop
        self.progress = Progress(self.moment, self.machine.clock.now)
        return self.stop

    def _end(self) -> Stop | None:
        """The machine's own end, if it has come to one."""
        if self.machine.shut_down:
            return Stop(Reason.SHUTDOWN, "the processor has shut down: a fault came while #DF was being delivered")
        if self.machine.stuck:
            return Stop(Reason.HALTED, "HLT, and nothing is left that could wake the processor")
        return None

    # Moving

    def _one(self) -> None:
        """One micro-step, and what belongs to arriving behind it."""
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

    def _arrive(self) -> None:
        """Bookkeeping at each moment that is reached for the first time; recorded inputs at the others."""
        machine = self.machine
        step = machine.step
        at = Moment(machine.clock.instructions, step)
        if at > self.frontier or at == START:
            self.frontier = at
            if step:
                self._last_step[at.instruction] = step
                if machine.activity is None:
                    self._boundaries.setdefault(at.instruction, []).append(step)
            activity = machine.activity
            if activity is not None and isinstance(activity, LongDelivery):
                start = Moment(at.instruction, step - len(activity.steps))
                if start not in self.recognised:
                    self.recognised[start] = activity.event
                    self._count_event(activity.event)
            if self.setup.inputs:
                self._trigger(at)
        else:
            for recorded in self._inputs:
                if recorded.moment == at:
                    recorded.input.apply(machine)
        if machine.activity is None:
            self._history.offer(at)

    def _count_event(self, event: Event) -> None:
        """Scripted inputs that wait for an event of this kind come one nearer."""
        for index, scripted in enumerate(self.setup.inputs):
            place = scripted.place
            delivery = place.kind is PlaceKind.DELIVERY and len(self.recognised) - 1 == place.value
            if delivery or place.matches(event):
                self._counted[index] = self._counted.get(index, 0) + 1

    def _trigger(self, at: Moment) -> None:
        """Apply the scripted inputs whose place has been reached."""
        done = {recorded.script for recorded in self._inputs}
        for index, scripted in enumerate(self.setup.inputs):
            if index not in done and self._is_due(index, scripted.place, at):
                self._apply(scripted.input, index)

    def _is_due(self, index: int, place: Place, at: Moment) -> bool:
        machine = self.machine
        if place.kind is PlaceKind.COUNT:
            # Time stands still for a processor that nothing wakes: what was to come later comes now.
            return at >= Moment(place.value, place.steps) or machine.stuck
        if place.kind is PlaceKind.ADDRESS:
            if at.step == self._here(index) or machine.activity is not None or machine.cpu.rip != place.value:
                return False
            self._counted[index] = self._counted.get(index, 0) + 1
        return self._counted.get(index, 0) >= place.occurrence

    def _here(self, index: int) -> int:
        return -1 - index

    def _apply(self, given: Input, script: int | None) -> None:
        self._inputs.append(Recorded(self.moment, given, script))
        given.apply(self.machine)

    def _guard_endless(self) -> None:
        if self.machine.step >= _ENDLESS:
            raise _Stopped(
                Stop(Reason.ENDLESS_FAULT, f"{self.machine.step} delivery steps, and no instruction completes any more")
            )

    # Running

    def _run(
        self,
        done: Callable[[], bool],
        exits: set[int],
        *,
        bound: int | None = None,
        limit: int | None = None,
    ) -> None:
        """Run at speed until `done()`, looked at wherever the machine halts: at `exits`, at `bound` instructions, and around
        every delivery and return. Raises _Stopped for a breakpoint, a pause, an end.
        """
        machine = self.machine
        breaks = {item.address for item in self.breakpoints if isinstance(item, AddressBreakpoint)}
        wanted = {s.place.value for s in self.setup.inputs if s.place.kind is PlaceKind.ADDRESS}
        stops_at = exits | breaks | wanted
        first = True
        while not (not first and done()):
            if self._pause.is_set():
                raise _Stopped(Stop(Reason.PAUSED, "paused"))
            if machine.stuck:
                raise _Stopped(self._end() or Stop(Reason.HALTED))
            if limit is not None and machine.clock.now >= limit:
                raise _Stopped(Stop(Reason.LIMIT, f"{machine.clock.now} ticks of virtual time have passed"))
            self._guard_endless()
            if not first and machine.activity is None and machine.cpu.rip in breaks:
                raise _Stopped(Stop(Reason.BREAKPOINT, f"breakpoint at {self._name(machine.cpu.rip)}"))
            self._run_on(stops_at, bound, limit)
            first = False
            self.progress = Progress(self.moment, machine.clock.now)

    def _run_on(self, stops_at: set[int], bound: int | None, limit: int | None) -> None:
        """One slice at speed, or one micro-step of what is under way."""
        machine = self.machine
        if machine.activity is not None or machine.halted:
            self._one()
            return
        here = machine.instructions
        until = min(self._next_input(), here + _SLICE, max(self._history.due, here + 1))
        if bound is not None:
            until = min(until, max(bound, here + 1))
        if limit is not None:
            until = min(until, max(limit - machine.clock.idle, here + 1))
        if machine.cpu.rip in stops_at:
            machine.cpu.set_breakpoints([])
            machine.run(here + 1)
            self._arrive_running()
            return
        machine.cpu.set_breakpoints(sorted(stops_at))
        machine.run(until)
        machine.cpu.set_breakpoints([])
        self._arrive_running()

    def _arrive_running(self) -> None:
        """Behind a slice: it may have ended in front of a delivery, which breakpoints on events want to know."""
        machine = self.machine
        activity = machine.activity
        if activity is None:
            self._arrive()
            return
        at = self.moment
        if at > self.frontier:
            # The instructions of the slice completed: this boundary is reached before what comes next begins.
            self.frontier = at
        if isinstance(activity, LongDelivery):
            self._break_on(activity)

    def _break_on(self, delivery: LongDelivery) -> None:
        for item in self.breakpoints:
            if isinstance(item, EventBreakpoint) and item.matches(delivery.event):
                at = self.moment
                self.recognised.setdefault(at, delivery.event)
                self._replay_to(at)
                raise _Stopped(Stop(Reason.BREAKPOINT, f"{delivery.event.name} is about to be delivered"))

    def _next_input(self) -> int:
        """The instruction count at which an input is next to be applied."""
        here = self.machine.instructions
        if self.moment < self.frontier:
            later = [recorded.moment.instruction for recorded in self._inputs if recorded.moment > self.moment]
            return min((count for count in (*later, self.frontier.instruction) if count > here), default=here + 1)
        done = {recorded.script for recorded in self._inputs}
        counts = [
            scripted.place.value
            for index, scripted in enumerate(self.setup.inputs)
            if index not in done and scripted.place.kind is PlaceKind.COUNT and scripted.place.value > here
        ]
        return min(counts, default=here + _SLICE)

    def _name(self, address: int) -> str:
        return self.symbols.name(address) or f"{address:#x}"
