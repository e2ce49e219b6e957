"""Every way of getting from one moment to another: by running, and by replay behind the frontier."""

from __future__ import annotations

from idtviz.debugger.moment import START, Moment
from idtviz.debugger.places import Place, PlaceKind
from idtviz.debugger.running import Runner
from idtviz.machine.delivery.delivery import Delivery

SEARCH_LIMIT = 100_000_000
"""Ticks of virtual time for which a place is looked for."""


class Traveller(Runner):
    """A machine that goes to any place in its run.

    A move ends at its goal, or with `Interrupted`. Faces do not see this class: they use the session's commands.
    """

    def _run_to(self, target: Moment, limit: int | None) -> None:
        if self.moment >= target:
            return
        if target.instruction > self.machine.instructions:
            self._run(lambda: self.moment >= Moment(target.instruction), bound=target.instruction, limit=limit)
        self._unbegin()
        while self.moment < target and self.machine.instructions == target.instruction and not self.machine.stuck:
            self._one()

    def _run_to_place(self, place: Place, after: Moment | None) -> None:
        if place.kind is PlaceKind.COUNT:
            self._run_to(Moment(place.value, place.steps), None)
            return
        limit = self.machine.clock.now + SEARCH_LIMIT
        if place.kind is PlaceKind.END:
            self._run(lambda: self.idle, limit=limit)
            return
        if place.kind is PlaceKind.ADDRESS:
            machine, arrivals = self.machine, {self.moment}

            def arrived() -> bool:
                if machine.activity is None and not machine.halted and machine.cpu.linear_rip == place.value:
                    arrivals.add(self.moment)
                return len(arrivals) > place.occurrence

            self._run(arrived, exits={place.value}, limit=limit)
        else:

            def recognised() -> bool:
                activity = self.machine.activity
                if isinstance(activity, Delivery) and not activity.steps:
                    self._recording.recognise(self.moment, activity.event)
                return self._recording.find(place, after) is not None

            if not recognised():
                self._run(recognised, limit=limit)
            found = self._recording.find(place, after)
            assert found is not None
            self._replay_to(found)
        for _ in range(place.steps):
            self._one()

    def _seek_place(self, place: Place) -> None:
        if place.kind is PlaceKind.COUNT:
            target = Moment(place.value, place.steps)
            if target <= self.frontier:
                self._replay_to(target, pausable=True)
            else:
                self._run_to(target, None)
            return
        if place.kind is PlaceKind.ADDRESS:
            self._replay_to(START)
            if self.machine.cpu.linear_rip == place.value and place.occurrence == 1:
                return
        elif self._recording.find(place) is None:
            self._replay_to(self.frontier, pausable=True)
        self._run_to_place(place, None)
