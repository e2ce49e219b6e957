"""Which deliveries there were, and which handlers have been entered and not left."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.delivery.returns import Return


@dataclass(frozen=True, slots=True)
class Live:
    """A handler that has been entered and not left: delivery number, and what its IRET is known by.

    That is the linear address of the frame's RIP word (`slot`), or the TSS of the task that a task gate switched to.
    """

    delivery: int
    slot: int
    task: bool = False


@dataclass(frozen=True, slots=True)
class HandlersState:
    """What `Handlers` knows, at one moment."""

    deliveries: int
    live: tuple[Live, ...]
    chain: tuple[int, ...]


class Handlers:
    """Numbers the deliveries, and keeps the handlers that are still running, outermost first."""

    def __init__(self) -> None:
        self.deliveries = 0
        """How many deliveries have ended, in a handler or in a fault."""
        self.live: tuple[Live, ...] = ()
        self.chain: tuple[int, ...] = ()
        """The deliveries since the last instruction of which each failed and led to the next."""

    def delivered(self, done: Delivery) -> int:
        """A delivery has ended; returns its number."""
        index = self.deliveries
        self.deliveries += 1
        self.chain = (*self.chain, index)
        if done.after is not None:
            task = done.frame is None
            slot = done.after.tr.base if done.frame is None else done.frame.return_address
            self.live = (*self.live, Live(index, slot, task))
            self.chain = ()
        return index

    def returned(self, done: Return) -> int | None:
        """An IRET has gone through; returns the delivery that it ended, None where its frame is that of none.

        Handlers that were entered later and left some other way end with it.
        """
        assert done.after is not None
        from_task = done.after.tr is not done.before.tr
        slot = done.before.tr.base if from_task else done.base
        for place in range(len(self.live) - 1, -1, -1):
            live = self.live[place]
            if (live.slot, live.task) == (slot, from_task):
                ended = live.delivery
                self.live = self.live[:place]
                return ended
        return None

    @property
    def state(self) -> HandlersState:
        return HandlersState(self.deliveries, self.live, self.chain)

    @state.setter
    def state(self, value: HandlersState) -> None:
        self.deliveries, self.live, self.chain = value.deliveries, value.live, value.chain
