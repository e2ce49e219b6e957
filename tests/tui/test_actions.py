"""The registry of keys: all that is said about keys elsewhere agrees with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from idtviz.tui.actions import ACTIONS, PANEL_HELP, PANELS, TABS
from idtviz.tui.debugger import DebuggerScreen
from idtviz.tui.panel import RowsPanel
from idtviz.view import status
from idtviz.view.status import key_name

README = Path(__file__).parents[2] / "README.md"
DIGITS = {"1", "0"}  # `1` to `0`
KEYS = {key_name(key) for action in ACTIONS for key in action.keys.split(",")}


def keys_in_readme() -> set[str]:
    """What stands in backticks in the first column of the table of keys."""
    _, _, after = README.read_text().partition("\n## Keys\n")
    table, _, _ = after.partition("\n## ")
    return {
        key
        for row in re.findall(r"^\| (.*?) \| ", table.strip().split("\n\n", maxsplit=1)[0], re.MULTILINE)
        for key in re.findall(r"`([^`]+)`", row)
    }


def test_the_readme_has_every_key_and_no_other() -> None:
    named = keys_in_readme()
    assert named <= KEYS | DIGITS
    assert {key_name(action.keys.split(",")[0]) for action in ACTIONS} <= named


def test_no_key_does_two_things() -> None:
    keys = [key for action in ACTIONS for key in action.keys.split(",")]
    assert len(keys) == len(set(keys))
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)


def test_no_panel_takes_a_key_of_the_screen() -> None:
    taken = {key for binding in RowsPanel.BINDINGS for key in binding.key.split(",")}  # type: ignore[union-attr]
    assert not taken & {key for action in ACTIONS for key in action.keys.split(",")}


@pytest.mark.parametrize("action", [action for action in ACTIONS if action.id != "quit"], ids=lambda item: item.id)
def test_every_key_has_something_to_do(action) -> None:
    assert callable(getattr(DebuggerScreen, f"action_{action.id}"))


def test_every_panel_is_explained() -> None:
    assert set(PANEL_HELP) == {*PANELS, "timeline"}
    assert len(PANELS) == len(TABS) == 10


def test_keys_that_a_panels_help_speaks_of_exist() -> None:
    for text in PANEL_HELP.values():
        spoken = re.findall(r"(?:Press |; | and |^)([a-z]) (?:on|stops|sets|asks|goes)\b", text)
        assert set(spoken) <= KEYS


@pytest.mark.parametrize("width", [40, 58, 68, 100])
def test_the_list_of_keys_is_never_cut(width: int) -> None:
    rows = status.keys(ACTIONS, width)
    assert all(len(row.text) <= width for row in rows)
    words = " ".join(" ".join(row.text for row in rows).split())
    assert all(action.help in words for action in ACTIONS)


@pytest.mark.parametrize("width", [40, 80, 100, 160])
def test_help_and_quit_stand_in_the_bottom_line_of_every_screen(width: int) -> None:
    shown = [(action.keys.split(",")[0], action.label) for action in ACTIONS if action.footer]
    (row,) = status.foot(shown, width).rows
    assert len(row.text) <= width
    assert "? help" in row.text
    assert "q quit" in row.text
