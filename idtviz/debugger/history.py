"""Checkpoints of the machine, so that the past can be reached by replay from the nearest one."""

from __future__ import annotations

import bisect
from dataclasses import dataclass

from idtviz.debugger.moment import Moment
from idtviz.machine.memory import PAGE, Memory
from idtviz.machine.pc import Machine, MachineState

_SPACING = 200_000  # cost between two checkpoints: one for an instruction, _DELIVERY_COST for a delivery step
_STEP_COST = 100
_LIMIT = 256


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The machine at `moment`; `pages` holds all of RAM, sharing the pages that have not changed with other checkpoints."""

    moment: Moment
    state: MachineState
    pages: tuple[bytes, ...]


class History:
    """The checkpoints of one run, oldest first. The first one is never dropped."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._checkpoints: list[Checkpoint] = []
        self._pages: tuple[bytes, ...] = ()
        self._next = 0

    def offer(self, moment: Moment) -> None:
        """The machine stands between two procedures at `moment`: take a checkpoint if the last one is far enough behind."""
        if moment.instruction + moment.step * _STEP_COST >= self._next:
            self.take(moment)

    @property
    def due(self) -> int:
        """The instruction count at which the next checkpoint should be taken."""
        return self._next

    def take(self, moment: Moment) -> None:
        """Take a checkpoint now, unless one stands here or later."""
        if self._checkpoints and self._checkpoints[-1].moment >= moment:
            return
        self._pages = _changed(self._machine.memory, self._pages)
        self._checkpoints.append(Checkpoint(moment, self._machine.snapshot(), self._pages))
        self._next = moment.instruction + _SPACING
        if len(self._checkpoints) > _LIMIT:
            del self._checkpoints[1 : _LIMIT // 2 : 2]

    def rewind(self, moment: Moment) -> Moment:
        """Put the machine back to the last checkpoint at or before `moment`; returns where that is."""
        place = bisect.bisect_right(self._checkpoints, moment, key=lambda checkpoint: checkpoint.moment) - 1
        found = self._checkpoints[place]
        memory = self._machine.memory
        for index, page in enumerate(found.pages):
            start = index * PAGE
            if memory.view[start : start + PAGE] != page:
                memory.view[start : start + PAGE] = page
        self._machine.restore(found.state)
        return found.moment

    def nearest(self, moment: Moment) -> Moment:
        """Where `rewind` would land."""
        place = bisect.bisect_right(self._checkpoints, moment, key=lambda checkpoint: checkpoint.moment) - 1
        return self._checkpoints[place].moment

    def forget_from(self, moment: Moment) -> None:
        """Drop the checkpoints at `moment` and later: the run takes another way from there."""
        self._checkpoints = [checkpoint for checkpoint in self._checkpoints if checkpoint.moment < moment]
        last = self._checkpoints[-1] if self._checkpoints else None
        self._pages = last.pages if last else ()
        self._next = last.moment.instruction + _SPACING if last else 0


def _changed(memory: Memory, before: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """All pages of RAM as values; a page that equals the one in `before` is that very object."""
    view = memory.view
    if not before:
        zero = bytes(PAGE)
        before = (zero,) * (memory.size // PAGE)
    return tuple(
        page if view[start : start + PAGE] == page else bytes(view[start : start + PAGE])
        for page, start in zip(before, range(0, memory.size, PAGE), strict=True)
    )
