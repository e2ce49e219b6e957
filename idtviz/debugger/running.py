"""Going on in time at speed: to a goal, to a breakpoint, to a pause or to the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from idtviz.debugger.breakpoints import Breakpoint
from idtviz.debugger.code import call_return_address
from idtviz.debugger.lookout import Lookout
from idtviz.debugger.moment import Moment
from idtviz.debugger.replaying import SLICE, Replayer
from idtviz.debugger.stops import Interrupted, Reason, Stop, end_of


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come; safe to read from another thread."""

    moment: Moment
    ticks: int


class Runner(Replayer):
    """A machine that runs on, and ends with `Interrupted` where it does not get to its goal."""

    def _one_boundary(self) -> None:
        machine, processor = self.machine, self._processor
        self._one()
        while processor.activity is not None or (processor.halted and not machine.stuck):
            self._guard_endless()
            machine.micro_step()
            self._arrive()

    def _over(self) -> None:
        machine = self.machine
        depth = len(machine.live)
        registers = machine.cpu.registers()
        resume = call_return_address(machine, registers) if machine.activity is None else None
        self._one_boundary()
        if len(machine.live) > depth:
            self._run(lambda: len(machine.live) <= depth)
        elif resume is not None and machine.cpu.linear_rip != resume:
            floor = registers.rsp

            def returned() -> bool:
                return (
                    machine.activity is None
                    and machine.cpu.linear_rip == resume
                    and machine.cpu.registers().rsp >= floor
                )

            self._run(returned, exits={resume})

    def _run(
        self,
        done: Callable[[], bool],
        *,
        exits: frozenset[int] | set[int] = frozenset(),
        bound: int | None = None,
        limit: int | None = None,
        also: Iterable[Breakpoint] = (),
    ) -> None:
        """Run at speed until `done()`, asked wherever the machine halts: at `exits`, at `bound` instructions, between
        slices, around deliveries and returns. Raises Interrupted for a breakpoint, a pause, an end.

        `also`: breakpoints for this run alone.
        """
        machine, start = self.machine, self.moment
        lookout = Lookout(machine, self.symbols, (*self.breakpoints.enabled, *also), exits | self._watched)
        while True:
            self._guard_endless()
            if not machine.stuck:
                self._advance(lookout, bound, limit)
            if self._is_at_barrier():
                raise Interrupted(Stop(Reason.BARRIER))
            if done():
                return
            self._stop_at_breakpoint(lookout, start)
            if machine.stuck:
                raise Interrupted(end_of(machine))
            if self._pause.is_set():
                raise Interrupted(Stop(Reason.PAUSED, "paused"))
            if limit is not None and machine.clock.now >= limit:
                raise Interrupted(Stop(Reason.LIMIT, f"{machine.clock.now} ticks of virtual time have passed"))

    def _is_at_barrier(self) -> bool:
        """Whether the machine is to go no further; if it has gone further, it is back at the barrier then."""
        barrier = self.barrier()
        if barrier is None or self.moment < barrier:
            return False
        if self.moment > barrier:
            self._replay_to(barrier)
        return True

    def _advance(self, lookout: Lookout, bound: int | None, limit: int | None) -> None:
        """On by a slice, or by what is under way: all of it, or one step where something may come in between."""
        machine = self.machine
        if machine.activity is None and not machine.halted:
            self._slice(lookout, bound, limit)
        elif machine.activity is None or lookout.wants_steps or self._is_awaited(self.moment):
            self._ahead = False
            lookout.micro_step()
            self._arrive()
        else:
            self._complete(lookout.complete)

    def _is_awaited(self, moment: Moment) -> bool:
        """Whether an input may come between the steps behind `moment`."""
        return bool(self._recording.pending) or self._recording.has_inputs_from(moment)

    def _stop_at_breakpoint(self, lookout: Lookout, start: Moment) -> None:
        """Where the last move has met a breakpoint be there, and end the run that began at `start`."""
        found = [met for met in lookout.met() if met.moment > start]
        if not found:
            return
        moment = found[0].moment
        here = [met for met in found if met.moment == moment]
        for met in here:
            self.breakpoints.count(met.breakpoint)
        if moment < self.moment:
            self._replay_to(moment)
        raise Interrupted(Stop(Reason.BREAKPOINT, " · ".join(dict.fromkeys(met.text for met in here))))

    def _slice(self, lookout: Lookout, bound: int | None, limit: int | None) -> None:
        """Run at speed for a while; the machine is at rest."""
        machine = self.machine
        at = self.moment
        here = at.instruction
        ends = [here + SLICE, self._history.due(at), self._recording.next_input(at), bound]
        ends.append(self._recording.next_station(here))
        ends.append(limit - machine.clock.idle if limit is not None else None)
        if at < self.frontier:
            ends.append(self.frontier.instruction)
        else:
            observations = self._recording.observations
            ends.append(here + 1 if observations.looking else observations.due)
        lookout.run(max(here + 1, min((end for end in ends if end is not None and end > here), default=here + 1)))
        activity, machine.activity = machine.activity, None
        self._ahead = activity is not None
        if self.moment != at:
            self._arrive()
            if self._ahead and self._recording.inputs_at(self.moment):
                # An input came at the very boundary at which something else was about to begin: look again.
                self._replay_to(self.moment)
                return
        machine.activity = activity
