"""Grading, where nobody else needs the computer: hand-ins a second and core, and what their building takes of it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter

from idtviz.cli.grade import PROCESS
from idtviz.lab.building import build
from idtviz.lab.grading.bundle import bundle
from idtviz.lab.grading.cluster import command
from idtviz.lab.grading.grader import Grader
from idtviz.lab.grading.plan import plan
from idtviz.lab.grading.pool import cores, grade_here
from idtviz.lab.grading.submissions import Submission
from tests.lab.grading.classroom import LAB

ALONE = 20
EACH = 20


def report() -> None:
    """Print the figures."""
    lab, cases = bundle(LAB, LAB.name), len(plan(LAB, LAB.name).cases)
    right = {"handler.S": (LAB.parent / "solutions" / "handler.S").read_bytes()}
    with Grader(command(PROCESS), lab, pictures=False) as grader:
        grader.grade(Submission("first", right))
        start = perf_counter()
        assert all(grader.grade(Submission(f"{number}", right)).passed for number in range(ALONE))
        alone = ALONE / (perf_counter() - start)
    count = EACH * cores()
    with tempfile.TemporaryDirectory() as folder:
        path = lab.write_to(Path(folder))
        build(path, trusted=False, cache=Path(folder) / "cache")
        start = perf_counter()
        for _ in range(ALONE):
            build(path, trusted=False, cache=Path(folder) / "cache")
        built = ALONE / (perf_counter() - start)
    start = perf_counter()
    submissions = [Submission(f"{number}", right) for number in range(count)]
    assert all(each.passed for each in grade_here(command(PROCESS), lab, submissions, jobs=cores(), pictures=False))
    together = count / (perf_counter() - start)
    shared = together / cores()
    print(
        f"grading           {alone:.1f} hand-ins/s, {cases} runs each, by one process; ratio {alone / built:.2f} builds"
    )
    print(f"on {cores()} cores        {shared:.1f} hand-ins/s and core, ratio {shared / alone:.2f} to one alone")
