"""From what a process told, and how it ended, to a verdict with its points."""

from __future__ import annotations

import signal

import pytest

from idtviz.lab.grading.grade_file import PointsSection
from idtviz.lab.grading.judging import Death, judge
from idtviz.lab.grading.verdicts import Check, Kind, Verdict, Word

DONE = Death(0, late=False, seconds=60, output="")


def check(kind, *, ok=True, weight=1.0):
    return {"check": Check(kind, kind.value, ok, weight, f"seen by {kind.value}").to_json()}


def judged(*records, death=DONE):
    return judge(records, death, PointsSection())


ALL = [check(kind) for kind in Kind]


def test_what_holds_in_everything_has_passed():
    assert (judged(*ALL, {"graded": True}).word, judged(*ALL, {"graded": True}).score) == (Word.PASSED, 100)


def test_expectations_share_their_points_and_cases_have_theirs_by_weight():
    records = [check(Kind.EXPECT), check(Kind.EXPECT), check(Kind.CASE, weight=2.0), check(Kind.CASE, ok=False)]
    found = judged(*records, check(Kind.RULES), {"graded": True})
    assert (found.word, found.score) == (Word.FAILED, 25 + 25 + 20 + 20)
    assert found.why == "seen by case"


def test_that_rules_find_nothing_counts_only_where_something_works():
    found = judged(check(Kind.EXPECT, ok=False), check(Kind.RULES), {"graded": True})
    assert (found.word, found.score) == (Word.FAILED, 0)


def test_points_add_up_to_100_whatever_parts_there_are():
    assert sum(each.weight for each in judged(check(Kind.EXPECT), check(Kind.RULES)).checks) == 70
    assert judged(check(Kind.EXPECT), check(Kind.RULES), {"graded": True}).score == 100


@pytest.mark.parametrize(
    ("death", "word"),
    [
        (Death(-signal.SIGABRT, late=False, seconds=60, output=""), Word.CRASHED),
        (Death(-signal.SIGSEGV, late=False, seconds=60, output=""), Word.CRASHED),
        (Death(1, late=False, seconds=60, output=""), Word.CRASHED),
        (Death(0, late=False, seconds=60, output=""), Word.CRASHED),
        (Death(-signal.SIGXCPU, late=False, seconds=60, output=""), Word.OUT_OF_TIME),
        (Death(-signal.SIGKILL, late=True, seconds=60, output=""), Word.OUT_OF_TIME),
        (Death(-signal.SIGKILL, late=False, seconds=60, output=""), Word.OUT_OF_MEMORY),
    ],
)
def test_a_process_that_did_not_come_to_its_end_has_no_points(death, word):
    found = judged({"stage": "building"}, check(Kind.BUILD), {"stage": "variation 1"}, death=death)
    assert (found.word, found.score) == (word, 0)
    assert found.why.startswith("variation 1: ")


def test_a_death_behind_the_judgement_leaves_it_as_it_is():
    killed = Death(-signal.SIGKILL, late=True, seconds=60, output="")
    assert judged(*ALL, {"graded": True}, death=killed).word is Word.PASSED


def test_a_verdict_goes_through_json_and_comes_out_whole():
    found = judged(*ALL, {"why": "x", "where": "y"}, {"graded": True}, {"picture": "<svg/>"}).of("ada\udcff")
    assert Verdict.from_json(found.to_json()) == found
