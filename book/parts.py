"""The parts of pages that are written from the code, by the names that pages ask for."""

from __future__ import annotations

from collections.abc import Callable

from book import catalogue, commands, fields, included, keys, rules
from book.directives import PART
from book.problem import PageError

PARTS: dict[str, Callable[[], str]] = {
    "keys": keys.keys,
    "panels": keys.panels,
    "words": commands.words,
    "commands": commands.commands,
    "machine options": commands.machine_options,
    "checks": rules.checks,
    "deliveries": rules.deliveries,
    "vectors": rules.vectors,
    "scenario keys": fields.scenario,
    "grade keys": fields.grade,
    "scenarios": catalogue.scenarios,
    "course": catalogue.course,
    "wrong kernels": catalogue.wrong_kernels,
}


def filled(page: str) -> str:
    """The page with all that it asks for. Raises PageError."""
    return PART.sub(lambda match: _part(match["asked"]), page)


def _part(asked: str) -> str:
    word, _, rest = asked.partition(" ")
    path, _, heading = (text.strip() for text in rest.partition(" | "))
    if word == "section":
        return included.section(path, heading)
    if word == "sections":
        return included.sections(path, heading)
    if asked not in PARTS:
        raise PageError(f"there is no part {asked!r}; there are {', '.join(PARTS)}, section and sections")
    return PARTS[asked]()
