"""Port accesses of the running code: at the right tick of the clock, with the run ended where one calls for it."""

from __future__ import annotations

from collections.abc import Callable

from idtviz.machine.board import Board
from idtviz.machine.clock import Clock
from idtviz.machine.schedule import Schedule


class Ports:
    """Between the processor's I/O instructions and the board."""

    def __init__(self, board: Board, clock: Clock, schedule: Schedule, begun: Callable[[], int]) -> None:
        """`begun` tells how many instructions the present run has begun, the accessing one included."""
        self._board = board
        self._clock = clock
        self._schedule = schedule
        self._begun = begun
        self._slice_start = 0
        self._slice_end = 0
        self.accesses = 0
        """How many there were, in time or again in replay."""
        self.on_instruction: Callable[[], None] = _ignore
        """Told when an instruction of the run has completed before the access."""
        self.on_stop: Callable[[], None] = _ignore
        """Told when the run must end behind the accessing instruction."""

    def begin(self, start: int, end: int) -> None:
        """A run begins that is to go from instruction `start` to `end`."""
        self._slice_start, self._slice_end = start, end

    def read(self, port: int, size: int) -> int:
        """An IN of `size` bytes."""
        self._before()
        value = self._board.read(port, size)
        self._after()
        return value

    def write(self, port: int, size: int, value: int) -> None:
        """An OUT of `size` bytes."""
        self._before()
        self._board.write(port, size, value)
        self._after()

    def _before(self) -> None:
        """The clock shows the instruction that makes the access, in the middle of a run too."""
        completed = self._begun() - 1
        self._clock.instructions = self._slice_start + completed
        if completed:
            self.on_instruction()

    def _after(self) -> None:
        self.accesses += 1
        self._schedule.refresh()
        if self._board.pic.intr or self._schedule.due < self._slice_end:
            self.on_stop()


def _ignore() -> None:
    """Nobody listens."""
