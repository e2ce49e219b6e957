"""The commands that set, list, switch and delete breakpoints; each says what it has done."""

from __future__ import annotations

import re
from collections.abc import Callable

from idtviz.debugger.breakpoint_text import BreakpointError, parse_breakpoint
from idtviz.debugger.breakpoints import Breakpoint, Listed
from idtviz.debugger.session import Session
from idtviz.tui.problem import CommandError
from idtviz.view import breakpoints
from idtviz.view.row import Panel

Answer = str | Panel
"""A sentence for the status line, or a sheet."""


def command(word: str, rest: str, session: Session) -> Callable[[], Answer] | None:
    """What a command line about breakpoints does; None if it is about something else. Raises CommandError."""
    if word == "break":
        item = parsed(rest, session)
        return lambda: set_one(session, item)
    if word == "delete":
        return _delete(rest, session)
    if word in ("on", "off"):
        number = _number(rest, session)
        return lambda: _told(session.breakpoints.switch(number, on=word == "on"))
    if word == "breakpoints":
        return lambda: breakpoints.panel(session.breakpoints.listed)
    return None


def parsed(text: str, session: Session) -> Breakpoint:
    """The breakpoint that `text` means. Raises CommandError."""
    try:
        return parse_breakpoint(text, session.symbols)
    except BreakpointError as error:
        raise CommandError(str(error)) from error


def set_one(session: Session, item: Breakpoint) -> str:
    """Set a breakpoint."""
    return _told(session.breakpoints.add(item))


def toggle(session: Session, item: Breakpoint) -> str:
    """Set the breakpoint, or take it away if it is set."""
    for entry in session.breakpoints.listed:
        if entry.breakpoint == item:
            return f"breakpoint {entry.number} deleted: {session.breakpoints.delete(entry.number).breakpoint}"
    return set_one(session, item)


def _told(entry: Listed) -> str:
    return f"breakpoint {entry.number}: {entry.breakpoint}" + ("" if entry.enabled else ", switched off")


def _delete(rest: str, session: Session) -> Callable[[], Answer]:
    if rest in ("", "all"):

        def clear() -> str:
            session.breakpoints.clear()
            return "all breakpoints deleted"

        return clear
    number = _number(rest, session)
    return lambda: f"breakpoint {number} deleted: {session.breakpoints.delete(number).breakpoint}"


def _number(text: str, session: Session) -> int:
    numbers = [entry.number for entry in session.breakpoints.listed]
    if not re.fullmatch(r"\d{1,9}", text) or int(text) not in numbers:
        there = ", ".join(map(str, numbers)) or "none"
        raise CommandError(f"{text or 'nothing'!r} is no number of a breakpoint; there are: {there}")
    return int(text)
