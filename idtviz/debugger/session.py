"""The session: the one door to a machine in time, and the one owner of its phase.

Every command moves to another moment. Behind the frontier the machine replays what was recorded; at the frontier it
goes where no one has been, and scripted inputs find their triggers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from typing import TypeVar

from idtviz.debugger.arriving import Setup
from idtviz.debugger.branching import Branch, BranchError
from idtviz.debugger.breakpoints import Breakpoint
from idtviz.debugger.comparing import Comparer
from idtviz.debugger.comparison import Comparison
from idtviz.debugger.editing import EditError, edit_input
from idtviz.debugger.inputs import Input, Recorded
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.observing import Observations
from idtviz.debugger.places import parse
from idtviz.debugger.procedures import ProcedureView, suppose
from idtviz.debugger.recording import Note
from idtviz.debugger.running import Progress
from idtviz.debugger.stops import Abandoned, Interrupted, Reason, Stop, end_of
from idtviz.debugger.view import View, look
from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.delivery.event import Event
from idtviz.machine.events import Happened
from idtviz.machine.pc import UnsupportedError
from idtviz.machine.watch import Bytes

__all__ = ["Phase", "Progress", "Session", "SessionError", "Setup"]


class Phase(Enum):
    """What the session is doing."""

    STOPPED = "stopped"
    RUNNING = "running"
    ENDED = "ended"


class SessionError(Exception):
    """A command that cannot be carried out here; the message says why."""


class Session(Comparer):
    """A machine that can be moved in both directions of time."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.setup = setup
        self.phase = Phase.STOPPED
        self.stop = Stop(Reason.START)
        """Why the last command ended."""
        self._view: View | None = None

    # Where we are

    @property
    def progress(self) -> Progress:
        """How far the run that is going on has come, as another thread may ask; else the present."""
        return Progress(self.moment, self.machine.clock.now)

    @property
    def events(self) -> Sequence[Happened]:
        """Everything that has happened up to the frontier, in order; the first `seen` lie before the present.

        Where there are thousands of deliveries, the later ones come without their steps.
        """
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
    def rings(self) -> Sequence[tuple[Moment, int]]:
        """Each change of ring up to the frontier: where it was first seen, and the new CPL."""
        return self._recording.rings

    @property
    def recognised(self) -> Sequence[tuple[Moment, Event]]:
        """Each event up to the frontier, with the moment at which its delivery begins."""
        return self._recording.recognised

    @property
    def observations(self) -> Observations:
        """What was noted of the present branch, up to its frontier, for those who judge it."""
        return self._recording.observations

    @property
    def view(self) -> View:
        """Everything there is to see at this moment; a value that stays as it is when the session moves on."""
        if self._view is None:
            self._view = look(self.machine, self.symbols, self.moment, self._recording)
        return self._view

    @property
    def notes(self) -> Sequence[Note]:
        """What was noted about moments of this branch, in their order."""
        return self._recording.notes

    def note(self, text: str) -> None:
        """Write something down about this moment, in place of what was noted before; empty: take that away."""
        self._recording.write_down(Note(self.moment, text))

    def suppose(self, vector: int) -> ProcedureView:
        """What would happen if `vector` came now: as an exception below 32, as an external interrupt above."""
        return suppose(self.machine, vector)

    def digest(self) -> str:
        """A hash of processor, RAM and chips at this moment."""
        return self.machine.digest()

    @property
    def _last_answer(self) -> str:
        return self.stop.text

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
        """On until the IRET that ends the innermost handler has returned; without one, that of the event that comes."""
        depth = len(self.machine.live)
        comes = not depth and self._recording.event_at(self.moment) is not None
        if comes or isinstance(self.machine.activity, Delivery):
            stop = self._command(self._one_boundary, Reason.STEP)
            if stop.reason is Reason.BARRIER:
                return stop
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

    def run_until(self, item: Breakpoint) -> Stop:
        """On to a breakpoint that is set for this run alone, or to any other."""
        return self._command(lambda: self._run(_never, also=(item,)), Reason.MOMENT)

    def pause(self) -> None:
        """End what is going on in another thread at its next opportunity: a run where it has come to, a search or a way
        into the past where it began.
        """
        self._pause.set()

    # Back, and anywhere

    def back(self) -> Stop:
        """To the instruction boundary before this one."""
        return self._go(self._recording.before(self.moment, micro=False))

    def micro_back(self) -> Stop:
        """To the step before this one."""
        return self._go(self._recording.before(self.moment, micro=True))

    def back_over(self) -> Stop:
        """Over the interrupt, the call or the repeated instruction that has just ended; else one instruction back."""
        before = self._recording.before(self.moment, micro=False)
        if before is None:
            raise SessionError(_AT_THE_START)
        return self._command(lambda: self._replay_to(self._origin() or before, pausable=True), Reason.MOMENT)

    def handler_back(self) -> Stop:
        """To the event whose handler is running: `finish`, backwards."""
        came = self._handler_came()
        if came is None:
            raise SessionError("no handler is running: nothing has called it")
        return self._go(came)

    def event_back(self) -> Stop:
        """To the last moment before this one at which something happened, else to the start."""
        if self.moment == START:
            raise SessionError(_AT_THE_START)
        return self._go(self._event_before(self.moment) or START)

    def event_forward(self) -> Stop:
        """To the next moment at which something happens; beyond the frontier by running there."""
        known = self._event_behind(self.moment)
        if known is not None:
            return self._go(known)
        return self._command(self._run_to_event, Reason.MOMENT)

    def who_wrote(self, place: Bytes | str) -> Stop:
        """To the instruction or step that wrote linear `place`, or a register, last; it is the next thing to happen.

        The stop tells what it wrote. Where nothing has, the session stays where it is, and the stop says so.
        """
        return self._command(lambda: self._to_writer(place), Reason.FOUND)

    def run_back(self) -> Stop:
        """To the last breakpoint that was passed, or to the start."""
        return self._command(lambda: self._replay_to(self._last_hit(), pausable=True), Reason.BREAKPOINT)

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
        """Apply an input now.

        Where the input edits the state, or a run lies ahead that went without it, a new branch begins here; the other
        stays as it is.
        """
        self._change(lambda: self._give(given))

    def edit(self, path: str, value: int | bytes) -> None:
        """Change a register, a field of a structure, bytes or a chip's register, by its path: `idt[14].dpl`, 3.

        Raises SessionError where there is none such, or the value does not fit.
        """
        try:
            given = edit_input(self, path, value)
        except EditError as error:
            raise SessionError(str(error)) from error
        self.give(given)

    def undo(self) -> Input:
        """Take back the last input given on this branch, and all that came of it; returns it.

        A branch that is left without an input of its own is gone. Raises SessionError where there is none.
        """
        return self._change(self._undo)

    # Branches

    @property
    def branches(self) -> tuple[Branch, ...]:
        """All runs, the original one first."""
        return tuple(self._branches)

    @property
    def branch(self) -> Branch:
        """The present one."""
        return self._branch

    def switch(self, number: int) -> Stop:
        """To the same moment of another branch, or to its frontier if it does not reach that far."""
        branch = _said(lambda: self._numbered(number))
        return self._command(lambda: self._switch(branch, self.moment, pausable=True), Reason.MOMENT)

    def begin_branch(self, number: int, own: int, inputs: Sequence[Input]) -> None:
        """Have branch `number` part from the present one here, as it did in a session that was saved: with `inputs`,
        and with the first `own` inputs of the present branch's own.
        """
        self._change(lambda: self._begin(number, own, inputs))

    def delete_branch(self, number: int) -> None:
        """Forget a branch; who is on it goes to where it parted from its parent."""
        self._change(lambda: self._delete(number))

    def compare(self, left: int, right: int) -> Comparison:
        """Two branches side by side; the session stays where it is. Takes the time that replaying both takes.

        Raises SessionError where it is paused.
        """
        return self._change(lambda: self._compare(self._numbered(left), self._numbered(right)))

    def digests(self) -> dict[int, str]:
        """A hash of what the machine is at the frontier of each branch, by its number; a pause does not end that."""
        stop = self.stop
        try:
            return self._change(self._digests)
        finally:
            self.stop = stop

    # The frame of every command

    def _go(self, moment: Moment | None) -> Stop:
        if moment is None:
            raise SessionError(_AT_THE_START)
        return self._command(lambda: self._replay_to(moment, pausable=True), Reason.MOMENT)

    def _set_out(self) -> None:
        """A command begins."""
        if self.phase is Phase.RUNNING:
            raise SessionError("the machine is running: pause it first")
        self.phase = Phase.RUNNING
        self._view = None
        self._history.resume()
        self._pause.clear()

    def _change(self, change: Callable[[], _T]) -> _T:
        """Carry out what makes the present another one."""
        self._set_out()
        try:
            return _said(change)
        finally:
            self.phase = Phase.STOPPED
            self.stop = _PLAIN_STOPS[Reason.MOMENT]
            self._note_end()

    def _command(self, move: Callable[[], None], reason: Reason) -> Stop:
        self._set_out()
        machine, branch, moment = self.machine, self._branch, self.moment
        try:
            move()
            self._unbegin()
            self.stop = Stop(Reason.BARRIER) if self._is_beyond(moment) else _PLAIN_STOPS[reason]
        except Abandoned as abandoned:
            self._switch(branch, moment)
            self.stop = abandoned.stop
        except Interrupted as interrupted:
            self._unbegin()
            self.stop = interrupted.stop
        except UnsupportedError as error:
            self._go_in_front()
            self.stop = Stop(Reason.UNSUPPORTED, str(error))
        finally:
            self.phase = Phase.STOPPED
            if machine.halted or machine.shut_down or machine.off:
                self._note_end()
        return self.stop

    def _is_beyond(self, start: Moment) -> bool:
        """Whether the way on from `start` has led to a barrier, or beyond: then the session is back there."""
        return self.moment > start and self._is_at_barrier()

    def _go_in_front(self) -> None:
        """What was begun has come to nothing: be where it would begin, as after any other way there."""
        there = self.moment
        self._ahead = True
        self._replay_to(min(there, self.frontier))
        if there.instruction > self.moment.instruction:
            with suppress(Interrupted, UnsupportedError):
                self._run_to(Moment(there.instruction), None)

    def _note_end(self) -> None:
        if not self.machine.stuck:
            return
        self.phase = Phase.ENDED
        self.stop = end_of(self.machine)


_PLAIN_STOPS = {reason: Stop(reason) for reason in Reason}


_AT_THE_START = "this is the start of the recording"
_T = TypeVar("_T")


def _never() -> bool:
    return False


def _said(change: Callable[[], _T]) -> _T:
    """Do it; what cannot be done with a branch is an error of the command."""
    try:
        return change()
    except (BranchError, Abandoned) as error:
        raise SessionError(str(error)) from error
