"""Two branches side by side: where they part, and what happens on the one and not on the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from idtviz.debugger.moment import Moment
from idtviz.machine.events import Delivered, EndOfInterrupt, Halted, Happened, LineChanged, Noted, Returned

_MOST = 2000
"""Events behind the first difference that are matched one against the other."""
_CLOSE = 8
"""Bytes that may be the same between two places that differ, for them to be shown as one."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The same event on both branches, or one that the other has not. The numbers are places in the events of each."""

    left: int | None
    right: int | None

    @property
    def same(self) -> bool:
        """Whether both have it."""
        return self.left is not None and self.right is not None


@dataclass(frozen=True, slots=True)
class Way:
    """Where two branches first run different code: the moments, and the linear addresses of what is next there.

    Both moments have the same count of instructions; a delivery may come in front of the instruction on one of them.
    """

    left: Moment
    left_address: int
    right: Moment
    right_address: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Bytes at a physical address that are not the same."""

    address: int
    left: bytes
    right: bytes


@dataclass(frozen=True)
class Comparison:
    """Branches `left` and `right`, by number, from the moment at which they part.

    `common`: how many events both have before that. `pairs`: those from there on, matched; `cut` says whether there
    are more than are matched.
    """

    left: int
    right: int
    parted: Moment
    common: int
    pairs: tuple[Pair, ...]
    cut: bool
    way: Way | None
    """None: they run the same code as far as both go."""
    last: int
    """The instruction count at which the ways part; else that of the end of the shorter one."""
    registers: tuple[tuple[str, str, str], ...]
    """The registers that differ there: name and both values."""
    memory: tuple[Difference, ...]
    """Where RAM differs there, lowest first; of very many places only the first."""

    @property
    def alone(self) -> tuple[int, ...]:
        """The places of those pairs that only one branch has, though the other goes on behind them."""
        end = len(self.pairs)
        while end and not self.pairs[end - 1].same and _side(self.pairs[end - 1]) == _side(self.pairs[-1]):
            end -= 1
        if end and not self.pairs[end - 1].same:
            end = len(self.pairs)  # they end differently
        return tuple(place for place, pair in enumerate(self.pairs[:end]) if not pair.same)

    @property
    def first(self) -> Pair | None:
        """The first event that only one of them has."""
        return self.pairs[self.alone[0]] if self.alone else None


def _side(pair: Pair) -> bool:
    """Whether the left one has it."""
    return pair.left is not None


def differences(left: Sequence[bytes], right: Sequence[bytes]) -> Iterator[Difference]:
    """Where two images of RAM differ, both in chunks of the same sizes; places that lie close together are one."""
    start = 0
    for ours, theirs in zip(left, right, strict=True):
        if ours is not theirs and ours != theirs:
            yield from _within(start, ours, theirs)
        start += len(ours)


def _within(start: int, ours: bytes, theirs: bytes) -> Iterator[Difference]:
    low = high = -1
    for at, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        if mine == other:
            continue
        if low >= 0 and at - high > _CLOSE:
            yield Difference(start + low, ours[low : high + 1], theirs[low : high + 1])
            low = -1
        low, high = low if low >= 0 else at, at
    if low >= 0:
        yield Difference(start + low, ours[low : high + 1], theirs[low : high + 1])


def match(left: Sequence[Happened], right: Sequence[Happened], since: int) -> tuple[tuple[Pair, ...], bool]:
    """Match the events of two runs, which are the same up to number `since`; and whether some are left out."""
    ours = [_kind(event) for event in left[since : since + _MOST]]
    theirs = [_kind(event) for event in right[since : since + _MOST]]
    cut = max(len(left), len(right)) > since + _MOST
    return tuple(_pairs(ours, theirs, since)), cut


def _pairs(ours: list[object], theirs: list[object], since: int) -> Iterator[Pair]:
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    for tag, low, high, first, last in matcher.get_opcodes():
        if tag == "equal":
            yield from (Pair(since + low + at, since + first + at) for at in range(high - low))
        else:
            yield from (Pair(since + at, None) for at in range(low, high))
            yield from (Pair(None, since + at) for at in range(first, last))


def _kind(event: Happened) -> object:
    """What makes an event the same on two branches: all but when it came, and what registers held."""
    match event:
        case Delivered(event=delivered, origin=origin, to=to, fault=fault):
            came = (delivered.vector, delivered.source, delivered.error_code, delivered.cr2, origin.cs, origin.rip)
            return ("delivered", *came, None if to is None else (to.cs, to.rip), fault)
        case Returned(to=to):
            return ("returned", to.cs, to.rip)
        case LineChanged(line=line, level=level):
            return ("line", line, level)
        case EndOfInterrupt(controller=controller, irq=irq, vector=vector):
            return ("eoi", controller, irq, vector)
        case Noted(text=text):
            return ("noted", text)
        case Halted():
            return ("halted",)
        case _:
            return (type(event).__name__,)
