"""What a visitor may touch: nothing but a folder of their own."""

from pathlib import Path

import pytest

from idtviz.lab.premises import DATA_VARIABLE, VISITOR_VARIABLE, premises
from idtviz.lab.session import LabSession
from idtviz.tui.commands import interpret
from idtviz.tui.problem import CommandError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A visitor's."""
    found = tmp_path / "visitor"
    found.mkdir()
    monkeypatch.setenv(DATA_VARIABLE, str(found))
    monkeypatch.setenv(VISITOR_VARIABLE, "1")
    return found


def test_a_visitor_keeps_everything_in_the_folder_that_the_server_gave(folder):
    assert premises().data == folder
    assert not premises().trusted


def test_a_visitor_may_name_files_of_that_folder_only(folder):
    (folder / "way_out").symlink_to("/etc")
    assert premises().allow(folder / "handler.S")
    for path in (Path("/etc/passwd"), folder / "../other", folder / "way_out/passwd", folder.parent):
        assert not premises().allow(path)


def test_at_a_terminal_every_file_is_ones_own(monkeypatch):
    monkeypatch.delenv(VISITOR_VARIABLE, raising=False)
    assert premises().allow(Path("/etc/passwd"))


def test_a_visitors_session_is_not_saved(folder):
    session = LabSession.open("page_fault")
    with pytest.raises(CommandError, match="not saved"):
        interpret(f"save {folder / 'mine'}", session)
    assert list(folder.iterdir()) == []
