"""Markdown out of the code's own texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\`*_{}\[\]>#|])")
_CODE = re.compile(r"(`[^`]+`)")
_ANCHOR = re.compile(r"[^a-z0-9]+")


def escaped(text: str) -> str:
    """Plain text, on one line, of which nothing is taken for Markdown but what stands between backquotes."""
    pieces = _CODE.split(" ".join(text.split()))
    return "".join(code(piece[1:-1]) if _CODE.fullmatch(piece) else _plain(piece) for piece in pieces)


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;"))


def code(text: str) -> str:
    """Text as it would be typed."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose cells are Markdown."""
    lines = [_line(heads), _line(["---"] * len(heads)), *(_line(row) for row in rows)]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def anchor(text: str) -> str:
    """The name of a place on a page: `STK001`, `idt.limit` and `#PF` become `stk001`, `idt-limit` and `pf`."""
    return _ANCHOR.sub("-", text.lower()).strip("-")
