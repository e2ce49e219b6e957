"""Many cases through both machines, on every processor: generated, judged by Bochs and compared in one place each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from tests.oracle.bochs import judge

from .compare import Verdict, judged
from .generator import Mode, random_case

SHARE = 250
"""Cases that a process takes at once: enough that starting Bochs costs little, few enough that the screen moves."""


@dataclass(frozen=True, slots=True)
class Share:
    """The cases of one mode with seeds from `first` to `end` - 1."""

    mode: Mode
    first: int
    end: int


def shares(modes: tuple[Mode, ...], cases: int, seed: int) -> list[Share]:
    """So many cases, spread evenly over the modes. Each `seed` begins a million cases behind the one before."""
    start = (seed - 1) * 1_000_000
    made: list[Share] = []
    for at, mode in enumerate(modes):
        count = cases // len(modes) + (at < cases % len(modes))
        end = start + count
        made += [Share(mode, first, min(first + SHARE, end)) for first in range(start, end, SHARE)]
    return sorted(made, key=lambda share: share.first)


def judge_share(share: Share) -> list[Verdict]:
    """The verdicts of one share."""
    cases = [random_case(seed, share.mode) for seed in range(share.first, share.end)]
    return [judged(case, answer) for case, answer in zip(cases, judge(cases, workers=1), strict=True)]


def verdicts(work: list[Share], processes: int | None = None) -> Iterator[tuple[Share, list[Verdict]]]:
    """The verdicts of every share, in the order in which they are done."""
    with ProcessPoolExecutor(processes or os.cpu_count() or 1) as pool:
        running = {pool.submit(judge_share, share): share for share in work}
        for done in as_completed(running):
            yield running[done], done.result()
