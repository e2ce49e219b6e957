"""The command that changes something, or shows what there is to change: `set idt[14].dpl = 3`."""

from __future__ import annotations

from collections.abc import Callable

from idtviz.debugger import editing
from idtviz.debugger.editing import EditError, Slot
from idtviz.debugger.inputs import Edit
from idtviz.debugger.session import Session
from idtviz.tui.edit_targets import Target
from idtviz.tui.giving import give
from idtviz.tui.problem import CommandError

WORDS = ("set",)


def command(word: str, rest: str, session: Session) -> Callable[[], str | Target] | None:
    """`set PATH = VALUE`, `set PATH`; None: the line is about something else. Raises CommandError."""
    if word != "set":
        return None
    if not rest:
        raise CommandError("set what? A path, = and a value: idt[14].dpl = 3, rflags.if = 0, [rsp]:8 = 1")
    try:
        given = asked(session, rest)
        if isinstance(given, str | Target):
            return lambda: given
        return lambda: give(session, given)
    except EditError as error:
        raise CommandError(str(error)) from error


def asked(session: Session, text: str) -> Edit | str | Target:
    """The edit that `PATH = VALUE` means; for a path alone, what stands there, or a choice. Raises EditError."""
    path, equals, value = text.partition("=")
    if equals:
        slot = editing.slot(session, path)
        wanted = editing.parse_value(session, value, slot)
        given = slot.input(wanted)
        return f"{slot.path} is {slot.text} already" if wanted == slot.value else given
    found = editing.slots(session, path)
    if len(found) == 1:
        return told(found[0])
    return Target(path.strip(), found)


def told(slot: Slot) -> str:
    """What stands in a slot."""
    bits = "1 bit" if slot.width == 1 else f"{slot.width} bits"
    meaning = f" · {slot.meaning}" if slot.meaning else ""
    return f"{slot.path} = {slot.text} ({bits}){meaning}"
