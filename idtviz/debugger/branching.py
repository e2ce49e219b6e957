"""Runs that part from one another: what would have happened if."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from idtviz.debugger.arriving import Setup
from idtviz.debugger.causes import CauseFinder
from idtviz.debugger.history import History
from idtviz.debugger.inputs import Edit, Input, Recorded
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.recording import Recording


class BranchError(Exception):
    """What cannot be done with a branch; the message says why."""


@dataclass(slots=True, eq=False)
class Branch:
    """One run. It is the same as its `parent` up to `fork`, where it was given an input of its own."""

    number: int
    parent: Branch | None
    fork: Moment
    recording: Recording
    history: History
    inherited: int
    """How many inputs had been given when it parted."""

    @property
    def own(self) -> tuple[Recorded, ...]:
        """The inputs that were given on this branch, in order, without those of the scenario."""
        return tuple(given for given in self.recording.inputs[self.inherited :] if given.script is None)

    @property
    def frontier(self) -> Moment:
        """The furthest moment that has been reached."""
        return self.recording.frontier

    @property
    def name(self) -> str:
        """What sets it apart: the inputs with which it begins."""
        begun = [str(given.input) for given in self.own if given.moment == self.fork]
        return " · ".join(begun) if self.parent is not None else "the original run"


def _line_of(branch: Branch | None) -> list[Branch]:
    """A branch and those that it comes from, the original run first."""
    found: list[Branch] = []
    while branch is not None:
        found.append(branch)
        branch = branch.parent
    return found[::-1]


def parted(left: Branch, right: Branch) -> Moment:
    """Up to where both are the same run."""
    ours, theirs = _line_of(left), _line_of(right)
    same = sum(mine is other for mine, other in zip(ours, theirs, strict=False))
    return min(branch.fork for branch in (*ours[same : same + 1], *theirs[same : same + 1]))


class Brancher(CauseFinder):
    """A machine with several runs, of which one is the present one."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._branch = Branch(1, None, START, self._recording, self._history, 0)
        self._branches = [self._branch]

    def _give(self, given: Input) -> None:
        """Apply an input now. Where a run lies ahead, or the state is edited, a new branch begins."""
        at, branch = self.moment, self._branch
        begins_here = branch.parent is not None and branch.fork == at == branch.frontier
        if not begins_here and (at < branch.frontier or isinstance(given, Edit)):
            self._part(1 + max(branch.number for branch in self._branches))
        else:
            self._recording.truncate(at, self.machine.events)
        self._apply(given)

    def _part(self, number: int) -> None:
        """From here on the run is another branch."""
        at, parent = self.moment, self._branch
        while parent.parent is not None and at < parent.fork:
            parent = parent.parent  # up to there both are the same run
        recording = self._recording.fork(at, self.machine.events)
        parted = Branch(number, parent, at, recording, self._history.fork(at), len(recording.inputs))
        self._branches.append(parted)
        self._branches.sort(key=lambda branch: branch.number)
        self._take_up(parted)

    def _begin(self, number: int, own: int, inputs: Sequence[Input]) -> None:
        """Have branch `number` part here with `inputs`, and with no more than the first `own` of its parent's own.

        That is another matter where the parent was given more at this very moment after the two had parted.
        """
        later = self._branch.own[own:]
        self._part(number)
        inherited = self._recording.inputs
        kept = [given for given in inherited if not any(given is other for other in later)]
        if len(kept) < len(inherited):
            self._branch.inherited = len(kept)
            self._go_with(kept, self.moment)
        for given in inputs:
            self._apply(given)

    def _apply(self, given: Input) -> None:
        machine = self.machine
        self._recording.inputs.append(Recorded(self.moment, given, None))
        given.apply(machine)
        self._history.forget_from(self.moment)  # a checkpoint may stand here already, of before this input
        if machine.activity is None and machine.finished is None:
            self._history.take(self.moment)

    def _take_up(self, branch: Branch) -> None:
        self._branch = branch
        self._recording, self._history = branch.recording, branch.history
        self._watched = self._recording.awaited

    def _switch(self, branch: Branch, moment: Moment, *, pausable: bool = False) -> None:
        """Be at `moment` of another branch, or at its frontier if it does not reach that far. `pausable`: or raise
        Abandoned on the way there.
        """
        self._take_up(branch)
        self._rewind(moment)
        self._replay_to(min(moment, branch.frontier), pausable=pausable)

    def _digests(self) -> dict[int, str]:
        """The digest at the frontier of each branch, by its number. The machine stays where it is."""
        here, at, found = self._branch, self.moment, {}
        for branch in self._branches:
            self._switch(branch, branch.frontier)
            found[branch.number] = self.machine.digest()
        self._switch(here, at)
        return found

    def _numbered(self, number: int) -> Branch:
        for branch in self._branches:
            if branch.number == number:
                return branch
        raise BranchError(f"there is no branch {number}; there are {self._numbers()}")

    def _numbers(self) -> str:
        return ", ".join(str(branch.number) for branch in self._branches)

    # Taking back

    def _undo(self) -> Input:
        """Take back the last input that was given on this branch, and what came of it; returns it."""
        branch = self._branch
        if not branch.own:
            raise BranchError("nothing has been edited or typed on this branch")
        last = branch.own[-1]
        self._refuse_if_others_part(branch, last.moment)
        if branch.parent is None or last.moment > branch.fork:
            self._go_with([given for given in self._recording.inputs if given is not last], last.moment)
        else:
            others = [given.input for given in branch.own[:-1]]
            known = {id(given) for given in branch.recording.inputs[: branch.inherited]}
            shared = sum(id(given) in known for given in branch.parent.own)
            self._drop(branch)
            self._switch(branch.parent, last.moment)
            if others:
                self._begin(branch.number, shared, others)
        return last.input

    def _go_with(self, inputs: list[Recorded], at: Moment) -> None:
        """Be at `at` with these inputs alone; what lay behind it is forgotten."""
        recording = self._recording
        recording.inputs = inputs
        self._history.forget_from(at)
        self._rewind(at)
        self._replay_to(at)
        recording.truncate(at, self.machine.events)
        self._watched = recording.awaited

    def _drop(self, branch: Branch) -> None:
        self._branches.remove(branch)
        branch.history.drop()

    def _delete(self, number: int) -> None:
        """Forget a branch. Who is on it goes to where it parted."""
        branch = self._numbered(number)
        if branch.parent is None:
            raise BranchError("branch 1 is the original run; it stays")
        self._refuse_if_others_part(branch, branch.fork)
        if branch is self._branch:
            self._switch(branch.parent, branch.fork)
        self._drop(branch)

    def _refuse_if_others_part(self, branch: Branch, since: Moment) -> None:
        others = [other for other in self._branches if other.parent is branch and other.fork >= since]
        if others:
            raise BranchError(f"branch {others[0].number} parts from this one behind it: delete that one first")
