"""How a half-written edit may go on: the names of registers, tables and fields, and of values."""

from __future__ import annotations

import re
from collections.abc import Iterable

from idtviz.debugger import editing
from idtviz.debugger.editing import EditError
from idtviz.debugger.session import Phase, Session
from idtviz.tui.completion import LineSuggester

_TABLES = ("idt[", "gdt[", "ldt[", "pml4e[", "pdpte[", "pde[", "pte[")
_OPEN = re.compile(r".*\[(?P<inside>[^\]]*)$")


def completed(session: Session, text: str) -> str | None:
    """`text`, which stands behind `set`, with its last word completed."""
    path, equals, value = text.partition("=")
    try:
        if equals:
            return _value(session, text, path, value.lstrip())
        inside = _OPEN.match(text)
        if inside is not None:
            return _first(text, re.split(r"[+-]", inside["inside"])[-1], _names(session))
        head, dot, last = text.rpartition(".")
        if dot:
            return _first(text, last, _parts(session, head)) or _first(text, text, _whole(session))
        return _first(text, text, _whole(session))
    except EditError:
        return None


def _value(session: Session, text: str, path: str, value: str) -> str | None:
    slot = editing.slot(session, path)
    words: Iterable[str] = ("on", "off") if slot.width == 1 else slot.choices.values()
    return _first(text, value, (*words, *(_names(session) if slot.width >= 16 else ())))


def _parts(session: Session, head: str) -> list[str]:
    """What may stand behind a path and a dot."""
    try:
        found = editing.slots(session, head)
    except EditError:
        return []
    start = len(editing.slot(session, head).path) if found and found[0].field else len(head)
    return [slot.path[start + 1 :] for slot in found if slot.path[start : start + 1] == "."]


def _whole(session: Session) -> tuple[str, ...]:
    names = [slot.path for slot in editing.slots(session, "registers")]
    return (*names, *_TABLES, "tss.", "frame.", "pic.master.", "pic.slave.", "pit[0].", *editing.GROUPS)


def _names(session: Session) -> Iterable[str]:
    return (symbol.name for symbol in session.symbols.all)


def _first(text: str, last: str, words: Iterable[str]) -> str | None:
    """`text`, whose last word is `last`, with the first of `words` that is longer and begins so."""
    if not last:
        return None
    found = next((word for word in words if len(word) > len(last) and word.lower().startswith(last.lower())), None)
    return None if found is None else text + found[len(last) :]


class EditSuggester(LineSuggester):
    """Knows how an edit goes on, beside what every line may be."""

    def __init__(self, session: Session, prefix: str) -> None:
        super().__init__(session.symbols, prefix)
        self._session = session

    async def get_suggestion(self, value: str) -> str | None:
        """What the line would be."""
        typed = "" if self._prefix else "set "
        if (self._prefix or value).startswith("set "):
            if self._session.phase is Phase.RUNNING:
                return None
            found = completed(self._session, value.removeprefix(typed))
            return None if found is None else typed + found
        return await super().get_suggestion(value)
