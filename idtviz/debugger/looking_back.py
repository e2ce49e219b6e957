"""The last time that something was met, found without looking at all the times before.

A run can be looked at forwards only. So it is looked at in stretches that lie ever further back, and are ever longer.
Where something is met all the time, a look gives up soon, and only the later half of what is left is of interest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from idtviz.debugger.lookout import Met
from idtviz.debugger.moment import Moment

_FIRST = 1_000  # instructions of the stretch that is looked at first
_GROWTH = 8
_LONGEST = 4_000_000  # instructions: some tenth of a second
_SHORT = 200  # instructions, of which each may meet something
_ENOUGH = 100  # times that something was met, after which a look gives up


class Sight(NamedTuple):
    """What a look saw last, and how far it went."""

    last: Met | None
    reached: Moment


Look = Callable[[Moment, Moment, int | None], Sight]
"""Look at all that the machine does from one moment to another, or until something has been met so many times."""


def last_met(floor: Moment, now: Moment, look: Look) -> Met | None:
    """What was met last between `floor` and `now`."""
    upper, length = now, _FIRST
    while upper > floor:
        lower = max(floor, Moment(max(0, upper.instruction - length)))
        found = _last_between(lower, upper, look)
        if found is not None:
            return found
        upper, length = lower, min(length * _GROWTH, _LONGEST)
    return None


def _last_between(lower: Moment, upper: Moment, look: Look) -> Met | None:
    known = None
    while lower < upper:
        short = upper.instruction - lower.instruction <= _SHORT
        sight = look(lower, upper, None if short else _ENOUGH)
        known = sight.last or known
        if sight.reached >= upper:
            return known
        lower = sight.reached
        if upper.instruction - lower.instruction > _SHORT:
            middle = Moment((lower.instruction + upper.instruction) // 2)
            later = _last_between(middle, upper, look)
            if later is not None:
                return later
            upper = middle
    return known
