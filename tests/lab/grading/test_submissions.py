"""Reading the folder in which the hand-ins are, whatever is in there."""

from __future__ import annotations

import os

import pytest

from idtviz.lab.grading.submissions import LARGEST, read_all
from idtviz.lab.grading.verdicts import Word
from idtviz.lab.problems import ScenarioError

HANDED_OUT = {"handler.S": b"nop\n", "other.S": b"ret\n"}


def read(folder, todo=("handler.S",)):
    return read_all(folder, todo, HANDED_OUT)


def one(folder, todo=("handler.S",)):
    (submission,) = read(folder, todo).submissions
    return submission


def test_a_file_is_the_hand_in_of_the_student_with_its_name(tmp_path):
    (tmp_path / "ada.s").write_bytes(b"iretq\n")
    assert (one(tmp_path).student, one(tmp_path).files) == ("ada", {"handler.S": b"iretq\n"})


def test_of_a_folder_only_the_files_to_write_are_taken(tmp_path):
    (tmp_path / "ada" / "src").mkdir(parents=True)
    (tmp_path / "ada" / "handler.S").write_bytes(b"iretq\n")
    (tmp_path / "ada" / "kernel.S").write_bytes(b"hlt\n")
    assert one(tmp_path).files == {"handler.S": b"iretq\n"}


def test_two_students_with_one_stem_are_two(tmp_path):
    (tmp_path / "ada.S").write_bytes(b"iretq\n")
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "handler.S").write_bytes(b"ret\n")
    assert [each.student for each in read(tmp_path).submissions] == ["ada", "ada.S"]


def test_hidden_files_are_told_and_not_graded(tmp_path):
    (tmp_path / "ada.S").write_bytes(b"iretq\n")
    (tmp_path / ".DS_Store").write_bytes(b"x")
    found = read(tmp_path)
    assert (len(found.submissions), found.skipped) == (1, (".DS_Store",))


def make_link(path):
    path.symlink_to("/etc/passwd")


def make_large(path):
    path.write_bytes(b"\n" * (LARGEST + 1))


@pytest.mark.parametrize(
    ("make", "word", "why"),
    [
        (make_link, Word.REFUSED, "is a link"),
        (os.mkfifo, Word.REFUSED, "not a regular file"),
        (make_large, Word.REFUSED, "larger than 1 MiB"),
        (lambda path: path.write_bytes(b"  \n"), Word.EMPTY, "is empty"),
        (lambda path: path.write_bytes(b"nop\r\n\r\n"), Word.EMPTY, "nothing was written"),
    ],
)
def test_what_is_no_work_is_not_tried(tmp_path, make, word, why):
    make(tmp_path / "ada.S")
    refused = one(tmp_path).refused
    assert (refused.word, refused.score) == (word, 0)
    assert why in refused.why


def test_a_link_to_a_folder_is_not_followed(tmp_path):
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "ada").symlink_to(tmp_path)
    assert one(tmp_path / "class").refused.word is Word.REFUSED


def test_a_single_file_is_not_enough_where_two_are_to_be_written(tmp_path):
    (tmp_path / "ada.S").write_bytes(b"iretq\n")
    assert "expected a folder with handler.S, other.S" in one(tmp_path, ("handler.S", "other.S")).refused.why


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_what_is_no_folder_of_hand_ins_is_said(tmp_path, name):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ScenarioError, match="cannot be read as a folder"):
        read(tmp_path / name)
