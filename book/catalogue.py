"""The scenarios that come with idtviz, as their files describe them."""

from __future__ import annotations

from collections.abc import Iterable

from book.tables import anchor, code, escaped, table
from idtviz.checks.rules import BY_ID
from idtviz.lab.library import Shipped, bugs, shipped
from idtviz.lab.scenario_file import load

_COURSE = "course/"


def scenarios() -> str:
    """Those that show how things work."""
    return _table(item for item in shipped() if not item.name.startswith(_COURSE))


def course() -> str:
    """The lessons of the course, in their order."""
    return _table(item for item in shipped() if item.name.startswith(_COURSE))


def _table(items: Iterable[Shipped]) -> str:
    rows = [(code(item.name), escaped(item.title), escaped(item.summary)) for item in items]
    return table(("name", "title", "shows"), rows)


def wrong_kernels() -> str:
    """The kernels that are wrong in one way each, and the rules that speak of them."""
    wrong = [item for item in bugs() if not item.name.endswith("_fixed")]
    rows = [(code(item.name), escaped(item.summary), ", ".join(map(_link, _found(item)))) for item in wrong]
    return table(("scenario", "is wrong in this", "found by"), rows)


def _found(item: Shipped) -> tuple[str, ...]:
    scenario, _ = load(item.path, item.path.name)
    return tuple(name for entry in scenario.expect for name in entry.findings or ())


def _link(rule: str) -> str:
    return f'[{rule}](rules.md#{anchor(rule)} "{escaped(BY_ID[rule].title)}")'
