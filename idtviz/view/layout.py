"""Ways of laying out rows that all panels share: lines, tables, sentences, a structure bit by bit."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from idtviz.debugger.view import View
from idtviz.view.row import Role, Row, Rows, Span
from idtviz.x86.fields import Structure

GUTTER = 2
"""Columns at the left of every row: `▶ ` where the row is lit, `● ` where it has changed."""


def printable(text: str) -> str:
    """`text` from a file of the guest's, with every character one column wide."""
    return "".join(char if char.isprintable() and (ord(char) < 0x300 or char in "…→") else "?" for char in text)


def cut(text: str, width: int) -> str:
    """`text` in at most `width` columns; an ellipsis stands for what is missing."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"[:width]


def line(width: int, *parts: Span | str, lit: Role | None = None, changed: bool = False, key: int | None = None) -> Row:
    """A row with its gutter, in at most `width` columns, without blanks at its end."""
    mark = Span("▶ ", lit) if lit else Span("● ", Role.CHANGED) if changed else Span("  ")
    spans = [mark, *(Span(part) if isinstance(part, str) else part for part in parts)]
    while spans and not spans[-1].text.strip():
        spans.pop()
    if spans:
        spans[-1] = Span(spans[-1].text.rstrip(), spans[-1].role)
    if sum(len(span.text) for span in spans) > width:
        spans = _shortened(spans, width)
    return Row(tuple(span for span in spans if span.text), lit, key)


def _shortened(spans: Sequence[Span], width: int) -> list[Span]:
    found: list[Span] = []
    room = width
    for place, span in enumerate(spans):
        more = any(later.text.strip() for later in spans[place + 1 :])
        if len(span.text) < room or (len(span.text) == room and not more):
            found.append(span)
            room -= len(span.text)
            continue
        found.append(Span(span.text[: max(0, room - 1)] + "…"[:room], span.role))
        break
    return found


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table, before its columns have their places."""

    cells: tuple[Span, ...]
    lit: Role | None = None
    changed: bool = False
    key: int | None = None


def table(lines: Sequence[Line], width: int, drop: Sequence[int] = (), *, least: int = 8) -> Rows:
    """Rows with aligned columns. The last gives way, down to `least`; then the columns in `drop` go, in that order."""
    count = max((len(item.cells) for item in lines), default=0)
    blank = Span("")
    cells = [item.cells + (blank,) * (count - len(item.cells)) for item in lines]
    widths = [max(len(each[column].text) for each in cells) for column in range(count)]
    kept = [column for column in range(count) if widths[column]]

    def needed() -> int:
        last = count - 1
        return GUTTER + sum((min(widths[c], least) if c == last else widths[c]) + 1 for c in kept) - 1

    for column in drop:
        if needed() <= width:
            break
        if column in kept:
            kept.remove(column)
    return tuple(
        line(
            width,
            *(Span(f"{each[column].text:<{widths[column]}} ", each[column].role) for column in kept),
            lit=item.lit,
            changed=item.changed,
            key=item.key,
        )
        for each, item in zip(cells, lines, strict=True)
    )


def flow(parts: Iterable[Span], width: int, *, indent: int = 4, gap: int = 1) -> Rows:
    """The parts one after another, in as many rows as they need; the later ones are indented."""
    rows: list[list[Span]] = [[]]
    room = width - GUTTER
    for part in parts:
        if rows[-1] and len(part.text) > room:
            rows.append([Span(" " * indent)] if indent else [])
            room = width - GUTTER - indent
        rows[-1] += [part, Span(" " * gap)]
        room -= len(part.text) + gap
    return tuple(line(width, *spans) for spans in rows)


def sentence(text: str, width: int, role: Role = Role.DIM) -> Rows:
    """Text in as many rows as it needs."""
    return tuple(line(width, Span(part, role)) for part in textwrap.wrap(text, max(8, width - GUTTER)))


def structure(found: Structure, width: int) -> Rows:
    """Every field of a structure: bits, name, value, meaning; the meaning below where it does not fit beside."""
    fields = found.fields
    bits = max(len(field.bits) for field in fields)
    names = max(len(field.name) for field in fields)
    rows: list[Row] = []
    for field in fields:
        head = (
            Span(f"{field.bits:>{bits}} ", Role.DIM),
            Span(f"{field.name:<{names}} ", Role.LABEL),
            Span(f"{field.value:#x}", Role.VALUE),
        )
        used = GUTTER + sum(len(span.text) for span in head)
        if used + 2 + len(field.meaning) <= width:
            rows.append(line(width, *head, Span(f"  {field.meaning}")))
            continue
        indent = " " * (bits + 1)
        rows.append(line(width, *head))
        rows += [
            line(width, indent, Span(part))
            for part in textwrap.wrap(field.meaning, max(8, width - GUTTER - len(indent)))
        ]
    return tuple(rows)


def raw_bytes(address: int, raw: bytes, width: int) -> Rows:
    """Bytes in memory, with their addresses; eight or sixteen a row."""
    step = 16 if width >= GUTTER + len(f"{address:x}") + 2 + 48 else 8
    return tuple(
        line(width, Span(f"{address + at:x}  ", Role.ADDRESS), Span(raw[at : at + step].hex(" "), Role.VALUE))
        for at in range(0, len(raw), step)
    )


def touched(view: View, address: int, size: int) -> Role | None:
    """Whether the step that was performed last wrote, or read, any of `size` bytes at linear `address`."""
    procedure = view.procedure
    step = procedure.current if procedure is not None else None
    if step is None:
        return None
    if any(span.address < address + size and address < span.address + span.size for span in step.writes):
        return Role.WRITTEN
    if any(span.address < address + size and address < span.address + span.size for span in step.reads):
        return Role.READ
    return None
