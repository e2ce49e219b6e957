"""What has happened, gathered along the axis of time: as quick to draw after a million events as after ten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from idtviz.debugger.moment import Moment
from idtviz.machine.events import Delivered, Halted, Happened, Returned, ShutDown, SwitchedOff
from idtviz.view.events import glyph

_MOST = 2048  # bins: some eight for each column of a wide screen
_RANK = {"✗": 6, "x": 5, "n": 4, "s": 3, "i": 2, "r": 1, "h": 0}
_SHOWN = Delivered | Returned | Halted | ShutDown | SwitchedOff


@dataclass(slots=True)
class Bin:
    """A stretch of the axis. Depth and ring: the highest within it, and what they are at its end."""

    start: int
    """The instruction count that it begins with."""
    sign: str = ""
    """The glyph of the most notable event."""
    at: int = 0
    """The instruction count of that event."""
    rank: int = -1
    depth: int = -1
    last_depth: int = -1
    ring: int = -1
    last_ring: int = -1


class Axis:
    """Bins that double their width when there are too many of them."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._span = 1
        self._bins: dict[int, Bin] = {}
        self._depth = 0
        self._events = self._rings = 0
        self._last: Happened | None = None
        self._last_ring: tuple[Moment, int] | None = None

    @property
    def bins(self) -> list[Bin]:
        """Those with something in them, in order."""
        return [self._bins[place] for place in sorted(self._bins)]

    def update(self, events: Sequence[Happened], rings: Sequence[tuple[Moment, int]]) -> None:
        """Take in what has come since the last time, or everything anew where the run has taken another way.

        `rings`: each change of ring, where it was first seen, and the new CPL.
        """
        if not self._goes_on(events, rings):
            self._begin()
        for place in range(self._events, len(events)):
            self._add(events[place])
        for place in range(self._rings, len(rings)):
            start, ring = rings[place]
            found = self._bin(start.instruction)
            found.ring, found.last_ring = max(found.ring, ring), ring
        self._events, self._rings = len(events), len(rings)
        self._last = events[-1] if events else None
        self._last_ring = rings[-1] if rings else None

    def _goes_on(self, events: Sequence[Happened], rings: Sequence[tuple[Moment, int]]) -> bool:
        if len(events) < self._events or len(rings) < self._rings:
            return False
        same = not self._events or events[self._events - 1] is self._last
        return same and (not self._rings or rings[self._rings - 1] == self._last_ring)

    def _add(self, event: Happened) -> None:
        if not isinstance(event, _SHOWN):
            return
        found = self._bin(event.instruction)
        sign = glyph(event)
        if _RANK[sign] > found.rank:
            found.sign, found.rank, found.at = sign, _RANK[sign], event.instruction
        entered = isinstance(event, Delivered) and event.to is not None
        if entered or isinstance(event, Returned):
            before = self._depth
            self._depth = before + 1 if entered else max(0, before - 1)
            found.depth, found.last_depth = max(found.depth, before, self._depth), self._depth

    def _bin(self, instruction: int) -> Bin:
        place = instruction // self._span
        found = self._bins.get(place)
        if found is None:
            while len(self._bins) >= _MOST:
                self._double()
            place = instruction // self._span
            found = self._bins.setdefault(place, Bin(place * self._span))
        return found

    def _double(self) -> None:
        self._span *= 2
        narrow, self._bins = self.bins, {}
        for each in narrow:
            place = each.start // self._span
            wide = self._bins.setdefault(place, Bin(place * self._span))
            if each.rank > wide.rank:
                wide.sign, wide.rank, wide.at = each.sign, each.rank, each.at
            wide.depth, wide.ring = max(wide.depth, each.depth), max(wide.ring, each.ring)
            wide.last_depth = each.last_depth if each.last_depth >= 0 else wide.last_depth
            wide.last_ring = each.last_ring if each.last_ring >= 0 else wide.last_ring
