"""Why an edit is refused."""

from __future__ import annotations


class RefusedError(Exception):
    """The machine would not take this value here; the message is one sentence that says why."""


def fit(name: str, value: int, width: int) -> int:
    """`value`, if it fits into the `width` bits of `name`. Raises RefusedError."""
    if not 0 <= value < 1 << width:
        bits = "1 bit" if width == 1 else f"{width} bits"
        raise RefusedError(f"{name} has {bits}: {_number(value)} is outside 0..{(1 << width) - 1:#x}")
    return value


def _number(value: int) -> str:
    return str(value) if value < 0 else f"{value:#x}"
