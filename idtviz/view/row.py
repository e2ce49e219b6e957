"""The vocabulary of rows: pieces of text with a role. What colour a role has is the face's business."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """What a piece of text is, so that every face can give it the same look everywhere."""

    TEXT = "text"
    LABEL = "label"
    """The name of a thing."""
    VALUE = "value"
    DIM = "dim"
    """There, but not of interest now; or still to come."""
    TITLE = "title"
    CHANGED = "changed"
    """Differs from the moment before; always beside a ● or in a marked row."""
    CURRENT = "current"
    """Where the processor is: always beside a ▶."""
    READ = "read"
    """Bytes that the last step read."""
    WRITTEN = "written"
    """Bytes that the last step wrote."""
    GOOD = "good"
    """A check that passed: always beside a ✓."""
    BAD = "bad"
    """A check that failed, a fault, an error that a rule has found: always beside a ✗ or a ⚑."""
    WARNING = "warning"
    """What a rule warns of is always beside a ⚐."""
    ADDRESS = "address"
    SYMBOL = "symbol"
    SOURCE = "source"
    """A line of source code."""
    CODE = "code"
    FRAME = "frame"
    """A word of an interrupt frame."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text."""

    text: str
    role: Role = Role.TEXT


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `lit`: the whole line is marked.

    `key`: what a person points at here (an address, a vector), for commands.
    """

    spans: tuple[Span, ...] = ()
    lit: Role | None = None
    key: int | None = None

    @property
    def text(self) -> str:
        """The line without roles."""
        return "".join(span.text for span in self.spans)


Rows = tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel's content: its title, a note for the border, its rows, and the row to keep in sight."""

    title: str
    rows: Rows
    note: str = ""
    focus: int | None = None


def row(*parts: str | Span | tuple[str, Role], lit: Role | None = None, key: int | None = None) -> Row:
    """A row from strings, spans and (text, role) pairs."""
    spans = tuple(
        part if isinstance(part, Span) else Span(part) if isinstance(part, str) else Span(*part) for part in parts
    )
    return Row(spans, lit, key)
