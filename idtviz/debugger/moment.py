"""Places in time."""

from __future__ import annotations

from typing import NamedTuple


class Moment(NamedTuple):
    """`instruction` instructions have completed, and `step` steps of deliveries and returns have been performed since.

    Prints as `812` or `812+3`.
    """

    instruction: int
    step: int = 0

    def __str__(self) -> str:
        return f"{self.instruction}+{self.step}" if self.step else str(self.instruction)


START = Moment(0)
