"""Lessons: what a scenario has to say or to ask, bound to moments of the run."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.debugger.places import Place


@dataclass(frozen=True, slots=True)
class Lesson:
    """A text (`say`), or a question (`ask`) with its answer: given, or the `value` of the machine at that moment."""

    place: Place
    say: str | None = None
    ask: str | None = None
    answer: str | None = None
    choices: tuple[str, ...] = ()
    value: str | None = None
    hint: str | None = None

    @property
    def text(self) -> str:
        """What there is to read, on one line."""
        return " ".join((self.say or self.ask or "").split())

    @property
    def is_question(self) -> bool:
        return self.ask is not None
