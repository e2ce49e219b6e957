"""The stretch of a run that an axis shows, and which column of it stands for which instruction counts."""

from __future__ import annotations

from dataclasses import dataclass

NARROWEST = 16
"""Instructions: no axis shows fewer, unless the run has no more."""


@dataclass(frozen=True, slots=True)
class Window:
    """Instruction counts from `first` to `last`, both of them shown.

    Where there are more columns than counts, a count has several; it is marked at the first of them.
    """

    first: int
    last: int

    @property
    def span(self) -> int:
        """How many instruction counts it shows."""
        return self.last - self.first + 1

    def start(self, column: int, width: int) -> int:
        """The first instruction count of a column, of `width`; beyond either end as if the axis went on."""
        return self.first + column * self.span // width

    def column(self, instruction: int, width: int) -> int:
        """The first column that stands for an instruction count; outside of 0 to `width` - 1 if that is not shown."""
        offset = instruction - self.first
        if self.span < width:
            return -(-offset * width // self.span)
        return ((offset + 1) * width - 1) // self.span

    def beside(self, instruction: int, columns: int, width: int) -> int:
        """The instruction count so many columns to the right (or left), at least one count a column."""
        if self.span <= width:
            return instruction + columns
        return self.start(self.column(instruction, width) + columns, width)

    def holds(self, instruction: int) -> bool:
        """Whether it is shown."""
        return self.first <= instruction <= self.last

    def zoomed(self, around: int, whole: Window, *, nearer: bool) -> Window:
        """Half as many counts, or twice as many; `around` stays where it is on the axis, as far as `whole` allows."""
        span = -(-self.span // 2) if nearer else self.span * 2
        span = min(max(span, NARROWEST), whole.span)
        first = around - (around - self.first) * span // self.span
        return Window(first, first + span - 1).within(whole)

    def following(self, instruction: int, whole: Window) -> Window:
        """The same width of time, moved so that `instruction` is in its middle, if it was not shown."""
        if self.holds(instruction):
            return self.within(whole)
        first = instruction - self.span // 2
        return Window(first, first + self.span - 1).within(whole)

    def within(self, whole: Window) -> Window:
        """Moved, and made shorter, so that nothing outside of `whole` is shown."""
        span = min(self.span, whole.span)
        first = max(whole.first, min(self.first, whole.last - span + 1))
        return Window(first, first + span - 1)
