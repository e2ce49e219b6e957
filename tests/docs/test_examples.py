"""What a reader copies from a page is understood."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from book import running
from book.commands import tree
from book.directives import BLOCK, Screen, screens
from book.pictures import draw
from book.problem import PageError
from idtviz import Session
from idtviz.debugger.breakpoint_text import parse_breakpoint
from idtviz.debugger.editing import EditError
from idtviz.debugger.places import parse
from idtviz.debugger.symbols import Symbols
from idtviz.lab.grading.grade_file import GradeFile
from idtviz.lab.overrides import Overrides
from idtviz.lab.scenario import Scenario
from idtviz.tui.commands import LESSON_WORDS, interpret
from idtviz.tui.edit_commands import asked
from idtviz.tui.problem import CommandError
from tests.docs.pages import sources

_SHELL = ("sh", "console")
_INLINE = re.compile(r"`(idtviz [^`]+)`")
_SPAN = re.compile(r"`([^`]+)`")
PAGES = sources()


def command_lines() -> list[tuple[str, str]]:
    """Each line of a page that calls idtviz, in a block or in a sentence."""
    found = []
    for page, text in PAGES.items():
        for block in BLOCK.finditer(text):
            if block["language"] in _SHELL:
                lines = block["text"].replace("\\\n", " ").splitlines()
                found += [(page, line.removeprefix("$ ")) for line in lines if re.match(r"(\$ )?idtviz( |$)", line)]
        found += [(page, match[1]) for match in _INLINE.finditer(BLOCK.sub("", text)) if match[1] != "idtviz"]
    return found


def unknown_in(line: str) -> list[str]:
    """What a command line names and there is not."""
    words, known = shlex.split(line, comments=True)[1:], tree()
    if not words or words[0].startswith("-"):
        return [word for word in words if word not in ("--version", "--help")]
    name = words.pop(0)
    while words and f"{name} {words[0]}" in known:
        name += f" {words.pop(0)}"
    if name not in known:
        return [name]
    there = {option for each in known[name].params for option in (*each.opts, *each.secondary_opts)}
    return [word for word in words if word.startswith("-") and word.partition("=")[0] not in there]


def test_every_command_line_names_a_command_and_options_that_there_are() -> None:
    lines = command_lines()
    assert len(lines) > 40
    assert not [(page, line) for page, line in lines if unknown_in(line)]


def test_every_part_of_a_scenario_or_grade_file_on_a_page_is_understood() -> None:
    blocks = [(page, block) for page, text in PAGES.items() for block in BLOCK.finditer(text)]
    texts = [(page, block["text"]) for page, block in blocks if block["language"] == "toml"]
    for page, text in texts:
        found = tomllib.loads(text)
        if "seed" in found:
            GradeFile.model_validate(found)
        else:
            Scenario.model_validate({"title": page, "image": {"elf": "kernel.elf"}} | found)
    assert len(texts) > 5


class Names(Symbols):
    """The symbols that the pages speak of."""

    def address_of(self, name: str) -> int | None:
        return {"kernel_ready": 0x1000, "counter": 0x2000, "map_page": 0x3000}.get(name)

    def files(self, name: str) -> tuple[str, ...]:
        return ("kernel.c",) if name == "kernel.c" else ()

    def addresses_of_line(self, name: str, number: int) -> tuple[int, ...]:
        return (0x1000 + number,)


def first_column(page: str) -> list[str]:
    """What stands as code in the first column of the tables of a page."""
    rows = [line.split("|") for line in PAGES[page].splitlines() if line.startswith("| ")]
    return [span for row in rows for span in _SPAN.findall(row[1])]


def test_every_breakpoint_of_the_page_is_understood() -> None:
    for text in first_column("breakpoints.md"):
        parse_breakpoint(text, Names())


def test_every_moment_of_the_page_is_understood() -> None:
    for text in first_column("moments.md"):
        parse(text, Names())


@pytest.fixture(scope="module")
def in_the_handler() -> Session:
    """A machine that has every chip and a frame."""
    session = Session.open("page_fault", Overrides(apic=True))
    session.seek("page_fault_handler")
    return session


def test_every_edit_of_the_page_is_one_or_is_refused_by_the_state_of_this_machine(in_the_handler: Session) -> None:
    edits = [text for text in first_column("what_if.md") if "=" in text]
    for text in edits:
        try:
            asked(in_the_handler, text)
        except EditError as error:
            assert "cannot be" in str(error), text
    assert len(edits) > 20


def test_every_line_of_the_page_of_keys_is_understood_or_names_what_this_machine_does_not_have(
    in_the_handler: Session,
) -> None:
    lines = [text for text in first_column("keys.md") if " " in text or text.isalpha()]
    for line in [line for line in lines if line.split()[0] not in LESSON_WORDS]:
        try:
            interpret(line, in_the_handler)
        except CommandError as error:
            assert not str(error).startswith("no command"), line
            assert re.search("is no number of a|one run only|counter", str(error)), line


def test_every_picture_that_a_page_asks_for_is_asked_for_rightly() -> None:
    for page, text in PAGES.items():
        assert len(list(screens(text))) == text.count("<!-- screen:"), page


def test_a_screen_is_what_one_sees_after_these_keys() -> None:
    keys, shown = ("/", "#PF", "Enter", "m"), ("77+1", "check 1 of 25")
    draw(Screen("page_fault", "", keys, shown, (80, 24), "", ""))
    with pytest.raises(PageError, match="does not show 'check 2 of 25'"):
        draw(Screen("page_fault", "", keys, ("check 2 of 25",), (80, 24), "", ""))


def run_page(text: str, folder: Path) -> Any:
    return running.run_page(text, folder)


def test_what_a_command_prints_is_put_beneath_it(tmp_path: Path) -> None:
    page = run_page('```text title="sub/a.txt"\nhello\n```\n\n```console\n$ ls sub\n```\n', tmp_path)
    assert page.endswith("```console\n$ ls sub\na.txt\n```\n")


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("```console\n$ idtviz explain nonsense\n```\n", "ends with 2, not 0"),
        ("```console\n$ curl example.org\n```\n", "nothing else"),
        ("```console\nhello\n```\n", "output is not written"),
        ('```text title="../a.txt"\nhello\n```\n', "outside"),
    ],
)
def test_a_page_whose_commands_do_not_do_what_it_says_is_refused(tmp_path: Path, page: str, said: str) -> None:
    with pytest.raises(PageError, match=said):
        run_page(page, tmp_path)


def keys_in(value: Any) -> set[str]:
    """Every key of an object, of objects inside of it too."""
    if isinstance(value, dict):
        return set(value).union(*map(keys_in, value.values()))
    return set().union(*map(keys_in, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("scenario", ["page_fault", "double_fault_no_ist", "bugs/missing_eoi"])
def test_every_key_of_a_trace_is_described(scenario: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "idtviz", "trace", scenario, "--format", "json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    named = set(_SPAN.findall(BLOCK.sub("", PAGES["trace.md"])))
    assert not {line["type"] for line in lines} - named
    assert not set().union(*map(keys_in, lines)) - named - {"instruction"}
