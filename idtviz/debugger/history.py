"""The checkpoints of one run, so that its past can be reached by replay from the nearest one.

How far apart they stand is a matter of time and memory alone, and so may differ from one run to the next: what is
replayed is the same from each of them.
"""

from __future__ import annotations

import bisect
from time import perf_counter

from idtviz.debugger.checkpoints import Checkpoint, Room, capture, put_back
from idtviz.debugger.moment import START, Moment
from idtviz.machine.pc import Machine

_SLICE = 1 << 20  # instructions between two looks at the clock: some ten milliseconds of plain code
_ONWARD = 0.05, 20
"""Between two checkpoints where no one has been: seconds of running, and how often what the last one took."""
_AGAIN = 0.002, 2
"""The same in replay: who goes back once will go back again."""
_MOST = 256
_FEWEST = 4
_ROOM = 96 << 20  # bytes beside one whole image of RAM, for the checkpoints of all branches


class History:
    """The checkpoints of one run, in order. The first one stands at the start, and is never dropped."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.room = Room()
        """What the checkpoints of all runs of a session take."""
        self._family = [self]
        """The histories of those runs."""
        self._checkpoints: list[Checkpoint] = []
        self._present = 0
        """Where the machine was last known to be, as `Checkpoint.place` measures."""
        self._furthest = START
        self._spent = 0.0
        """Seconds of running since the checkpoint that replay would start from."""
        self._mark = perf_counter()
        self._cost = 0.0
        """Seconds that the last checkpoint took."""

    def fork(self, moment: Moment) -> History:
        """The history of a run that is the same up to `moment`."""
        found = History(self._machine)
        found.room, found._family = self.room, self._family
        found._checkpoints = self._checkpoints[: self._behind(moment)]
        found._furthest, found._present = moment, self._present
        self._family.append(found)
        self.room.hold(found._checkpoints)
        return found

    def drop(self) -> None:
        """The run is no longer of interest to anyone."""
        self.room.release(self._checkpoints)
        self._checkpoints.clear()
        self._family.remove(self)

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
            taken = capture(self._machine, moment, before)
            self._checkpoints.insert(place + 1, taken)
            self.room.hold((taken,))
            self._present = taken.place
            self._thin_out()
            self._cost = perf_counter() - begun
        self._start_from()

    def rewind(self, moment: Moment) -> Moment:
        """Put the machine back to the last checkpoint at or before `moment`; returns where that is."""
        found = self._checkpoints[self._place(moment)]
        put_back(self._machine, found)
        self._present = found.place
        self._start_from()
        return found.moment

    def nearest(self, moment: Moment) -> Moment:
        """Where `rewind` would land."""
        return self._checkpoints[self._place(moment)].moment

    def forget_from(self, moment: Moment) -> None:
        """Drop the checkpoints at `moment` and later, except the first: the run takes another way from there."""
        kept = self._behind(moment)
        self.room.release(self._checkpoints[kept:])
        del self._checkpoints[kept:]
        self._furthest = moment

    def _behind(self, moment: Moment) -> int:
        """How many stand before `moment`, the first one always among them."""
        return max(1, bisect.bisect_left(self._checkpoints, moment, key=_moment_of))

    def _place(self, moment: Moment) -> int:
        """Where the last checkpoint at or before `moment` stands; -1: there is none."""
        return bisect.bisect_right(self._checkpoints, moment, key=_moment_of) - 1

    def _start_from(self) -> None:
        self._spent = 0.0
        self._mark = perf_counter()

    # Growing old

    def _thin_out(self) -> None:
        """Drop some, until they are few enough and all runs together fit into the room that there is."""
        if len(self._checkpoints) > _MOST:
            self.thin()
        most = _ROOM + self._machine.memory.size
        while self.room.taken > most:
            fullest = max(self._family, key=len)
            if len(fullest) <= _FEWEST:
                return
            fullest.thin()

    def __len__(self) -> int:
        return len(self._checkpoints)

    def thin(self) -> None:
        """Drop the one that leaves the smallest gap for its distance from the present: the further, the wider apart."""
        places = [checkpoint.place for checkpoint in self._checkpoints]
        here = self._present

        def price(index: int) -> float:
            distance = abs(here - places[index])
            return (places[index + 1] - places[index - 1]) / distance if distance else float("inf")

        self.room.release((self._checkpoints.pop(min(range(1, len(places) - 1), key=price)),))


def _moment_of(checkpoint: Checkpoint) -> Moment:
    return checkpoint.moment
