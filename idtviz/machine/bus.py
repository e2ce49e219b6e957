"""What the running code reaches outside of RAM: I/O ports and memory-mapped registers.

Each access is made at the right tick of the clock, and the run is ended behind it where it calls for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from idtviz.machine.board import Board
from idtviz.machine.clock import Clock
from idtviz.machine.schedule import Schedule


class OnAccess(Protocol):
    """Who watches ports."""

    def __call__(self, port: int, size: int, value: int, *, written: bool) -> None: ...


class Bus:
    """Between the processor's accesses and the board."""

    def __init__(self, board: Board, clock: Clock, schedule: Schedule, begun: Callable[[], int]) -> None:
        """`begun` tells how many instructions the present run has begun, the accessing one included."""
        self._board = board
        self._clock = clock
        self._schedule = schedule
        self._begun = begun
        self._slice_start = 0
        self._slice_end = 0
        self.requested = False
        """The level of INTR when the run began."""
        self.attention = False
        """Set where an access has done something that the processor must look at before it goes on."""
        self.on_access: OnAccess | None = None
        """Told of each access to a port, if anyone watches."""
        self.on_stored: Callable[[int], None] = _ignore_store
        """Told behind each store to a chip how many instructions had completed before it."""
        self.on_instruction: Callable[[], None] = _ignore
        """Told when an instruction of the run has completed before the access."""
        self.on_stop: Callable[[], None] = _ignore
        """Told when the run must end behind the instruction that accesses a port."""
        self.on_stop_in_memory: Callable[[], None] = _ignore
        """The same, for one that accesses memory."""

    def begin(self, start: int, end: int) -> None:
        """A run begins that is to go from instruction `start` to `end`."""
        self._slice_start, self._slice_end = start, end
        self.requested = self._board.intr
        self.attention = False

    @property
    def now(self) -> int:
        """During an access: how many instructions have completed before the one that makes it."""
        return self._slice_start + self._begun() - 1

    def read_port(self, port: int, size: int) -> int:
        """An IN of `size` bytes."""
        self._before()
        value = self._board.read(port, size)
        if self.on_access is not None:
            self.on_access(port, size, value, written=False)
        self._after(self.on_stop)
        return value

    def write_port(self, port: int, size: int, value: int) -> None:
        """An OUT of `size` bytes."""
        self._before()
        self._board.write(port, size, value)
        if self.on_access is not None:
            self.on_access(port, size, value, written=True)
        self._after(self.on_stop)

    def read_memory(self, address: int, size: int) -> int:
        """A load of `size` bytes from a physical address outside of RAM."""
        self._before()
        value = self._board.read_memory(address, size)
        self._after(self.on_stop_in_memory)
        return value

    def write_memory(self, address: int, size: int, value: int) -> None:
        """A store of `size` bytes to a physical address outside of RAM."""
        self._before()
        self._board.write_memory(address, size, value)
        self.on_stored(self._clock.instructions)
        self._after(self.on_stop_in_memory)

    def _before(self) -> None:
        """The clock shows the instruction that makes the access, in the middle of a run too."""
        self._clock.instructions = now = self.now
        if now > self._slice_start:
            self.on_instruction()

    def _after(self, stop: Callable[[], None]) -> None:
        self._schedule.refresh()
        # A request that was there when the run began is held off, and seen where that ends.
        if self.attention or self._board.intr != self.requested or self._schedule.due < self._slice_end:
            self.attention = False
            stop()


def _ignore() -> None:
    """Nobody listens."""


def _ignore_store(_instruction: int) -> None:
    """Nobody watches what the chips hold."""
