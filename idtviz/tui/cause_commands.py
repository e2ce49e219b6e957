"""The command that asks who wrote something last."""

from __future__ import annotations

from collections.abc import Callable

from idtviz.debugger.breakpoints import WriteBreakpoint
from idtviz.debugger.session import Session
from idtviz.debugger.stops import Stop
from idtviz.machine.register_writes import full_name
from idtviz.tui.breakpoint_commands import parsed
from idtviz.tui.problem import CommandError
from idtviz.view.row import Row

WORDS = ("who",)


def command(word: str, rest: str, session: Session) -> Callable[[], Stop] | None:
    """`who rax`, `who counter`, `who 0x600000 8`; None: the line is about something else. Raises CommandError."""
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
