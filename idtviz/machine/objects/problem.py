"""What is wrong with an object file."""

from __future__ import annotations

from idtviz.machine.boot.problem import ImageError


class ObjectError(ImageError):
    """An object file that cannot be loaded; the message says what was found and what was expected."""
