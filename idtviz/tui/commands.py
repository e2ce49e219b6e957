"""The command line behind `:`."""

from __future__ import annotations

import re
from collections.abc import Callable

from idtviz.debugger.inputs import Input, Irq, Keys, Nmi, Serial
from idtviz.debugger.places import PlaceError, parse
from idtviz.debugger.session import Session
from idtviz.machine.chips import scancodes
from idtviz.tui import (
    branch_commands,
    breakpoint_commands,
    cause_commands,
    edit_commands,
    finding_commands,
    session_commands,
)
from idtviz.tui.giving import give
from idtviz.tui.problem import CommandError

LESSON_WORDS = ("answer", "hint", "lesson", "write")
"""What is said to the tutor, and not to the session."""
WORDS = (
    *("step", "check", "over", "finish", "run", "until", "back", "goto"),
    *("break", "breakpoints", "delete", "on", "off", "keys", "serial", "irq", "nmi", "quit"),
    *cause_commands.WORDS,
    *branch_commands.WORDS,
    *edit_commands.WORDS,
    *finding_commands.WORDS,
    *session_commands.WORDS,
    *LESSON_WORDS,
)
"""What a command line may begin with."""

Move = Callable[[], object]
"""What a command does. A text that it returns is for the status line, a panel for a sheet."""
_FAMILIES: tuple[Callable[[str, str, Session], Move | None], ...] = (
    breakpoint_commands.command,
    cause_commands.command,
    branch_commands.command,
    edit_commands.command,
    finding_commands.command,
    session_commands.command,
)
"""Each knows some words, and answers None to all others."""


def interpret(text: str, session: Session) -> Move:
    """The move that a command line asks for. Raises CommandError."""
    word, _, rest = text.strip().partition(" ")
    rest = rest.strip()
    moves: dict[str, Callable[[], object]] = {
        "step": session.step,
        "check": session.micro_step,
        "over": session.next,
        "back": session.back,
    }
    if word in moves:
        return _repeated(moves[word], rest)
    if word == "finish":
        return session.finish
    if word == "run":
        if rest:
            _place(rest, session)
        return lambda: session.run(rest) if rest else session.run()
    if word == "until":
        item = breakpoint_commands.parsed(rest, session)
        return lambda: session.run_until(item)
    if word in ("goto", "g"):
        _place(rest, session)
        return lambda: session.seek(rest)
    for command in _FAMILIES:
        found = command(word, rest, session)
        if found is not None:
            return found
    given = _input(word, rest)
    return lambda: give(session, given)


def _repeated(move: Callable[[], object], rest: str) -> Move:
    if rest and not re.fullmatch(r"\d{1,6}", rest):
        raise CommandError(f"{rest!r} is no count")
    count = int(rest or 1)

    def many() -> None:
        for _ in range(count):
            move()

    return many


def _input(word: str, rest: str) -> Input:
    if word == "keys":
        try:
            scancodes.encode(rest)
        except ValueError as error:
            raise CommandError(str(error)) from error
        return Keys(rest)
    if word == "nmi" or (word == "irq" and rest.lower() == "nmi"):
        return Nmi()
    if word == "irq":
        if not re.fullmatch(r"\d{1,2}", rest) or int(rest) > 15 or int(rest) == 2:
            raise CommandError("irq takes a line: 0 to 15, but not 2, the cascade")
        return Irq(int(rest))
    if word == "serial" and rest:
        return Serial(rest.replace("\\n", "\n").encode())
    raise CommandError(f"no command {word!r}; there are {', '.join(WORDS)}")


def _place(text: str, session: Session) -> None:
    try:
        parse(text, session.symbols)
    except PlaceError as error:
        raise CommandError(str(error)) from error
    except ValueError as error:  # of int: thousands of digits
        raise CommandError(f"the number in {text[:60]!r} is too large") from error
