"""Random cases from a fixed seed, and every case that ever disagreed, do in idtviz what they do in Bochs."""

from __future__ import annotations

import pytest

from tests.oracle.bochs import judge
from tests.oracle.case import Answer

from .compare import Verdict, judged
from .disagreed import Disagreed, disagreed
from .generator import MODES, Mode, random_case
from .reasons import REASONS
from .run import Share, judge_share

CASES = 300
"""Random cases of each mode: those with the first seeds."""

DISAGREED = disagreed()


def wrong(verdicts: list[Verdict]) -> list[str]:
    return [f"{verdict.name} ({verdict.row}): {verdict.difference}" for verdict in verdicts if verdict.difference]


@pytest.mark.parametrize("mode", MODES)
def test_random_cases_do_what_bochs_does(mode: Mode) -> None:
    verdicts = judge_share(Share(mode, 0, CASES))
    assert not wrong(verdicts)
    judged_at_all = [verdict for verdict in verdicts if verdict.unjudged is None]
    assert len(judged_at_all) > 0.95 * CASES
    assert len({verdict.row for verdict in judged_at_all}) >= 8


@pytest.fixture(scope="module")
def bochs() -> dict[str, Answer]:
    """Bochs' answers to the cases that ever disagreed, by recipe."""
    answers = judge([one.case for one in DISAGREED])
    return {one.recipe: answer for one, answer in zip(DISAGREED, answers, strict=True)}


@pytest.mark.parametrize("one", DISAGREED, ids=lambda one: f"{one.recipe} {one.wrong}")
def test_a_case_that_once_disagreed_does_what_bochs_does(one: Disagreed, bochs: dict[str, Answer]) -> None:
    assert not wrong([judged(one.case, bochs[one.recipe])])


@pytest.mark.parametrize("mode", MODES)
def test_the_same_seed_gives_the_same_case(mode: Mode) -> None:
    assert [random_case(seed, mode) for seed in range(20)] == [random_case(seed, mode) for seed in range(20)]
    cases = [random_case(seed, mode) for seed in range(20)]
    assert len({(case.state, case.memory, case.inject) for case in cases}) > 10


def test_every_reason_says_what_bochs_does_what_the_manual_says_and_where() -> None:
    assert all(reason.name and reason.bochs and reason.manual and reason.source for reason in REASONS)
