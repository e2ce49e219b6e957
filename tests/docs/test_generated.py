"""What the program has, the book has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest
from pydantic import BaseModel

from book.commands import tree
from book.keys import caps
from idtviz.checks.rules import RULES as CHECKS
from idtviz.lab.grading.grade_file import GradeFile
from idtviz.lab.library import bugs, shipped
from idtviz.lab.scenario import Scenario
from idtviz.machine.delivery.rules import RULES
from idtviz.tui.actions import ACTIONS, PANEL_HELP
from idtviz.tui.commands import WORDS
from idtviz.x86.vectors import VECTORS
from tests.docs.pages import Site, squeezed


def says(site: Site, page: str, *texts: str) -> bool:
    """Whether a page says these one after the other, however its lines are broken."""
    said, place = site.page(page).text, 0
    for text in texts:
        place = said.find(squeezed(text.replace("`", "")), place)
        if place < 0:
            return False
    return True


def test_every_key_is_on_the_page_of_keys_with_what_it_does(site: Site) -> None:
    assert not [each.id for each in ACTIONS if not says(site, "keys.html", *caps(each), each.label, each.help)]


def test_every_panel_is_explained(site: Site) -> None:
    assert not [name for name, text in PANEL_HELP.items() if not says(site, "keys.html", text)]


def test_every_word_of_the_debuggers_command_line_is_named(site: Site) -> None:
    assert says(site, "keys.html", ", ".join(WORDS))


def test_every_command_is_described_with_its_options(site: Site) -> None:
    for name, command in tree().items():
        assert says(site, "commands.html", f"idtviz {name}", command.help or ""), name
        options = {option for each in command.params for option in (*each.opts, *each.secondary_opts)} - {"--help"}
        said = site.page("commands.html").text
        assert not [
            option for option in options if option.startswith("-") and option != "--help" and option not in said
        ]


def test_every_check_has_its_section(site: Site) -> None:
    places = site.page("rules.html").places
    for rule in CHECKS:
        assert says(
            site, "rules.html", f"{rule.id} · {rule.title}", rule.severity.value, rule.why, rule.fix, rule.source
        ), rule.id
        assert rule.id.lower() in places


def test_every_rule_of_a_delivery_has_its_section(site: Site) -> None:
    rules = RULES.values()
    missing = [it.id for it in rules if not says(site, "deliveries.html", f"{it.id} · {it.title}", it.why, it.source)]
    assert not missing


def test_every_vector_of_the_processor_is_explained(site: Site) -> None:
    for vector in VECTORS[:32]:
        head = f"{vector.mnemonic} · {vector.title}"
        assert says(site, "vectors.html", head, vector.explanation, vector.source), head


def keys_of(model: type[BaseModel]) -> Iterator[str]:
    """Every key that a file may have, of tables inside of others too."""
    for name, field in model.model_fields.items():
        yield field.alias or name
        for part in models_in(field.annotation):
            yield from keys_of(part)


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from models_in(each)


@pytest.mark.parametrize(("model", "page"), [(Scenario, "scenario_file.html"), (GradeFile, "grading.html")])
def test_every_key_of_a_file_is_described(site: Site, model: type[BaseModel], page: str) -> None:
    said = site.page(page).text + site.page("scenario_file.html").text
    assert not [key for key in keys_of(model) if key not in said]


_PAGES = {"bugs": "rules.html", "course": "first_lesson.html"}


def test_every_scenario_is_listed(site: Site) -> None:
    there = [item for item in (*shipped(), *bugs()) if not item.name.endswith("_fixed")]
    for item in there:
        page = _PAGES.get(item.name.rpartition("/")[0], "scenarios.html")
        assert says(site, page, item.name, item.summary), item.name
