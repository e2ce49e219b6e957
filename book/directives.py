"""What a page asks for: comments on lines of their own, and fenced blocks of commands and files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from book.problem import PageError

PART = re.compile(r"^<!-- book: (?P<asked>.+?) -->$", re.MULTILINE)
_SCREEN = re.compile(r"^<!-- screen: (?P<asked>.+?) \| (?P<caption>.+?) -->$", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(
    r"^(?P<fence>`{3,})(?P<language>[a-z]+)(?P<said>[^\n`]*)\n(?P<text>.*?)^(?P=fence)$", re.M | re.DOTALL
)
_FORM = "FILE --at MOMENT --press 'KEYS' --shows 'TEXT / TEXT' --size COLUMNSxROWS"
_SIZE = re.compile(r"(\d+)x(\d+)")


@dataclass(frozen=True, slots=True)
class Screen:
    """A picture of the debugger: `file` opened, gone to `at`, and then these keys pressed; it must show these texts."""

    file: str
    at: str
    press: tuple[str, ...]
    shows: tuple[str, ...]
    size: tuple[int, int]
    caption: str
    text: str
    """The comment as a whole."""


def screens(page: str) -> Iterator[Screen]:
    """The pictures that a page asks for, in order. Raises PageError."""
    for match in _SCREEN.finditer(page):
        words = shlex.split(match["asked"])
        options = dict(zip(words[1::2], words[2::2], strict=False))
        size = _SIZE.fullmatch(options.pop("--size", "120x36"))
        at, press = options.pop("--at", ""), tuple(options.pop("--press", "").split())
        shows = tuple(filter(None, options.pop("--shows", "").split(" / ")))
        if options or size is None or len(words) % 2 == 0:
            raise PageError(f"a screen is {_FORM}, not {match['asked']!r}")
        caption = " ".join(match["caption"].split())
        yield Screen(words[0], at, press, shows, (int(size[1]), int(size[2])), caption, match[0])


def options_of(said: str) -> dict[str, str]:
    """What stands behind the language of a block: `title="hello.S" exit=1`."""
    return {name: value for name, _, value in (word.partition("=") for word in shlex.split(said))}
