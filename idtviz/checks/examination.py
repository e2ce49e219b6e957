"""Telling the rules what was observed, in the order of time, and gathering what they find."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from idtviz.checks.finding import Finding
from idtviz.checks.rule import Rule
from idtviz.checks.rules import RULES
from idtviz.checks.scene import Passage, Scene
from idtviz.debugger.moment import Moment
from idtviz.debugger.observing import Instant, Observations
from idtviz.debugger.symbols import Symbols
from idtviz.machine.events import Delivered, Happened, Returned

_MOST = 200
"""Findings of one run that are kept: who has so many reads the first ones."""


class Examination:
    """The rules over one run; `go_on` takes in what has been observed since it was asked last."""

    def __init__(
        self,
        observations: Observations,
        symbols: Symbols,
        more: Sequence[Rule] = (),
        missing: frozenset[int] = frozenset(),
    ) -> None:
        """`more`: rules beside those that there are for everyone. `missing`: as in `Scene`."""
        self.observations = observations
        self.findings: list[Finding] = []
        rules = [*(kind() for kind in RULES), *more]

        def who(told: str) -> list[Rule]:
            return [rule for rule in rules if getattr(type(rule), told) is not getattr(Rule, told)]

        self._told_of_instants, self._told_of_tables = who("instant"), who("tables")
        self._told_of_events, self._told_of_failures = who("happened"), who("failed")
        self._told_of_entries, self._told_of_exits = who("entered"), who("left")
        self._scene = Scene(symbols, missing=missing)
        self._told: set[tuple[str, int | None]] = set()
        self._events = self._instants = 0

    def go_on(self) -> Sequence[Finding]:
        """What is found in what has been observed by now; the same bug in the same place is told once."""
        before = len(self.findings)
        observed = self.observations
        while self._events < len(observed.situations):
            event = observed.events[self._events]
            self._look_closely(Moment(event.instruction, event.step))
            self._happened(event)
            self._events += 1
        self._look_closely(None)
        return self.findings[before:]

    def _look_closely(self, until: Moment | None) -> None:
        """The instructions up to `until`, at which something begins."""
        instants = self.observations.instants
        while self._instants < len(instants) and (until is None or instants[self._instants].moment <= until):
            self._instant(instants[self._instants])
            self._instants += 1

    def _instant(self, instant: Instant) -> None:
        scene = self._scene
        scene.moment = instant.moment
        if scene.passages:
            scene.passages[-1].add(instant)
        for rule in self._told_of_instants:
            self._gather(rule.instant(scene, instant))

    def _happened(self, event: Happened) -> None:
        scene, situation = self._scene, self.observations.situations[self._events]
        scene.moment = Moment(event.instruction, event.step)
        before, scene.situation = scene.situation, situation
        scene.events.append(event)
        if isinstance(event, Delivered):
            scene.deliveries.append(event)
        if before is None or before.tables is not situation.tables:
            for rule in self._told_of_tables:
                self._gather(rule.tables(scene, situation.tables))
        for rule in self._told_of_events:
            self._gather(rule.happened(scene, event))
        if isinstance(event, Delivered):
            self._delivered(event)
        elif isinstance(event, Returned):
            self._returned(event)

    def _delivered(self, event: Delivered) -> None:
        scene = self._scene
        if event.fault is not None:
            for rule in self._told_of_failures:
                self._gather(rule.failed(scene, event))
            return
        passage = Passage(event, scene.now)
        if scene.passages:
            scene.passages[-1].nested.append(passage)
        scene.passages.append(passage)
        for rule in self._told_of_entries:
            self._gather(rule.entered(scene, event))

    def _returned(self, event: Returned) -> None:
        scene = self._scene
        place = next(
            (at for at, passage in enumerate(scene.passages) if passage.delivered.index == event.delivery), None
        )
        if place is None:
            return
        passage = scene.passages[place]
        passage.returned, passage.exit = event, scene.now
        del scene.passages[place:]
        for rule in self._told_of_exits:
            self._gather(rule.left(scene, passage))

    def _gather(self, findings: Iterator[Finding]) -> None:
        for finding in findings:
            key = finding.rule, finding.address
            if key not in self._told and len(self.findings) < _MOST:
                self._told.add(key)
                self.findings.append(finding)
