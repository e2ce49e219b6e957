"""Which deliveries there were, and which handlers have been entered and not left."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.machine.delivery.iret import LongReturn
from idtviz.machine.delivery.long import LongDelivery


@dataclass(frozen=True, slots=True)
class Live:
    """A handler that has been entered and not left: delivery number, and the address of the frame's RIP slot."""

    delivery: int
    rip_slot: int


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

    def delivered(self, done: LongDelivery) -> int:
        """A delivery has ended; returns its number."""
        index = self.deliveries
        self.deliveries += 1
        self.chain = (*self.chain, index)
        if done.after is not None:
            assert done.frame is not None
            slot = done.frame.address + (8 if done.event.error_code is not None else 0)
            self.live = (*self.live, Live(index, slot))
            self.chain = ()
        return index

    def returned(self, done: LongReturn) -> int | None:
        """An IRET has gone through; returns the delivery that it ended, None where its frame is that of none.

        Handlers that were entered later and left some other way end with it.
        """
        for place in range(len(self.live) - 1, -1, -1):
            if self.live[place].rip_slot == done.base:
                ended = self.live[place].delivery
                self.live = self.live[:place]
                return ended
        return None

    @property
    def state(self) -> HandlersState:
        return HandlersState(self.deliveries, self.live, self.chain)

    @state.setter
    def state(self, value: HandlersState) -> None:
        self.deliveries, self.live, self.chain = value.deliveries, value.live, value.chain
