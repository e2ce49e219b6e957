"""Branches as sheets: the list of them, and two side by side. Enter on a row of either goes to what it shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from idtviz.debugger.branching import Branch
from idtviz.debugger.comparison import Comparison, Pair
from idtviz.debugger.moment import Moment
from idtviz.debugger.view import View
from idtviz.machine.events import Happened
from idtviz.view.events import told
from idtviz.view.layout import cut, printable
from idtviz.view.row import Panel, Role, Row, row
from idtviz.view.sheet import Goal, Sheet

_AROUND = 4  # events that both have, shown around those that one has not
_NAME = 60  # columns
_PLACES = 8  # of memory that differs
_SHOWN = 8  # bytes of each


def instructions(moment: Moment) -> str:
    """A moment, its count in groups of three digits."""
    return f"{moment.instruction:,}" + (f"+{moment.step}" if moment.step else "")


def listed(branches: Sequence[Branch], present: Branch) -> Sheet:
    """One row for each: number, where it parts and from which, how far it reaches, what sets it apart."""
    whence = [_from(branch) for branch in branches]
    reach = [f"up to {instructions(branch.frontier)}" for branch in branches]
    rows = [
        row(
            ("▶ " if branch is present else "  ", Role.CURRENT),
            (f"{branch.number:>2}  ", Role.VALUE),
            (f"{came:<{max(map(len, whence))}}  ", Role.LABEL),
            (f"{far:<{max(map(len, reach))}}  ", Role.ADDRESS),
            (cut(printable(branch.name), _NAME), Role.TEXT),
            key=place,
        )
        for place, (branch, came, far) in enumerate(zip(branches, whence, reach, strict=True))
    ]
    goals = tuple(Goal(branch.number) for branch in branches)
    note = "enter goes there · :branch delete N · :compare N M" if len(branches) > 1 else ""
    return Sheet(Panel("Branches", tuple(rows), note, branches.index(present)), goals)


def _from(branch: Branch) -> str:
    return "from the start" if branch.parent is None else f"parts from {branch.parent.number} at {branch.fork}"


def compared(found: Comparison, left: Branch, right: Branch, present: Branch, view: View, width: int) -> Sheet:
    """Two branches in two columns: where they part, what differs there, and the events of both, matched.

    A row that shows a moment leads to it: on the present branch where that has it, else on the other.
    """
    made = _Compared(found, left, right, present, view, max(16, (width - 3) // 2))
    note = "◀ the left one alone · ▶ the right one alone · ≠ differs · enter goes there"
    if len(note) + 4 > width:
        note = "◀ ▶ one alone · ≠ differs · enter goes there"
    panel = Panel(f"Branches {left.number} and {right.number}", tuple(made.rows()), note, 0)
    return Sheet(panel, tuple(made.goals))


class _Compared:
    """The rows of a comparison, while they are made."""

    def __init__(self, found: Comparison, left: Branch, right: Branch, present: Branch, view: View, half: int) -> None:
        self.goals: list[Goal] = []
        self._found = found
        self._branches = left, right
        self._present = present
        self._view = view
        self._half = half

    def rows(self) -> Iterator[Row]:
        """All of them, in order."""
        left, right = self._branches
        parted = self._found.parted
        yield self._both(self._title(left), self._title(right), Role.TITLE)
        ours, theirs = (f"recorded up to {instructions(each.frontier)}" for each in (left, right))
        yield self._both(ours, theirs, Role.DIM, moments=(left.frontier, right.frontier))
        yield Row()
        yield row((f"The same run up to {instructions(parted)}", Role.LABEL), key=self._goal(parted, parted))
        yield from self._way()
        yield from self._registers()
        yield from self._memory()
        yield Row()
        yield from self._events()

    def _title(self, branch: Branch) -> str:
        present = ", the present one" if branch is self._present else ""
        return f"branch {branch.number}{present}: {printable(branch.name)}"

    def _goal(self, left: Moment | None, right: Moment | None) -> int | None:
        """The key of a row that shows these moments."""
        ours, theirs = self._branches
        both = ((theirs, right), (ours, left)) if theirs is self._present else ((ours, left), (theirs, right))
        for branch, moment in both:
            if moment is not None:
                self.goals.append(Goal(branch.number, moment))
                return len(self.goals) - 1
        return None

    def _both(
        self,
        left: str,
        right: str,
        role: Role,
        sign: str = " ",
        moments: tuple[Moment | None, Moment | None] = (None, None),
    ) -> Row:
        half = self._half
        spans = (f"{cut(left, half):<{half}}", role), (f" {sign} ", Role.BAD), (cut(right, half), role)
        return row(*spans, key=self._goal(*moments))

    def _way(self) -> Iterator[Row]:
        way = self._found.way
        if way is None:
            yield _heading(f"The same instructions as far as both go, to {self._found.last:,}")
            return
        yield _heading("The first instruction that differs")
        ours, theirs = (self._view.name(at) or f"{at:#x}" for at in (way.left_address, way.right_address))
        left, right = f"{way.left!s:>8}  {ours}", f"{way.right!s:>8}  {theirs}"
        yield self._both(left, right, Role.TEXT, "≠", (way.left, way.right))

    def _memory(self) -> Iterator[Row]:
        found = self._found.memory
        if not found:
            yield _heading("Memory holds the same there")
            return
        yield _heading("Memory that differs there, by physical address")
        for each in found[:_PLACES]:
            ours, theirs = (f"{each.address:>8x}  {_bytes(raw)}" for raw in (each.left, each.right))
            yield self._both(ours, theirs, Role.VALUE, "≠")
        if len(found) > _PLACES:
            yield _heading(f"  … and {len(found) - _PLACES} more places")

    def _registers(self) -> Iterator[Row]:
        found = self._found.registers
        if not found:
            yield _heading("The registers hold the same there")
            return
        yield _heading("Registers that differ there")
        for name, ours, theirs in found:
            yield self._both(f"{name:>8}  {ours}", f"{name:>8}  {theirs}", Role.VALUE, "≠")

    def _events(self) -> Iterator[Row]:
        """The events behind the parting; long stretches that both have are told by their number."""
        found = self._found
        alone = set(found.alone)
        end = max([place + 1 for place, pair in enumerate(found.pairs) if pair.same or place in alone], default=0)
        both = sum(pair.same for pair in found.pairs)
        yield _heading(f"Events behind that: {both} on both, {len(alone) or 'none'} on one of them alone")
        shown = {at for place in alone for at in range(place - _AROUND, place + _AROUND + 1)}
        places = enumerate(found.pairs[:end])
        for kind, group in groupby(places, lambda item: "alone" if item[0] in alone else item[0] in shown):
            pairs = [pair for _, pair in group]
            if kind == "alone":
                yield from self._apart(pairs)
            elif kind:
                yield from (self._event(pair.left, pair.right, " ") for pair in pairs)
            else:
                yield _heading(f"  … {len(pairs)} on both")
        if end < len(found.pairs):
            goes_on = found.left if found.pairs[end].left is not None else found.right
            yield _heading(f"  … {len(found.pairs) - end} more on branch {goes_on}, which goes on further")
        if found.cut:
            yield _heading("  … and more, which are not compared")

    def _apart(self, pairs: Iterable[Pair]) -> Iterator[Row]:
        """A stretch in which nothing matches, by time; two events at the same moment stand side by side."""
        found = [(side, place) for pair in pairs for side, place in enumerate((pair.left, pair.right))]
        timed = sorted((self._moment(side, place), side, place) for side, place in found if place is not None)
        for _, group in groupby(timed, lambda item: item[0]):
            places: tuple[list[int], list[int]] = ([], [])
            for _, side, place in group:
                places[side].append(place)
            for at in range(max(map(len, places))):
                ours, theirs = (side[at] if at < len(side) else None for side in places)
                sign = "◀" if theirs is None else "▶" if ours is None else "≠"
                yield self._event(ours, theirs, sign)

    def _event(self, left: int | None, right: int | None, sign: str) -> Row:
        role = Role.DIM if sign == " " else Role.TEXT
        moments = (None if left is None else self._moment(0, left), None if right is None else self._moment(1, right))
        return self._both(self._text(0, left), self._text(1, right), role, sign, moments)

    def _happened(self, side: int) -> Sequence[Happened]:
        return self._branches[side].recording.events

    def _moment(self, side: int, place: int) -> Moment:
        event = self._happened(side)[place]
        return Moment(event.instruction, event.step)

    def _text(self, side: int, place: int | None) -> str:
        if place is None:
            return ""
        events = self._happened(side)
        return f"{self._moment(side, place)!s:>8}  {told(self._view, events, events[place])[0]}"


def _heading(text: str) -> Row:
    return row((text, Role.LABEL))


def _bytes(raw: bytes) -> str:
    return raw.hex(" ") if len(raw) <= _SHOWN else f"{raw[:_SHOWN].hex(' ')} …"
