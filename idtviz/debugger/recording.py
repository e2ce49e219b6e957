"""What is known of a run up to its frontier, the furthest moment reached: its events, inputs, and stations in time."""

from __future__ import annotations

import bisect
import copy
from dataclasses import replace
from typing import NamedTuple

from idtviz.debugger.inputs import Input, Recorded, ScriptedInput
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.observing import Observations
from idtviz.debugger.places import Place, PlaceKind
from idtviz.machine.delivery.event import Event
from idtviz.machine.events import Delivered, Happened

_DETAILED = 5000  # deliveries whose steps are kept; with them a delivery takes some 8 KB


class Note(NamedTuple):
    """What a person wrote down about a moment."""

    moment: Moment
    text: str


class Recording:
    """The one run that a session has recorded. Everything in it is ordered by time."""

    def __init__(self, script: tuple[ScriptedInput, ...], stations: tuple[Place, ...] = ()) -> None:
        """`stations`: places of which one wants to know, beside those of `script`, when they were passed."""
        self.script = script
        self.frontier = START
        self.events: list[Happened] = []
        self.deliveries: list[Delivered] = []
        """The deliveries among `events`: number n stands at n."""
        self.inputs: list[Recorded] = []
        self.recognised: list[tuple[Moment, Event]] = []
        """Each event, with the moment at which its delivery begins."""
        self.rings: list[tuple[Moment, int]] = []
        """Each change of ring: where it was first seen, and the new CPL."""
        self.notes: list[Note] = []
        """What the person wrote down, in order of their moments."""
        self.observations = Observations()
        self._hits: dict[Place, list[Moment]] = {place: [] for place in (*(item.place for item in script), *stations)}
        """When each place was passed, up to the occurrence that it names."""
        self._boundaries: dict[int, list[int]] = {}
        self._last_step: dict[int, int] = {}

    # At the frontier

    def happened(self, event: Happened) -> None:
        """`event` happened for the first time."""
        if isinstance(event, Delivered) and event.index >= _DETAILED and event.fault is None:
            event = replace(event, steps=())  # going to its moment shows them again
        self.events.append(event)
        if isinstance(event, Delivered):
            self.deliveries.append(event)

    def reach(self, at: Moment, cpl: int, *, boundary: bool) -> None:
        """The frontier moves to `at`. `boundary`: no delivery or return is under way there."""
        if not self.rings or self.rings[-1][1] != cpl:
            self.rings.append((at, cpl))
        self.frontier = at
        if at.step:
            self._last_step[at.instruction] = at.step
            if boundary:
                self._boundaries.setdefault(at.instruction, []).append(at.step)

    def recognise(self, start: Moment, event: Event) -> None:
        """The delivery of `event` begins at `start`."""
        if self.recognised and self.recognised[-1][0] >= start:
            return
        for place, hits in self._hits.items():
            if len(hits) < place.occurrence and place.counts(event, len(self.recognised)):
                hits.append(start)
        self.recognised.append((start, event))

    def pass_address(self, at: Moment, address: int) -> None:
        """The instruction at `address` is next at `at`."""
        for place, hits in self._hits.items():
            if place.kind is PlaceKind.ADDRESS and place.value == address and len(hits) < place.occurrence:
                hits.append(at)

    @property
    def awaited(self) -> frozenset[int]:
        """The linear addresses of places that have not been passed often enough yet."""
        return frozenset(
            place.value
            for place, hits in self._hits.items()
            if place.kind is PlaceKind.ADDRESS and len(hits) < place.occurrence
        )

    def passed(self, place: Place) -> Moment | None:
        """When one of the places given at the start was passed for the `occurrence`-th time."""
        hits = self._hits[place]
        return hits[place.occurrence - 1] if len(hits) >= place.occurrence else None

    def due(self, at: Moment, *, stuck: bool) -> list[tuple[int, ScriptedInput]]:
        """The scripted inputs whose place has been reached, with their place in the script.

        For a processor that nothing wakes time stands still: what was to come at a later count comes now.
        """
        given = {recorded.script for recorded in self.inputs}
        return [
            (index, scripted)
            for index, scripted in enumerate(self.script)
            if index not in given and self._is_reached(scripted.place, at, stuck)
        ]

    def _is_reached(self, place: Place, at: Moment, stuck: bool) -> bool:
        if place.kind is PlaceKind.COUNT:
            return at >= Moment(place.value, place.steps) or stuck
        hit = self.passed(place)
        return hit is not None and at >= Moment(hit.instruction, hit.step + place.steps)

    @property
    def pending(self) -> int:
        """How many scripted inputs have not been given yet."""
        return len(self.script) - len({recorded.script for recorded in self.inputs} - {None})

    def next_input(self, after: Moment) -> int | None:
        """The instruction count at which an input is next to be applied, recorded or scripted by count."""
        counts = [recorded.moment.instruction for recorded in self.inputs if recorded.moment > after]
        given = {recorded.script for recorded in self.inputs}
        counts += [
            scripted.place.value
            for index, scripted in enumerate(self.script)
            if index not in given and scripted.place.kind is PlaceKind.COUNT
        ]
        return min((count for count in counts if count > after.instruction), default=None)

    def next_station(self, after: int) -> int | None:
        """The next instruction count behind `after` that is a place of which one wants to know."""
        counts = [place.value for place in self._hits if place.kind is PlaceKind.COUNT and place.value > after]
        return min(counts, default=None)

    def has_inputs_from(self, moment: Moment) -> bool:
        """Whether an input was given behind `moment` and before the next instruction completed."""
        place = bisect.bisect_right(self.inputs, moment, key=_moment_of)
        return place < len(self.inputs) and self.inputs[place].moment.instruction == moment.instruction

    def inputs_at(self, moment: Moment) -> list[Input]:
        """The inputs applied at `moment`, in order."""
        first = bisect.bisect_left(self.inputs, moment, key=_moment_of)
        last = bisect.bisect_right(self.inputs, moment, lo=first, key=_moment_of)
        return [recorded.input for recorded in self.inputs[first:last]]

    # Looking back

    def event_at(self, moment: Moment) -> Event | None:
        """The event whose delivery begins at `moment`, where that is known."""
        place = bisect.bisect_left(self.recognised, moment, key=lambda pair: pair[0])
        if place < len(self.recognised) and self.recognised[place][0] == moment:
            return self.recognised[place][1]
        return None

    def find(self, place: Place, after: Moment | None = None) -> Moment | None:
        """Where the event that `place` names begins, counted from the start or from behind `after`."""
        matching = [
            start
            for number, (start, event) in enumerate(self.recognised)
            if place.counts(event, number) and (after is None or start > after)
        ]
        return matching[place.occurrence - 1] if len(matching) >= place.occurrence else None

    def before(self, moment: Moment, *, micro: bool) -> Moment | None:
        """The step (`micro`) or the instruction boundary before `moment`; None at the start."""
        if moment.step:
            if micro:
                return Moment(moment.instruction, moment.step - 1)
            earlier = [step for step in self._boundaries.get(moment.instruction, ()) if step < moment.step]
            return Moment(moment.instruction, earlier[-1] if earlier else 0)
        if not moment.instruction:
            return None
        previous = moment.instruction - 1
        if micro:
            return Moment(previous, self._last_step.get(previous, 0))
        return Moment(previous, (self._boundaries.get(previous) or [0])[-1])

    # What a person writes down

    def write_down(self, note: Note) -> None:
        """Keep a note; an empty text takes away what was noted at that moment."""
        self.notes = [other for other in self.notes if other.moment != note.moment]
        if note.text:
            bisect.insort(self.notes, note, key=lambda other: other.moment)

    # Another way

    def fork(self, at: Moment, events: int) -> Recording:
        """The recording of a run that is the same up to `at`, before which `events` events happened."""
        found = copy.copy(self)
        found.truncate(at, events)
        return found

    def truncate(self, at: Moment, events: int) -> None:
        """Forget what lies behind `at`, before which `events` events happened; nothing of it is shared any more."""
        self.frontier = at
        self.events = self.events[:events]
        self.observations = self.observations.fork(at, events)
        self.deliveries = [event for event in self.events if isinstance(event, Delivered)]
        self.inputs = [recorded for recorded in self.inputs if recorded.moment <= at]
        self.notes = [note for note in self.notes if note.moment <= at]
        self.recognised = self.recognised[: bisect.bisect_left(self.recognised, at, key=_start_of)]
        self.rings = self.rings[: bisect.bisect_right(self.rings, at, key=_start_of)]
        # What is recognised here will be recognised again, unless the state is changed now.
        self._hits = {
            place: [hit for hit in hits if hit < at or (hit == at and place.kind is PlaceKind.ADDRESS)]
            for place, hits in self._hits.items()
        }
        self._boundaries = {number: steps for number, steps in self._boundaries.items() if number <= at.instruction}
        self._last_step = {number: step for number, step in self._last_step.items() if number <= at.instruction}
        if at.instruction in self._last_step:
            self._last_step[at.instruction] = at.step
        if at.instruction in self._boundaries:
            self._boundaries[at.instruction] = [step for step in self._boundaries[at.instruction] if step <= at.step]


def _moment_of(recorded: Recorded) -> Moment:
    return recorded.moment


def _start_of(pair: tuple[Moment, object]) -> Moment:
    return pair[0]
