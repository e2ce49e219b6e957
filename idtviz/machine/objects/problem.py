"""What is wrong with an object file."""

from __future__ import annotations

from idtviz.machine.boot.problem import ImageError

_LONGEST = 80


class ObjectError(ImageError):
    """An object file that cannot be loaded; the message says what was found and what was expected."""


def short(name: str) -> str:
    """A name of a file for a message: its beginning, where it is long."""
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"
