"""When the chips next want attention, and how long a HLT waits for them."""

from __future__ import annotations

from collections.abc import Callable

from idtviz.machine.board import NEVER, Board
from idtviz.machine.clock import Clock
from idtviz.machine.delivery import rules
from idtviz.machine.delivery.procedure import Step

_WAIT_EVENTS = 20_000  # chip events without an interrupt after which a HLT counts as waiting for ever


class Schedule:
    """The chips' deadlines against the one clock."""

    def __init__(self, clock: Clock, board: Board) -> None:
        self._clock = clock
        self._board = board
        self.due = NEVER
        """The instruction count at which the first chip wants attention."""
        self.vain: tuple[int, int] | None = None
        """Tick and deadline at which a wait gave up, having seen the chips go round without ever interrupting."""
        self.refresh()

    def refresh(self) -> None:
        """A chip was touched: ask again when the next one wants attention."""
        self.due = self._board.deadline() - self._clock.idle

    def service(self) -> None:
        """Let the chips whose deadline has come catch up."""
        if self._clock.instructions >= self.due:
            self._board.advance(self._clock.now)
            self.refresh()

    @property
    def may_interrupt(self) -> bool:
        """Whether a chip has something to come that could raise an interrupt."""
        return self.due < NEVER // 2 and self.vain != (self._clock.now, self.due)

    def wait(self, woken: Callable[[], bool]) -> None:
        """Pass virtual time until `woken`; give up where the chips go round without an interrupt."""
        for _ in range(_WAIT_EVENTS):
            if woken() or self.due >= NEVER // 2:
                return
            self._clock.idle += max(0, self.due - self._clock.instructions)
            self._board.advance(self._clock.now)
            self.refresh()
        self.vain = (self._clock.now, self.due)


class Wait:
    """HLT, from the instruction to the event that ends it: one step."""

    def __init__(self, clock: Clock, schedule: Schedule, woken: Callable[[], bool]) -> None:
        self._clock = clock
        self._schedule = schedule
        self._woken = woken
        self.steps: list[Step] = []
        self.done = False

    def advance(self) -> Step:
        """Let virtual time pass until the processor can be woken."""
        before = self._clock.now
        self._schedule.wait(self._woken)
        self.done = True
        step = Step(rules.HALT_WAIT, "HLT waits for an interrupt", f"{self._clock.now - before} ticks")
        self.steps.append(step)
        return step
