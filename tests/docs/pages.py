"""The pages of the book, as they are written and as they are read."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_SPACE = re.compile(r"\s+")


def sources() -> dict[str, str]:
    """Every page as it is written, by its name."""
    return {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}


def squeezed(text: str) -> str:
    return _SPACE.sub("", text)


class Read(HTMLParser):
    """What a page says, where it leads, what it fetches, and the places that it has."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.fetched: set[str] = set()
        self.places: set[str] = set()
        self._text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        elif tag == "link" and given.get("rel") not in ("next", "prev"):
            self.fetched.add(given["href"])
        elif tag in ("script", "img", "iframe", "source") and "src" in given:
            self.fetched.add(given["src"])

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    @property
    def text(self) -> str:
        """All of it, without any blanks: how lines are broken says nothing."""
        return squeezed("".join(self._text))


class Site:
    """The book as it was built."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pages: dict[str, Read] = {}

    @property
    def names(self) -> list[str]:
        return [path.relative_to(self.folder).as_posix() for path in sorted(self.folder.rglob("*.html"))]

    def page(self, name: str) -> Read:
        if name not in self._pages:
            self._pages[name] = Read((self.folder / name).read_text(encoding="utf-8"))
        return self._pages[name]
