"""The commands about branches: list them, go to one, delete one, set two side by side."""

from __future__ import annotations

import re
from collections.abc import Callable

from idtviz.debugger.session import Session
from idtviz.tui.problem import CommandError
from idtviz.view import branches
from idtviz.view.row import Panel

WORDS = ("branch", "compare", "undo")


def command(word: str, rest: str, session: Session) -> Callable[[], object] | None:
    """What a command line about branches does; None if it is about something else. Raises CommandError."""
    if word == "undo" and not rest:
        return lambda: f"taken back: {session.undo()}"
    if word == "compare":
        left, right = _pair(rest, session)
        return lambda: _compared(session, left, right)
    if word != "branch":
        return None
    if not rest:
        return lambda: branches.listed(session.branches, session.branch)
    verb, _, number = rest.rpartition(" ")
    if verb.strip() == "delete":
        chosen = _number(number, session)
        return lambda: _deleted(session, chosen)
    chosen = _number(rest, session)
    return lambda: switched(session, chosen)


def switched(session: Session, number: int) -> str:
    """Go to another branch; returns what to say."""
    session.switch(number)
    return f"branch {number}: {session.branch.name}"


def _deleted(session: Session, number: int) -> str:
    session.delete_branch(number)
    return f"branch {number} deleted"


def _compared(session: Session, left: int, right: int) -> Callable[[int], Panel]:
    """A sheet as wide as there is room for."""
    found = session.compare(left, right)
    ours, theirs = (next(each for each in session.branches if each.number == number) for number in (left, right))
    view = session.view
    return lambda width: branches.compared(found, ours, theirs, view, width)


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
