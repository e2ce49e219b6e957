"""The commands that ask for causes: who wrote something last, how it came to this, why an interrupt does not arrive."""

from __future__ import annotations

import re
from collections.abc import Callable

from idtviz.checks.why import arrival, explain
from idtviz.debugger.breakpoints import WriteBreakpoint
from idtviz.debugger.session import Session
from idtviz.lab.prepared_session import PreparedSession
from idtviz.machine.register_writes import full_name
from idtviz.tui.breakpoint_commands import parsed
from idtviz.tui.problem import CommandError
from idtviz.view import why_sheets
from idtviz.view.row import Row
from idtviz.view.sheet import Sheet
from idtviz.x86.vectors import by_name

WORDS = ("who", "why")
Leading = Callable[[int], Sheet]
"""Makes a sheet for so many columns, whose rows lead somewhere."""


def command(word: str, rest: str, session: Session) -> Callable[[], object] | None:
    """`who rax`, `who counter`, `who 0x600000 8`, `why`, `why irq 1`, `why vector 0x21`; None: the line is about
    something else. Raises CommandError.
    """
    if word == "why" and isinstance(session, PreparedSession):
        return _why(rest, session)
    if word != "who":
        return None
    if not rest:
        raise CommandError("who wrote what? A register, a symbol, or an address and a size: rax, counter, 0x600000 8")
    register = full_name(rest)
    if register is not None:
        return lambda: session.who_wrote(register)
    item = parsed(f"write {rest}", session)
    assert isinstance(item, WriteBreakpoint)
    return lambda: session.who_wrote(item.place)


def registers_in(shown: Row) -> tuple[str, ...]:
    """The registers that a row of the registers panel names, as it names them."""
    return tuple(word for word in shown.text.split() if full_name(word) is not None)


def _why(rest: str, session: PreparedSession) -> Callable[[], Leading]:
    if not rest:
        return lambda: _explained(session)
    line = re.fullmatch(r"irq\s*(\d{1,3})", rest, re.IGNORECASE)
    if line is not None:
        irq = int(line[1])
        if irq > 15 or irq == 2:
            raise CommandError("why irq takes a line: 0 to 15, but not 2, the cascade")
        return lambda: _arrival(session, irq=irq)
    if rest.isdigit():
        raise CommandError(f"why irq {rest}, the line, or why vector {rest}?")
    try:
        vector = by_name(rest.removeprefix("vector").strip()).number
    except ValueError as error:
        text = f"why of what? why alone tells how it came to this; why irq 1, why vector 0x21: not {rest!r}"
        raise CommandError(text) from error
    return lambda: _arrival(session, vector=vector)


def _explained(session: PreparedSession) -> Leading:
    found, branch, here = explain(session, session.findings), session.branch.number, session.moment
    return lambda width: why_sheets.chain(found, branch, here, width)


def _arrival(session: PreparedSession, *, irq: int | None = None, vector: int | None = None) -> Leading:
    found = arrival(session, irq=irq, vector=vector)
    return lambda width: why_sheets.arrival(found, width)
