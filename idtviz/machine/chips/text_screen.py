"""Text memory as text: pairs of a code page 437 character and its attribute, row by row.

Source: IBM PS/2 Video Subsystem Technical Reference, "Alphanumeric modes"; IBM code page 437.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

_BELOW_SPACE = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼"
_GLYPHS = _BELOW_SPACE + bytes(range(0x20, 0x7F)).decode("ascii") + "⌂" + bytes(range(0x80, 0xFF)).decode("cp437") + " "


@dataclass(frozen=True, slots=True)
class Screen:
    """A text screen: `raw` holds two bytes a cell, rows from the top. The texts are decoded when they are asked for."""

    raw: bytes
    columns: int = 80
    rows: int = 25

    @property
    def lines(self) -> tuple[str, ...]:
        """Each row as exactly `columns` characters; NUL and the no-break space show as the blanks that they are."""
        return _lines(self.raw, self.columns, self.rows)

    @property
    def attributes(self) -> tuple[bytes, ...]:
        """Each row's attribute bytes: bits 0-3 foreground, 4-6 background, 7 blink."""
        width = 2 * self.columns
        return tuple(self.raw[row * width + 1 : (row + 1) * width : 2] for row in range(self.rows))

    @property
    def text(self) -> str:
        """The rows without the blanks at their ends, joined by newlines; blank rows at the bottom are left out."""
        return "\n".join(line.rstrip() for line in self.lines).rstrip("\n")


def decode_text(raw: bytes, columns: int = 80, rows: int = 25) -> Screen:
    """The screen in `raw`: `columns * rows` cells. Cells beyond the end of `raw` are blank."""
    size = 2 * columns * rows
    return Screen(raw[:size].ljust(size, b"\0"), columns, rows)


@lru_cache(maxsize=16)
def _lines(raw: bytes, columns: int, rows: int) -> tuple[str, ...]:
    text = "".join(map(_GLYPHS.__getitem__, raw[0::2]))
    return tuple(text[row * columns : (row + 1) * columns] for row in range(rows))
