"""Chance from a seed: the same seed gives the same throws, in every run and on every machine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


ARITHMETIC = (b"\x31\xc0", b"\x00\xc0", b"\x29\xd8", b"\xfe\xc0", b"\xd0\xe0", b"\xf9", b"\x04\x7f")
"""Instructions of every mode that change nothing but registers and the arithmetic flags."""


class Dice:
    """Throws of one case."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def chance(self, probability: float) -> bool:
        """True once in 1 / `probability` throws."""
        return self._random.random() < probability

    def pick(self, values: Sequence[T]) -> T:
        """One of the values, all as likely."""
        return values[self.below(len(values))]

    def weighted(self, choices: Sequence[tuple[int, T]]) -> T:
        """One of the values, each as likely as its weight says."""
        at = self.below(sum(weight for weight, _ in choices))
        for weight, value in choices:
            at -= weight
            if at < 0:
                return value
        raise AssertionError

    def below(self, end: int) -> int:
        """A number from 0 to `end` - 1."""
        return int(self._random.random() * end)

    def bits(self, count: int) -> int:
        """A number of so many bits."""
        return self._random.getrandbits(count) if count else 0

    def some_of(self, mask: int) -> int:
        """Each bit of the mask, or not."""
        return self.bits(mask.bit_length()) & mask

    def near(self, value: int, reach: int = 4) -> int:
        """A number close to a limit: on it, just below, just above."""
        return value + self.pick((-1, 0, 0, 1, self.below(2 * reach + 1) - reach))
