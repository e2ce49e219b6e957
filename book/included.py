"""Sections of the files at the root of the repository, so that nothing is said twice."""

from __future__ import annotations

import re
from pathlib import Path

from book.problem import PageError

ROOT = Path(__file__).resolve().parent.parent
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


def sections(path: str, prefix: str) -> str:
    """The sections of a file whose headings begin with `prefix`, headings and all. Raises PageError."""
    parts = _HEADING.split((ROOT / path).read_text(encoding="utf-8"))
    found = [
        f"## {heading}\n\n{text.strip()}"
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
        if heading.startswith(prefix)
    ]
    if not found:
        raise PageError(f"{path} has no section that begins with {prefix!r}")
    return "\n\n".join(found)


def section(path: str, heading: str) -> str:
    """The text of one section, without its heading. Raises PageError."""
    return sections(path, heading).partition("\n\n")[2]
