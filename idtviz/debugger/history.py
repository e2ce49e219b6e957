"""Checkpoints of the machine, so that the past can be reached by replay from the nearest one.

How far apart they stand is a matter of time alone, and so may differ from one run to the next: what is replayed is the
same from each of them.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from time import perf_counter

from idtviz.debugger.moment import START, Moment
from idtviz.machine.memory import Memory
from idtviz.machine.pc import Machine, MachineState

_SLICE = 1 << 20  # instructions between two looks at the clock: some ten milliseconds of plain code
_ONWARD = 0.05, 20
"""Between two checkpoints where no one has been: seconds of running, and how often what the last one took."""
_AGAIN = 0.002, 2
"""The same in replay: who goes back once will go back again."""
_CHUNK = 16 << 10  # bytes of RAM that are kept, or shared with the checkpoint before, as one
_LIMIT = 256
_NEAR = 32  # checkpoints on either side of a new one that stay when the others are thinned out


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The machine at `moment`; `chunks` hold all of RAM, shared with other checkpoints where nothing has changed."""

    moment: Moment
    state: MachineState
    chunks: tuple[bytes, ...]


class History:
    """The checkpoints of one run, in order. The first one is never dropped."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._checkpoints: list[Checkpoint] = []
        self._furthest = START
        self._spent = 0.0
        """Seconds of running since the checkpoint that replay would start from."""
        self._mark = perf_counter()
        self._cost = 0.0
        """Seconds that the last checkpoint took."""

    def resume(self) -> None:
        """The machine is about to move: the time that a person took to think does not count."""
        self._mark = perf_counter()

    def offer(self, moment: Moment) -> None:
        """The machine is between two procedures at `moment`: take a checkpoint if the last one is far enough behind."""
        overdue = self._is_overdue(moment)
        self._furthest = max(self._furthest, moment)
        if overdue:
            self.take(moment)

    def due(self, moment: Moment) -> int:
        """The instruction count behind `moment`, where the machine is, at which a checkpoint should be offered."""
        if self._is_overdue(moment):
            return moment.instruction + 1
        return moment.instruction + (_SLICE if moment >= self._furthest else _SLICE // 8)

    def _is_overdue(self, moment: Moment) -> bool:
        now = perf_counter()
        self._spent += now - self._mark
        self._mark = now
        least, times = _AGAIN if moment < self._furthest else _ONWARD
        return self._spent >= max(least, times * self._cost)

    def take(self, moment: Moment) -> None:
        """Take a checkpoint now, unless one stands here."""
        place = self._place(moment)
        before = self._checkpoints[place] if place >= 0 else None
        if before is None or before.moment != moment:
            begun = perf_counter()
            chunks = _changed(self._machine.memory, before.chunks if before else ())
            self._checkpoints.insert(place + 1, Checkpoint(moment, self._machine.snapshot(), chunks))
            if len(self._checkpoints) > _LIMIT:
                self._thin_out(place + 1)
            self._cost = perf_counter() - begun
        self._start_from()

    def rewind(self, moment: Moment) -> Moment:
        """Put the machine back to the last checkpoint at or before `moment`; returns where that is."""
        found = self._checkpoints[self._place(moment)]
        view = self._machine.memory.view
        for index, chunk in enumerate(found.chunks):
            start = index * _CHUNK
            # The comparison of memoryviews goes element by element; this one is a memcmp.
            if not chunk.startswith(view[start : start + len(chunk)]):
                view[start : start + len(chunk)] = chunk
        self._machine.restore(found.state)
        self._start_from()
        return found.moment

    def nearest(self, moment: Moment) -> Moment:
        """Where `rewind` would land."""
        return self._checkpoints[self._place(moment)].moment

    def forget_from(self, moment: Moment) -> None:
        """Drop the checkpoints at `moment` and later: the run takes another way from there."""
        self._checkpoints = [checkpoint for checkpoint in self._checkpoints if checkpoint.moment < moment]
        self._furthest = moment

    def _place(self, moment: Moment) -> int:
        """Where the last checkpoint at or before `moment` stands; -1: there is none."""
        return bisect.bisect_right(self._checkpoints, moment, key=_moment_of) - 1

    def _start_from(self) -> None:
        self._spent = 0.0
        self._mark = perf_counter()

    def _thin_out(self, place: int) -> None:
        """Drop every second one of those that are not near `place`, where the machine is."""
        low, high = max(1, place - _NEAR), place + _NEAR + 1
        del self._checkpoints[high::2]
        del self._checkpoints[1:low:2]


def _moment_of(checkpoint: Checkpoint) -> Moment:
    return checkpoint.moment


def _changed(memory: Memory, before: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """All of RAM as values; a chunk that equals the one in `before` is that very object."""
    view, size = memory.view, memory.size
    zero = bytes(_CHUNK)
    chunks = []
    for index, start in enumerate(range(0, size, _CHUNK)):
        now = view[start : start + _CHUNK]
        chunk = before[index] if before else zero[: len(now)]
        chunks.append(chunk if chunk.startswith(now) else bytes(now))
    return tuple(chunks)
