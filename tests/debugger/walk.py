"""`make walk`: many commands at random over every scenario; a moment that is seen again has to be the same.

python -m tests.debugger.walk --commands 10000 --seed 1 [--jobs 2] [scenario ...]
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from time import perf_counter

from idtviz.lab.overrides import Overrides
from idtviz.lab.preparation import prepare
from idtviz.lab.problems import ScenarioError
from idtviz.lab.session import LabSession
from tests.debugger.sessions import MEMORY, SCENARIOS
from tests.debugger.wandering import Wanderer

_ANEW = 500  # commands, after which a walk begins anew with another seed


def opened(name: str) -> LabSession:
    """The scenario, with as little memory as it can do with: digests are quicker."""
    path = SCENARIOS / f"{name}.toml"
    try:
        return LabSession(prepare(path, Overrides(memory=MEMORY)))
    except ScenarioError:
        return LabSession(prepare(path))


def walk(name: str, commands: int, seed: int) -> str:
    """So many commands; the line to print. Raises AssertionError where a moment has changed."""
    began, again, branches, seen = perf_counter(), 0, 0, 0
    for begun in range(0, commands, _ANEW):
        wanderer = Wanderer(opened(name), f"{seed} {begun}")
        for _ in range(min(_ANEW, commands - begun)):
            wanderer.go()
        again += wanderer.again
        branches += wanderer.begun
        seen += wanderer.moments
    counts = f"{commands:>6} commands  {seen:>6} moments  {again:>6} seen again  {branches:>4} branches"
    return f"{name:<28} {counts}  {perf_counter() - began:4.0f} s"


def main() -> int:
    """All scenarios, or those that are named; the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--commands", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args()
    names = asked.names or sorted(path.stem for path in SCENARIOS.glob("*.toml"))
    failed = 0
    with ProcessPoolExecutor(asked.jobs) as pool:
        tasks = {name: pool.submit(walk, name, asked.commands, asked.seed) for name in names}
        for name, task in tasks.items():
            try:
                print(task.result(), flush=True)
            except AssertionError as error:
                failed += 1
                print(f"{name:<28} CHANGED: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
