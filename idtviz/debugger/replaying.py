"""Going back in time: a checkpoint, and from there the recorded run again."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from idtviz.debugger.arriving import Arriver
from idtviz.debugger.breakpoints import (
    Breakpoint,
    DeliveryBreakpoint,
    FailedDeliveryBreakpoint,
    ShutdownBreakpoint,
)
from idtviz.debugger.looking_back import Sight, last_met
from idtviz.debugger.lookout import Lookout, Met
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.stops import Abandoned
from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.events import ShutDown

SLICE = 250_000
"""Instructions between two looks at whether someone wants to pause."""

_RECORDED = DeliveryBreakpoint | FailedDeliveryBreakpoint | ShutdownBreakpoint
"""Breakpoints whose hits the recording knows."""


class Replayer(Arriver):
    """A machine that can go back to any moment of its recorded run."""

    def _heed_pause(self) -> None:
        """Raises Abandoned where someone wants to pause."""
        if self._pause.is_set():
            raise Abandoned

    def _replay_to(self, target: Moment, *, pausable: bool = False) -> None:
        """Be at `target`, which is not beyond the frontier. `pausable`: or raise Abandoned on the way there."""
        machine, recording = self.machine, self._recording
        if self._ahead or self.moment >= target or self._history.nearest(target) > self.moment:
            self._rewind(target)
        while (at := self.moment) < target and not machine.stuck:
            if pausable:
                self._heed_pause()
            if machine.activity is None and not machine.halted and at.instruction < target.instruction:
                following = recording.next_input(at)
                end = min(target.instruction, self._history.due(at))
                machine.run(end if following is None else min(following, end))
                if (now := self.moment) != at:
                    self._reapply(now)
                    self._offer(now)
            else:
                within = at.instruction == target.instruction or recording.has_inputs_from(at)
                if within or machine.activity is None:
                    machine.micro_step()
                else:
                    machine.complete()
                self._reapply(self.moment)

    def _unbegin(self) -> None:
        """A delivery stands in front of its first step: be at the boundary itself, with nothing recognised yet."""
        if self._ahead:
            activity = self.machine.activity
            if isinstance(activity, Delivery):
                self._recording.recognise(self.moment, activity.event)
            self._replay_to(self.moment)

    # Breakpoints that were passed

    def _last_hit(self) -> Moment:
        """The last moment before this one at which a breakpoint stood; else the start."""
        now, breakpoints = self.moment, self.breakpoints.enabled
        latest = self._last_recorded(now, [item for item in breakpoints if isinstance(item, _RECORDED)])
        others = [item for item in breakpoints if not isinstance(item, _RECORDED)]
        met = self._last_met(others, latest, now) if others else None
        return latest if met is None else met.moment

    def _last_recorded(self, now: Moment, breakpoints: list[_RECORDED]) -> Moment:
        """The last hit before `now` of those that the recording knows; else the start."""
        recording = self._recording
        found = START
        if any(isinstance(item, FailedDeliveryBreakpoint) for item in breakpoints):
            ends = (
                Moment(done.instruction, done.step + len(done.steps)) for done in recording.deliveries if done.fault
            )
            found = max((end for end in ends if end < now), default=START)
        if any(isinstance(item, ShutdownBreakpoint) for item in breakpoints):
            last = (
                recording.recognised[event.cause[-1]][0] for event in recording.events if isinstance(event, ShutDown)
            )
            found = max((start for start in last if start < now), default=START)
        deliveries = [item for item in breakpoints if isinstance(item, DeliveryBreakpoint)]
        for start, event in reversed(recording.recognised):
            if start <= found:
                break
            candidates = [item for item in deliveries if start < now and item.names(event)]
            if not candidates:
                continue
            if any(item.condition.terms for item in candidates):
                self._replay_to(start, pausable=True)
            if any(item.matches(event, self.machine.cpu.registers()) for item in candidates):
                return start
        return found

    def _last_met(
        self, breakpoints: Iterable[Breakpoint], floor: Moment, now: Moment, *, including: bool = False
    ) -> Met | None:
        """The last time that one was met behind `floor` and before `now`; the machine is left anywhere.

        Raises Abandoned where someone wants to pause.
        `including`: at `now` as well, by what led there; not what begins there.
        """
        items = tuple(breakpoints)

        def counts(met: Met) -> bool:
            return floor < met.moment and (met.moment < now or (including and met.moment == now))

        try:
            return last_met(floor, now, lambda lower, upper, most: self._look(items, counts, lower, upper, most))
        finally:
            self._watch_nothing()

    def _watch_nothing(self) -> None:
        """Let the machine move at full speed, until someone looks out again."""
        Lookout(self.machine, self.symbols, ())

    def _look(
        self,
        breakpoints: tuple[Breakpoint, ...],
        counts: Callable[[Met], bool],
        lower: Moment,
        upper: Moment,
        most: int | None,
    ) -> Sight:
        """Look at what happens from `lower` to `upper`, or until what `counts` has been met `most` times."""
        machine = self.machine
        self._watch_nothing()
        self._replay_to(lower, pausable=True)
        lookout = Lookout(machine, self.symbols, breakpoints)
        last, times = None, 0
        while (at := self.moment) < upper and not machine.stuck and times != most:
            self._heed_pause()
            if machine.activity is None and not machine.halted and at.instruction < upper.instruction:
                following = self._recording.next_input(at)
                end = min(upper.instruction, at.instruction + SLICE)
                lookout.run(end if following is None else min(following, end))
            else:
                lookout.micro_step()
            found = [met for met in lookout.met() if counts(met)]
            if found:
                last, times = found[-1], times + 1
            if self.moment != at:
                self._reapply(self.moment)
        self._ahead = machine.activity is not None and not machine.activity.steps
        # Nothing happens any more where the processor is stuck, unless an input wakes it.
        return Sight(last, upper if machine.stuck else self.moment)
