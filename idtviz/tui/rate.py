"""How fast a run goes in real time, as the face sees it from one look to the next."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter


class Rate:
    """Instructions per second of real time over the last second or so."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._looks: list[tuple[float, int]] = []

    def start(self) -> None:
        """A run begins."""
        self._looks.clear()

    def look(self, instructions: int) -> float | None:
        """The rate now that so many instructions have completed; None until there is something to compare with."""
        now = self._clock()
        self._looks = [*(look for look in self._looks if now - look[0] <= 1), (now, instructions)]
        first, before = self._looks[0]
        return (instructions - before) / (now - first) if now > first else None
