"""What has happened, gathered along the axis of time: as quick to draw after a million events as after ten."""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from idtviz.debugger.moment import Moment
from idtviz.machine.events import Delivered, Halted, Happened, LineChanged, Noted, Returned, ShutDown, SwitchedOff
from idtviz.view.events import glyph
from idtviz.view.window import Window

SIGNS = ("h", "r", "↑", "i", "!", "s", "n", "x", "o", "✗")
"""The signs of events on the axis; where several fall into one column the last of them in this list is shown."""
_RANK = {sign: rank for rank, sign in enumerate(SIGNS, 1)}
_BLOCK = 256
_MOST = 255  # what a byte holds


class Track:
    """A quantity along time: what it changed to, and when. Its highest value in any stretch is found quickly.

    Times are half instruction counts: 2n is in front of all that happens when n instructions have completed, 2n + 1 is
    behind it.
    """

    def __init__(self) -> None:
        self._times = array("q")
        self._values = bytearray()
        self._blocks = bytearray()
        """The highest of each 256 values."""

    def __len__(self) -> int:
        return len(self._values)

    def add(self, time: int, value: int) -> None:
        """The quantity is `value` (255 if it is more) from `time` on, which is not before the last one."""
        value = min(value, _MOST)
        if len(self._values) % _BLOCK:
            self._blocks[-1] = max(self._blocks[-1], value)
        else:
            self._blocks.append(value)
        self._times.append(time)
        self._values.append(value)

    def between(self, start: int, end: int) -> tuple[int, int]:
        """The first and the last but one of the changes from time `start` up to `end`, without those at `end`."""
        low = bisect.bisect_left(self._times, start)
        return low, bisect.bisect_left(self._times, end, low)

    def highest(self, low: int, high: int) -> int:
        """The highest of the values from number `low` up to, not including, number `high`; 0 if there is none."""
        values = self._values
        if high - low <= 2 * _BLOCK:
            return max(values[low:high], default=0)
        first, last = -(-low // _BLOCK), high // _BLOCK
        return max(
            max(values[low : first * _BLOCK], default=0),
            max(self._blocks[first:last], default=0),
            max(values[last * _BLOCK : high], default=0),
        )

    def where(self, value: int, low: int, high: int) -> int:
        """The number of the first change to `value` among those from `low` to `high`."""
        return self._values.index(value, low, high)

    def held(self, start: int, end: int) -> int:
        """The highest value at any time from `start` up to `end`; before the first change it is 0."""
        low = bisect.bisect_right(self._times, start)
        return self.highest(max(0, low - 1), bisect.bisect_left(self._times, end, low))


@dataclass(frozen=True, slots=True)
class Column:
    """What a column of the axis shows."""

    sign: str
    """That of the most notable event; empty if there is none."""
    depth: int
    """The most handlers that were running at once."""
    ring: int
    """The outermost ring."""


class Axis:
    """The signs, the nesting of handlers and the rings of one run, as far as it is known."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._marks, self._depths, self._rings = Track(), Track(), Track()
        self._shown = array("q")
        """The place in `events` of each mark."""
        self._steps = array("q")
        """The step at which each mark happened."""
        self._depth = 0
        self._events = 0
        self._last: Happened | None = None
        self._last_ring: tuple[Moment, int] | None = None
        self._drawn: tuple[Window, int, list[Column]] | None = None
        """The columns that were asked for last."""

    def update(self, events: Sequence[Happened], rings: Sequence[tuple[Moment, int]]) -> None:
        """Take in what has come since the last time, or everything anew where the run has taken another way.

        `rings`: each change of ring, where it was first seen, and the new CPL.
        """
        if not self._goes_on(events, rings):
            self._begin()
        if len(events) > self._events or len(rings) > len(self._rings):
            self._drawn = None
        for place in range(self._events, len(events)):
            self._add(events[place], place)
        for start, ring in rings[len(self._rings) :]:
            self._rings.add(2 * start.instruction + bool(start.step), ring)
        self._events = len(events)
        self._last = events[-1] if events else None
        self._last_ring = rings[-1] if rings else None

    def _goes_on(self, events: Sequence[Happened], rings: Sequence[tuple[Moment, int]]) -> bool:
        known = len(self._rings)
        if len(events) < self._events or len(rings) < known:
            return False
        same = not self._events or events[self._events - 1] is self._last
        return same and (not known or rings[known - 1] == self._last_ring)

    def _add(self, event: Happened, place: int) -> None:
        if not _is_shown(event):
            return
        time = 2 * event.instruction + 1
        self._marks.add(time, _RANK[glyph(event)])
        self._shown.append(place)
        self._steps.append(event.step)
        entered = isinstance(event, Delivered) and event.to is not None
        if entered or isinstance(event, Returned):
            self._depth = self._depth + 1 if entered else max(0, self._depth - 1)
            self._depths.add(time, self._depth)

    def columns(self, window: Window, width: int) -> list[Column]:
        """What each of `width` columns shows. Where a count has several, its events stand side by side."""
        if self._drawn is None or self._drawn[:2] != (window, width):
            self._drawn = window, width, self._laid_out(window, width)
        return self._drawn[2]

    def _laid_out(self, window: Window, width: int) -> list[Column]:
        found: list[Column] = []
        before = None
        for column in range(width):
            start = window.start(column, width)
            if start == before:
                depth, ring = found[-1].depth, found[-1].ring
            else:
                end = max(start + 1, window.start(column + 1, width))
                depth, ring = self._depths.held(2 * start, 2 * end), self._rings.held(2 * start, 2 * end)
            rank = self._marks.highest(*self._marked(window, column, width))
            found.append(Column(SIGNS[rank - 1] if rank else "", depth, ring))
            before = start
        return found

    def _marked(self, window: Window, column: int, width: int) -> tuple[int, int]:
        """The numbers, from and up to, of the marks that belong to a column."""
        start = window.start(column, width)
        low, high = self._marks.between(2 * start, 2 * max(start + 1, window.start(column + 1, width)))
        if window.span >= width:
            return low, high
        high = self._marks.between(2 * start, 2 * (start + 1))[1]
        first, following = window.column(start, width), window.column(start + 1, width)
        low = min(high, low + column - first)
        return low, high if column + 1 == following else min(high, low + 1)

    def notable(self, window: Window, column: int, width: int) -> int | None:
        """The place in `events` of the one whose sign a column shows; None if it shows none."""
        low, high = self._marked(window, column, width)
        rank = self._marks.highest(low, high)
        return self._shown[self._marks.where(rank, low, high)] if rank else None

    def column(self, moment: Moment, window: Window, width: int) -> int:
        """The column of a moment: that of the last event of its instruction up to there."""
        first = window.column(moment.instruction, width)
        if window.span >= width:
            return first
        low, high = self._marks.between(2 * moment.instruction, 2 * moment.instruction + 2)
        passed = bisect.bisect_right(self._steps, moment.step, low, high) - low
        following = window.column(moment.instruction + 1, width)
        return min(first + max(0, passed - 1), following - 1)

    @property
    def outermost(self) -> int:
        """The outermost ring that was ever seen."""
        return self._rings.highest(0, len(self._rings))


def _is_shown(event: Happened) -> bool:
    if isinstance(event, LineChanged):
        return event.level
    return isinstance(event, Delivered | Returned | Noted | Halted | ShutDown | SwitchedOff)
