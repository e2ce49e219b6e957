"""Going back in time: a checkpoint, and from there the recorded run again."""

from __future__ import annotations

from collections.abc import Iterable

from idtviz.debugger.arriving import Arriver
from idtviz.debugger.breakpoints import (
    Breakpoint,
    DeliveryBreakpoint,
    FailedDeliveryBreakpoint,
    ShutdownBreakpoint,
)
from idtviz.debugger.lookout import Lookout
from idtviz.debugger.moment import START, Moment
from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.events import ShutDown

_RECORDED = DeliveryBreakpoint | FailedDeliveryBreakpoint | ShutdownBreakpoint
"""Breakpoints whose hits the recording knows."""


class Replayer(Arriver):
    """A machine that can go back to any moment of its recorded run."""

    def _replay_to(self, target: Moment) -> None:
        """Be at `target`, which is not beyond the frontier."""
        machine, recording = self.machine, self._recording
        if self._ahead or self.moment >= target or self._history.nearest(target) > self.moment:
            self._history.rewind(target)
            self._ahead = False
        while (at := self.moment) < target and not machine.stuck:
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
        upper = now
        while others and upper > latest:
            lower = self._history.nearest(_before(upper))
            found = self._last_met(others, lower, upper, now)
            if found is not None:
                return max(found, latest)
            upper = lower
        return latest

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
                self._replay_to(start)
            if any(item.matches(event, self.machine.cpu.registers()) for item in candidates):
                return start
        return found

    def _last_met(self, breakpoints: Iterable[Breakpoint], lower: Moment, upper: Moment, now: Moment) -> Moment | None:
        """Replay from `lower`, where a checkpoint stands, to `upper`: the last moment before `now` that was a hit."""
        machine = self.machine
        self._history.rewind(lower)
        self._ahead = False
        lookout = Lookout(machine, self.symbols, breakpoints)
        last = None
        while True:
            last = max((met.moment for met in lookout.met() if met.moment < now), default=last)
            at = self.moment
            if at >= upper or machine.stuck:
                return last
            if machine.activity is None and not machine.halted and at.instruction < upper.instruction:
                following = self._recording.next_input(at)
                lookout.run(upper.instruction if following is None else min(following, upper.instruction))
            else:
                lookout.micro_step()
            if self.moment != at:
                self._reapply(self.moment)


def _before(moment: Moment) -> Moment:
    """A moment in front of `moment` behind which no checkpoint stands in between."""
    if moment.step:
        return Moment(moment.instruction, moment.step - 1)
    return Moment(max(0, moment.instruction - 1), 1 << 30)
