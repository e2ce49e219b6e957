"""Which file is shown for a path in debugging information, and which never is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from idtviz.lab.source_files import LARGEST_SOURCE, SourceFiles


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A kernel with two files of one name, and something beside it that is nobody's business."""
    for name in ("os/kernel/irq.c", "os/drivers/irq.c", "os/build/notes.c", "secret.c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{name}\nline 2\n")
    return tmp_path


def test_a_path_below_the_folder_is_that_file(tree):
    found = SourceFiles([tree / "os"])
    assert found.lines(f"{tree}/os/kernel/irq.c") == ("os/kernel/irq.c", "line 2")
    assert found.lines(f"{tree}/os/drivers/irq.c") == ("os/drivers/irq.c", "line 2")


def test_a_path_below_the_folder_is_no_other_file_of_its_name(tree):
    assert SourceFiles([tree / "os" / "kernel"]).lines(f"{tree}/os/kernel/gone/irq.c") is None


def test_a_path_of_another_machine_is_found_by_as_many_components_as_agree(tree):
    found = SourceFiles([tree / "os"])
    assert found.lines("/home/me/work/kernel/irq.c") == ("os/kernel/irq.c", "line 2")
    assert found.lines("C:/Users/me/os/drivers/irq.c") == ("os/drivers/irq.c", "line 2")
    assert found.lines("kernel/irq.c") == ("os/kernel/irq.c", "line 2")


def test_a_folder_beside_the_sources_does_not_lead_to_them(tree):
    assert SourceFiles([tree / "os" / "build"]).lines("/home/me/os/kernel/irq.c") is None


def test_a_file_that_two_paths_lead_to_is_that_of_the_path_with_more_in_common(tree):
    found = SourceFiles([tree / "os" / "kernel"])
    assert found.lines("/a/mm/irq.c") is not None
    assert SourceFiles([tree / "os"]).lines("/a/mm/irq.c") is None
    both = SourceFiles([tree])
    assert both.lines("/x/secret.c") is not None
    assert both.lines("/y/secret.c") is None, "nothing tells the two apart"
    assert both.lines("/x/secret.c") is None


def test_folders_are_searched_in_order(tree):
    found = SourceFiles([tree / "os" / "drivers", tree / "os" / "kernel"])
    assert found.lines("irq.c") == ("os/drivers/irq.c", "line 2")


@pytest.mark.parametrize(
    "path", ["", "/", ".", "../secret.c", "/os/../../secret.c", "a\0b.c", "/".join("a" * 200), "os"]
)
def test_a_path_that_leads_elsewhere_gives_nothing(tree, path):
    assert SourceFiles([tree / "os"]).lines(path) is None


def test_a_link_out_of_the_folder_is_not_followed(tree):
    (tree / "os" / "link.c").symlink_to(tree / "secret.c")
    (tree / "os" / "away").symlink_to(tree)
    found = SourceFiles([tree / "os"])
    assert [found.lines(path) for path in ("/x/link.c", "/x/away/secret.c")] == [None, None]


def test_only_regular_files_of_a_sane_size_are_read(tree):
    os.mkfifo(tree / "os" / "pipe.c")
    (tree / "os" / "large.c").write_bytes(b"\n" * (LARGEST_SOURCE + 1))
    found = SourceFiles([tree / "os"])
    assert [found.lines(path) for path in ("pipe.c", "large.c", "kernel")] == [None] * 3


def test_lines_are_counted_as_a_compiler_counts_them(tree):
    (tree / "os" / "odd.c").write_bytes(b"one\r\n\ftwo\x0b\xe2\x80\xa8still two\n\tthree\xff")
    assert SourceFiles([tree / "os"]).lines("odd.c") == ("one", "\ftwo\x0b\u2028still two", "\tthree\ufffd")


def test_a_file_is_read_once(tree):
    found = SourceFiles([tree / "os"])
    first = found.lines("kernel/irq.c")
    (tree / "os/kernel/irq.c").write_text("changed")
    assert found.lines("kernel/irq.c") is first
