"""Our machine and the real Bochs CPU do the same in every case: events, frames, each byte of memory, each register."""

from __future__ import annotations

from dataclasses import replace

import pytest

from . import ours
from .bochs import judge
from .case import SEGMENT_REGISTERS, Answer, Segment, State
from .cases import NAMED_CASES, OTHER_MODES
from .differences import REASONS
from .other_differences import OTHER_REASONS

CASES = NAMED_CASES | OTHER_MODES
DIFFERENT = REASONS | OTHER_REASONS


@pytest.fixture(scope="module")
def bochs() -> dict[str, Answer]:
    return {answer.name: answer for answer in judge(list(CASES.values()))}


def raised(answer: Answer) -> list[tuple[str, int, int | None, int]]:
    """Kind, vector, error code and CR2 of each event."""
    return [(event.kind, event.vector, event.error_code, event.cr2) for event in answer.events]


def comparable(state: State | None) -> State | None:
    """Without what a null segment register hides: the processor ignores it."""
    if state is None:
        return None
    segments = {name: getattr(state, name) for name in SEGMENT_REGISTERS}
    return replace(
        state,
        **{name: found if found.usable else Segment(found.selector) for name, found in segments.items()},
    )


@pytest.mark.parametrize("name", [name for name in CASES if name not in DIFFERENT])
def test_idtviz_does_what_bochs_does(name: str, bochs: dict[str, Answer]) -> None:
    found, expected = ours.answer(CASES[name]), bochs[name]
    assert raised(found) == raised(expected)
    assert (found.shutdown, found.halted) == (expected.shutdown, expected.halted)
    assert found.changes == expected.changes
    assert comparable(found.final) == comparable(expected.final)


@pytest.mark.parametrize("name", [name for name, reason in DIFFERENT.items() if reason.amend is not None])
def test_idtviz_does_what_bochs_does_but_for_one_thing_that_the_manual_says_otherwise(
    name: str, bochs: dict[str, Answer]
) -> None:
    amend = DIFFERENT[name].amend
    assert amend is not None
    found, expected = ours.answer(CASES[name]), amend(CASES[name], bochs[name])
    assert expected != bochs[name], "the difference is gone: take its entry out of the table"
    assert raised(found) == raised(expected)
    assert found.changes == expected.changes
    assert comparable(found.final) == comparable(expected.final)


@pytest.mark.parametrize("name", [name for name, reason in DIFFERENT.items() if reason.amend is None])
def test_bochs_goes_another_way_where_the_table_of_reasons_says_so(name: str, bochs: dict[str, Answer]) -> None:
    assert raised(ours.answer(CASES[name])) != raised(bochs[name])
