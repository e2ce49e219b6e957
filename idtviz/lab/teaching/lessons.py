"""Lessons: what a scenario has to say, to ask, or to have made to work, bound to moments of the run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from idtviz.debugger.places import Place

PANELS = ("code", "delivery", "registers", "stack", "idt", "gdt", "tss", "pic", "display", "events")
"""What a question can cover until it is answered."""
_LONG = 200
"""Characters of a text in its key."""


@dataclass(frozen=True)
class Lesson:
    """A text (`say`), a question (`ask`), or a `task`: something that is to be made to work.

    The answer to a question is given, or is the `value` of the machine at that moment. A task is done as soon as all
    that the scenario expects holds; `todo` is the file to write for it.
    """

    place: Place
    say: str | None = None
    ask: str | None = None
    task: str | None = None
    answer: str | None = None
    choices: tuple[str, ...] = ()
    value: str | None = None
    hints: tuple[str, ...] = ()
    cover: tuple[str, ...] = ()
    """Panels that are not to be seen until the question is answered."""
    explain: str = ""
    """What there is to say once it is answered."""
    todo: str | None = None

    @cached_property
    def text(self) -> str:
        """What there is to read, on one line."""
        return " ".join((self.say or self.ask or self.task or "").split())

    @property
    def is_question(self) -> bool:
        return self.ask is not None

    @property
    def is_task(self) -> bool:
        return self.task is not None

    @cached_property
    def key(self) -> str:
        """What it is called where progress is kept: the same as long as neither its place nor its words change."""
        text = self.text
        if len(text) > _LONG:
            text = f"{text[:_LONG]}… {hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
        return f"{self.place.text}: {text}"
