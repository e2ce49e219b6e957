"""A class that has everything in it, each of which comes to what it deserves."""

from __future__ import annotations

import os
import sys

import pytest

from idtviz.cli.grade import PROCESS
from idtviz.lab.grading.bundle import bundle
from idtviz.lab.grading.cluster import command
from idtviz.lab.grading.grader import Grader
from idtviz.lab.grading.plan import plan
from idtviz.lab.grading.pool import grade_here
from idtviz.lab.grading.submissions import Submission, read_all
from idtviz.lab.grading.verdicts import Kind, Word
from tests.lab.grading.classroom import LAB, NOT_BUILT, hand_in

SLOW = ("nested-bomb", "bomb", "flood")
"""Stopped only after seconds; `python -m tests.lab.grading.thousand` has them, too."""
RIGHT = {"handler.S": (LAB.parent / "solutions" / "handler.S").read_bytes()}


@pytest.fixture(scope="module")
def lab():
    return bundle(LAB, LAB.name)


@pytest.fixture(scope="module")
def graded(lab, tmp_path_factory):
    folder = tmp_path_factory.mktemp("class") / "hand-ins"
    expected = hand_in(folder, 60, without=SLOW)
    submissions = read_all(folder, plan(LAB, LAB.name).todo, lab.files).submissions
    found = grade_here(command(PROCESS), lab, submissions, jobs=2, pictures=False)
    return expected, {verdict.student: verdict for verdict in found}


def test_every_verdict_is_the_one_that_is_deserved_and_none_is_lost(graded):
    expected, found = graded
    assert {name: verdict.word for name, verdict in found.items()} == expected


def test_only_what_is_right_has_all_points(graded):
    _, found = graded
    assert {verdict.score == 100 for verdict in found.values() if verdict.passed} == {True}
    assert max(verdict.score for verdict in found.values() if not verdict.passed) < 50
    assert {verdict.score for verdict in found.values() if verdict.word not in (Word.PASSED, Word.FAILED)} == {0}


def test_the_reason_is_said_in_terms_of_the_machine_with_its_line(graded):
    _, found = graded
    (kept,) = (verdict for name, verdict in found.items() if name.endswith("-error-code-kept"))
    assert "STK001: the handler of #PF returns with the error code 0x2 still on the stack" in kept.why
    assert kept.why.startswith("handler.S:")


def test_nothing_of_the_computer_gets_into_what_is_said(graded):
    _, found = graded
    assert not [verdict for verdict in found.values() if "root:" in str(verdict.to_json())]


# What goes wrong in a process stays there


def graded_by(way, where="run", limits="", lab=None, *, pictures=False, files=RIGHT, names=("ada",)):
    packed = lab if lab is not None else bundle(LAB, LAB.name)
    files_of_lab = dict(packed.files)
    if limits:
        text = files_of_lab["memory.grade.toml"].decode().replace("seconds = 20", limits)
        files_of_lab["memory.grade.toml"] = text.encode()
    process = (sys.executable, "-m", "tests.lab.grading.fragile", where, way)
    with Grader(process, type(packed)(packed.scenario, files_of_lab), pictures=pictures) as grader:
        return [grader.grade(Submission(name, files)) for name in names]


def test_an_engine_that_aborts_costs_the_hand_in_its_points_and_no_other(lab):
    first, second = graded_by("abort", lab=lab, names=("ada", "bob"))
    assert (first.word, first.score) == (Word.CRASHED, 0)
    assert first.why == "as handed out: the emulator crashed (SIGABRT)"
    assert "assertion failed in the engine" in first.output
    assert (second.student, second.word) == ("bob", Word.CRASHED)


def test_what_takes_for_ever_is_stopped(lab):
    (first,) = graded_by("hang", limits="seconds = 1", lab=lab)
    assert (first.word, first.why) == (Word.OUT_OF_TIME, "as handed out: it was stopped after 1 s")


def test_what_takes_all_memory_gets_none(lab):
    (first,) = graded_by("memory", lab=lab)
    assert first.word is Word.OUT_OF_MEMORY


def test_a_parent_that_is_killed_is_started_anew_a_few_times(lab):
    (first,) = graded_by("parent", lab=lab)
    assert (first.word, first.why) == (Word.CRASHED, "the process that had started it died, 3 times")


def test_what_it_leaves_behind_ends_with_it(lab):
    (first,) = graded_by("leave", lab=lab)
    left = int(first.output.rpartition("left ")[2])
    with pytest.raises(ProcessLookupError):
        os.kill(left, 0)


def test_a_picture_that_cannot_be_drawn_leaves_the_verdict(lab):
    wrong = {"handler.S": RIGHT["handler.S"].replace(b"out     0x20, al", b"")}
    (first,) = graded_by("abort", "draw", lab=lab, pictures=True, files=wrong)
    assert (first.word, first.picture) == (Word.FAILED, None)
    assert {check.kind for check in first.checks} == set(Kind)


def test_there_is_a_text_for_each_way_not_to_build():
    assert set(SLOW) - {"flood"} < set(NOT_BUILT)
