"""The commands about branches: list them, go to one, delete one, set two side by side."""

from __future__ import annotations

import re
from collections.abc import Callable

from idtviz.debugger.branching import parted
from idtviz.debugger.session import Session
from idtviz.tui.problem import CommandError
from idtviz.view import branches
from idtviz.view.layout import printable
from idtviz.view.sheet import Goal, Sheet

WORDS = ("branch", "compare", "undo")
Leading = Callable[[int], Sheet]
"""Makes a sheet for so many columns, whose rows lead somewhere."""


def command(word: str, rest: str, session: Session) -> Callable[[], object] | None:
    """What a command line about branches does; None if it is about something else. Raises CommandError."""
    if word == "undo" and not rest:
        return lambda: undone(session)
    if word == "compare":
        left, right = _pair(rest, session)
        return lambda: _compared(session, left, right)
    if word != "branch":
        return None
    if not rest:
        return lambda: _listed(session)
    verb, _, number = rest.rpartition(" ")
    if verb.strip() == "delete":
        chosen = _number(number, session)
        return lambda: _deleted(session, chosen)
    chosen = _number(rest, session)
    return lambda: switched(session, chosen)


def undone(session: Session) -> str:
    """Take the last edit or input back; returns what to say."""
    branch = session.branch
    said = f"taken back: {printable(str(session.undo()))}"
    if branch.number not in [each.number for each in session.branches]:
        said += f" · with it branch {branch.number} is gone: this is branch {session.branch.number} again"
    return said


def switched(session: Session, number: int) -> str:
    """Go to another branch; returns what to say."""
    left = session.branch
    session.switch(number)
    branch = session.branch
    same = f" · the same as branch {left.number} up to {parted(left, branch)}" if left is not branch else ""
    return f"branch {number} of {len(session.branches)}: {printable(branch.name)}{same}"


def _deleted(session: Session, number: int) -> str:
    session.delete_branch(number)
    return f"branch {number} deleted"


def gone_to(session: Session, goal: Goal) -> str:
    """Go where a row of a sheet leads; returns what to say."""
    moment = session.moment if goal.moment is None else goal.moment
    said = "" if goal.branch == session.branch.number else switched(session, goal.branch)
    session.seek(min(moment, session.frontier))
    return said


def _listed(session: Session) -> Leading:
    sheet = branches.listed(session.branches, session.branch)
    return lambda _: sheet


def _compared(session: Session, left: int, right: int) -> Leading:
    """A sheet as wide as there is room for."""
    found = session.compare(left, right)
    ours, theirs = (next(each for each in session.branches if each.number == number) for number in (left, right))
    view, present = session.view, session.branch
    return lambda width: branches.compared(found, ours, theirs, present, view, width)


def _pair(rest: str, session: Session) -> tuple[int, int]:
    """The two branches that are meant: without any the present one, and the one from which it parts."""
    words = rest.split()
    if len(words) > 2:
        raise CommandError("compare takes two numbers of branches: compare 1 2")
    if len(words) == 2:
        return _number(words[0], session), _number(words[1], session)
    present = session.branch
    other = _number(words[0], session) if words else present.parent.number if present.parent is not None else None
    if other is None:
        later = [each.number for each in session.branches if each is not present]
        if not later:
            raise CommandError("there is one run only: an edit, or an input at a moment of the past, begins another")
        other = later[0]
    return min(other, present.number), max(other, present.number)


def _number(text: str, session: Session) -> int:
    numbers = [branch.number for branch in session.branches]
    if not re.fullmatch(r"\d{1,9}", text) or int(text) not in numbers:
        raise CommandError(f"{text!r} is no number of a branch; there are: {', '.join(map(str, numbers))}")
    return int(text)
