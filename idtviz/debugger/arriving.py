"""Arriving at moments: what a machine brings along when it gets somewhere for the first time, and when it is back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from idtviz.debugger.breakpoints import Breakpoints
from idtviz.debugger.history import History
from idtviz.debugger.inputs import Recorded, ScriptedInput
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.places import Place
from idtviz.debugger.recording import Recording
from idtviz.debugger.stops import Interrupted, Reason, Stop
from idtviz.debugger.symbols import Symbols
from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.events import Happened
from idtviz.machine.pc import Machine

ENDLESS = 400
"""Delivery steps without an instruction that completes, after which a fault counts as endless."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a session needs to begin: how to build the machine, the names of its addresses, its scripted inputs."""

    name: str
    build: Callable[[], Machine]
    symbols: Symbols = field(default_factory=Symbols)
    inputs: tuple[ScriptedInput, ...] = ()
    stations: tuple[Place, ...] = ()
    """Places of which the session is to know when they are passed."""


class Arriver:
    """A machine and what is recorded of its run, moved on by single steps."""

    def __init__(self, setup: Setup) -> None:
        self.symbols = setup.symbols
        self.breakpoints = Breakpoints()
        self.on_event: Callable[[Happened], None] = _ignore
        """Told of each event when it happens for the first time."""
        self.barrier: Callable[[], Moment | None] = _nowhere
        """Asked behind each move: the moment beyond which the machine is not to go for the time being."""
        self.machine = setup.build()
        self.machine.on_event = self._record
        self.machine.events = 0  # what happened while it was built is not part of the run
        self.machine.watch.disarm(0)
        self._processor = self.machine.processor  # asked for at each step
        self._recording = Recording(setup.inputs, setup.stations)
        self._pause = threading.Event()
        self._ahead = False  # a run has begun a procedure of which no step has been performed
        self._watched = self._recording.awaited
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
        """One micro-step, and what belongs to arriving behind it; nothing where nothing can move any more."""
        self._ahead = False
        processor = self._processor
        if (processor.halted or processor.shut_down or processor.off) and self.machine.stuck:
            return
        self.machine.micro_step()
        self._arrive()

    def _complete(self, complete: Callable[[], None]) -> None:
        """All steps that are left of what is under way, in one move: no input comes between them."""
        machine, activity = self.machine, self.machine.activity
        assert activity is not None
        self._ahead = False
        at, done, ring = self.moment, len(activity.steps), machine.cpu.cpl
        if isinstance(activity, Delivery):
            self._recording.recognise(Moment(at.instruction, at.step - done), activity.event)
        complete()
        between = len(activity.steps) - done - 1
        if machine.instructions > at.instruction and between:
            last = Moment(at.instruction, at.step + between)
            if last > self._recording.frontier:
                self._recording.reach(last, ring, boundary=False)
        self._arrive()

    def _rewind(self, moment: Moment) -> None:
        """Be at the last checkpoint at or before `moment`."""
        self._ahead = False
        if self._history.rewind(moment) == START:
            # That checkpoint was taken before anyone could type or edit.
            for given in self._recording.inputs:
                if given.moment == START and given.script is None:
                    given.input.apply(self.machine)

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
        finished = self._processor.finished
        if isinstance(finished, Delivery) and len(finished.steps) == 1 and (activity is None or not activity.steps):
            # It has met a fault at its first step: it was under way at no moment.
            recording.recognise(Moment(at.instruction, at.step - 1), finished.event)
        if isinstance(activity, Delivery):
            recording.recognise(Moment(at.instruction, at.step - len(activity.steps)), activity.event)
        if self._watched and activity is None and machine.cpu.linear_rip in self._watched:
            recording.pass_address(at, machine.cpu.linear_rip)
            self._watched = recording.awaited
        observations = recording.observations
        looks = observations.looking or at.instruction >= observations.due
        if looks and activity is None and not machine.halted:
            observations.pass_boundary(machine)
        if recording.script:
            for index, scripted in recording.due(at, stuck=machine.stuck):
                recording.inputs.append(Recorded(at, scripted.input, index))
                scripted.input.apply(machine)

    def _reapply(self, at: Moment) -> None:
        for given in self._recording.inputs_at(at):
            given.apply(self.machine)

    def _record(self, event: Happened) -> None:
        if self.machine.events == len(self._recording.events):
            self._recording.happened(event)
            self._recording.observations.happened(event, self.machine)
            self.on_event(event)


def _nowhere() -> None:
    """Nothing is in the way."""


def _ignore(_event: Happened) -> None:
    """Nobody listens."""
