"""Comparing two branches: their events, and where they run different code for the first time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from itertools import islice

from idtviz.debugger.branching import Branch, Brancher, BranchError, parted
from idtviz.debugger.checkpoints import image
from idtviz.debugger.comparison import Comparison, Way, differences, match
from idtviz.debugger.moment import Moment
from idtviz.machine.registers import GENERAL_NAMES, Registers, Segment, Table

_FAR = 20_000
"""Instructions up to which two branches are compared one by one; behind that by bisection."""
_MOST_PLACES = 200
"""Places in RAM that are told to differ."""


class Comparer(Brancher):
    """A machine whose runs can be set side by side."""

    def _compare(self, left: Branch, right: Branch) -> Comparison:
        """Both branches from where they part. The machine stays where it is. Raises Abandoned where someone pauses."""
        if left is right:
            raise BranchError(f"branch {left.number} is the same as itself: name another")
        branch, at = self._branch, self.moment
        since = parted(left, right)
        common = _common(left, right)
        pairs, cut = match(left.recording.events, right.recording.events, common)
        try:
            way = self._way(left, right, since)
            end = min(left.frontier, right.frontier)
            ours, theirs = (end, end) if way is None else (way.left, way.right)
            before, chunks = self._state_at(left, ours, ())
            after, others = self._state_at(right, theirs, chunks)
            registers = tuple(_differing(before, after))
            memory = tuple(islice(differences(chunks, others), _MOST_PLACES))
        finally:
            self._switch(branch, at)
        return Comparison(
            left.number, right.number, since, common, pairs, cut, way, ours.instruction, registers, memory
        )

    def _state_at(
        self, branch: Branch, moment: Moment, known: tuple[bytes, ...]
    ) -> tuple[Registers, tuple[bytes, ...]]:
        """The registers, and RAM in chunks; those that equal the ones in `known` are the same objects."""
        self._switch(branch, moment, pausable=True)
        return self.machine.cpu.registers(), image(self.machine.memory, known)

    def _address_at(self, branch: Branch, instruction: int) -> int:
        """Linear address of the instruction that is next when so many have completed."""
        self._switch(branch, Moment(instruction), pausable=True)
        return self.machine.cpu.linear_rip

    def _way(self, left: Branch, right: Branch, since: Moment) -> Way | None:
        """Where they run different code first.

        Far ahead it is looked for by bisection, which takes it that ways that have parted do not meet again at the same
        count of instructions.
        """
        low, high = since.instruction, min(left.frontier, right.frontier).instruction
        while high - low > _FAR:
            middle = (low + high) // 2
            if self._address_at(left, middle) == self._address_at(right, middle):
                low = middle
            else:
                high = middle
        ours = list(self._boundaries(left, max(since, Moment(low)), high))
        theirs = self._boundaries(right, max(since, Moment(low)), high)
        for mine, other in zip(ours, theirs, strict=False):
            (at, address), (there, another) = mine[-1], other[-1]
            if address == another:
                continue
            if at.instruction == left.frontier.instruction and address in (each for _, each in other):
                continue  # it stands in front of the delivery that the other one has behind it
            if there.instruction == right.frontier.instruction and another in (each for _, each in mine):
                continue
            return Way(at, address, there, another)
        return None

    def _boundaries(self, branch: Branch, since: Moment, until: int) -> Iterator[list[tuple[Moment, int]]]:
        """For each count of instructions from `since` to `until` the moments between two procedures, with the linear
        address of what is next: at the last one that is what runs.
        """
        self._switch(branch, since, pausable=True)
        machine = self.machine
        found: list[tuple[Moment, int]] = []
        while machine.instructions <= until and not machine.stuck:
            self._heed_pause()
            at = self.moment
            if machine.activity is None and not machine.halted:
                if found and found[0][0].instruction != at.instruction:
                    yield found
                    found = []
                found.append((at, machine.cpu.linear_rip))
            if at >= branch.frontier:
                break
            self._one()
        if found:
            yield found


def _common(left: Branch, right: Branch) -> int:
    """How many events both have in common from the start: those are the very same values."""
    ours, theirs = left.recording.events, right.recording.events
    low, high = 0, min(len(ours), len(theirs))
    while low < high:
        middle = (low + high) // 2
        if ours[middle] is theirs[middle]:
            low = middle + 1
        else:
            high = middle
    return low


def _differing(left: Registers, right: Registers) -> Iterator[tuple[str, str, str]]:
    """The registers that do not hold the same, with what each branch has in them."""
    for (name, mine), (_, other) in zip(_named(left), _named(right), strict=True):
        if mine != other:
            yield name, mine, other


def _named(at: Registers) -> Iterator[tuple[str, str]]:
    yield from ((name, f"{value:#x}") for name, value in zip(GENERAL_NAMES, at.general, strict=True))
    for field in fields(Registers):
        value = getattr(at, field.name)
        if isinstance(value, Segment):
            yield field.name, f"{value.selector:#x} base {value.base:#x}"
        elif isinstance(value, Table):
            yield field.name, f"{value.base:#x} limit {value.limit:#x}"
        elif field.name != "general":
            yield field.name, f"{value:#x}"
