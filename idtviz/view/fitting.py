"""Rows that are too long for their panel: what is left out is left out word by word, and an ellipsis stands for it.

A number that has lost its last digits is another number: only names are shortened within.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from idtviz.view.layout import cut
from idtviz.view.row import Role, Row, Span

_LEAST_OF_A_NAME = 6  # columns: with fewer, a name is left out


def clip(text: str, width: int) -> str:
    """As many whole words of `text` as `width` has room for."""
    if len(text) <= width:
        return text
    if width < 1:
        return ""
    end = text.rfind(" ", 0, width - 1)
    return f"{text[:end].rstrip(' ·(')} …" if end > 0 and text[:end].strip() else "…"


def fitted(row: Row, width: int) -> Row:
    """The row in at most `width` columns."""
    if len(row.text) <= width:
        return row
    kept: list[Span] = []
    room = width
    for span in row.spans:
        if len(span.text) < room:
            kept.append(span)
            room -= len(span.text)
            continue
        rest = _rest(span, room)
        kept += [Span(rest, span.role)] if rest != "…" else []
        break
    return Row(_within(kept, width), row.lit, row.key)


def _rest(span: Span, room: int) -> str:
    name = span.text.strip()
    blanks = len(span.text) - len(span.text.lstrip())
    if span.role is Role.SYMBOL and " " not in name and room >= blanks + _LEAST_OF_A_NAME:
        name, plus, _ = cut(span.text, room).partition("+")
        return f"{name}+…" if plus else name
    return clip(span.text, room)


def _within(spans: Sequence[Span], width: int) -> tuple[Span, ...]:
    """The spans, the last of which is the ellipsis or ends with it, without blanks or arrows that lead nowhere."""
    kept = [span for span in spans if span.text]
    if kept and kept[-1].text.endswith("…"):
        return tuple(kept)
    while kept and not any(char.isalnum() for char in kept[-1].text):
        kept.pop()
    blank = "" if kept and kept[-1].text.endswith(" ") else " "
    if sum(len(span.text) for span in kept) + len(blank) + 1 <= width:
        return (*kept, Span(f"{blank}…", Role.DIM))
    if not kept:
        return (Span("…", Role.DIM),)
    last = kept.pop()
    shorter = clip(f"{last.text} …", len(last.text))
    return _within(kept, width) if shorter == "…" else (*kept, Span(shorter, last.role))


def told(head: Sequence[Span], text: Span, width: int, *, lit: Role | None = None) -> list[Row]:
    """`text` behind `head`, in as many rows as it needs, one part below the other."""
    indent = sum(len(span.text) for span in head)
    parts = textwrap.wrap(text.text, max(12, width - indent), break_long_words=False) or [""]
    first = Row((*head, Span(parts[0], text.role)), lit)
    return [first, *(Row((Span(" " * indent), Span(part, text.role)), lit) for part in parts[1:])]
