"""In which line of a TOML text each key stands, so that a complaint can name the place.

Reads only what `tomllib` has accepted; TOML 1.0.0 gives the grammar.
"""

from __future__ import annotations

import bisect
import re

Path = tuple[str | int, ...]
"""Keys and array indices from the top: `("input", 0, "keys")`."""

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})', re.DOTALL),
    re.compile(r"'''.*?'''(?:'{0,2})", re.DOTALL),
    re.compile(r'"(?:[^"\\]|\\.)*"'),
    re.compile(r"'[^']*'"),
)
_PLAIN = re.compile(r"[^,\]}#\n]*")
_DEEPEST = 6


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of `path`, or of the nearest thing around it that has one."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def key_lines(text: str) -> dict[Path, int]:
    """The line, counted from 1, of each table, key and array element down to some depth."""
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[Path, int] = {}
        self._elements: dict[Path, int] = {}

    def read(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip_blank():
            before = self._at
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._assignment(table, 0)
            if self._at == before:
                break
        return self._lines

    def _skip_blank(self) -> bool:
        match = _BLANK.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at < len(self._text)

    def _mark(self, path: Path) -> None:
        self._lines.setdefault(path, bisect.bisect_left(self._newlines, self._at) + 1)

    def _header(self) -> Path:
        opening = 2 if self._text.startswith("[[", self._at) else 1
        start = self._at
        self._at += opening
        keys = self._key()
        after = self._at + opening
        path = self._resolve(keys[:-1])
        path = (*path, keys[-1]) if opening == 2 else self._resolve(keys)
        self._at = start
        self._mark(path)
        if opening == 2:
            number = self._elements.get(path, -1) + 1
            self._elements[path] = number
            path = (*path, number)
            self._mark(path)
        self._skip_blank()
        self._at = after
        return path

    def _resolve(self, keys: tuple[str, ...]) -> Path:
        """The path of a header's keys: a name of an array of tables stands for its last table."""
        path: Path = ()
        for key in keys:
            path = (*path, key)
            if path in self._elements:
                path = (*path, self._elements[path])
        return path

    def _key(self) -> tuple[str, ...]:
        keys = []
        while True:
            self._skip_blank()
            if self._text[self._at : self._at + 1] in ('"', "'"):
                raw = self._string()
                keys.append(raw[1:-1])
            else:
                match = _BARE_KEY.match(self._text, self._at)
                if match is None:
                    return tuple(keys) or ("",)
                keys.append(match.group())
                self._at = match.end()
            self._skip_blank()
            if self._text[self._at : self._at + 1] != ".":
                return tuple(keys)
            self._at += 1

    def _string(self) -> str:
        for pattern in _STRINGS:
            match = pattern.match(self._text, self._at)
            if match is not None:
                self._at = match.end()
                return match.group()
        self._at += 1
        return ""

    def _assignment(self, table: Path, depth: int) -> None:
        start = self._at
        keys = self._key()
        after, self._at = self._at, start
        for count in range(1, len(keys) + 1):
            self._mark((*table, *keys[:count]))
        self._at = after
        if self._text[self._at : self._at + 1] == "=":
            self._at += 1
            self._value((*table, *keys), depth)

    def _value(self, path: Path, depth: int) -> None:
        self._skip_blank()
        first = self._text[self._at : self._at + 1]
        if first in ('"', "'"):
            self._string()
        elif first in ("[", "{"):
            if depth < _DEEPEST:
                self._inside(path, depth, first)
            else:
                self._skip_brackets()
        else:
            match = _PLAIN.match(self._text, self._at)
            self._at = match.end() if match else self._at

    def _inside(self, path: Path, depth: int, opening: str) -> None:
        closing = "]" if opening == "[" else "}"
        self._at += 1
        number = 0
        while self._skip_blank():
            before = self._at
            character = self._text[self._at]
            if character == closing:
                self._at += 1
                return
            if character == ",":
                self._at += 1
                number += 1
            elif opening == "[":
                self._mark((*path, number))
                self._value((*path, number), depth + 1)
            else:
                self._assignment(path, depth + 1)
            if self._at == before:
                return

    def _skip_brackets(self) -> None:
        open_brackets = 0
        while self._skip_blank():
            character = self._text[self._at]
            if character in ('"', "'"):
                self._string()
                continue
            self._at += 1
            open_brackets += (character in "[{") - (character in "]}")
            if not open_brackets:
                return
