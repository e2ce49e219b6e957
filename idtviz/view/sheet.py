"""A sheet whose rows lead somewhere: to a moment, on this branch or on another."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.debugger.moment import Moment
from idtviz.view.row import Panel


@dataclass(frozen=True, slots=True)
class Goal:
    """Where a row of a sheet leads. `moment`: None is the present one, or the end of a branch that is shorter."""

    branch: int
    moment: Moment | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A panel, and where its rows lead: a row's `key` is a place among `goals`."""

    panel: Panel
    goals: tuple[Goal, ...] = ()
