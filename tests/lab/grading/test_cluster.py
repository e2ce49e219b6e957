"""The same on a Dask cluster, whose workers may die."""

from __future__ import annotations

import subprocess
import sys

from tests.lab.folders import SCENARIOS


def test_a_worker_that_is_killed_in_the_middle_loses_nothing():
    command = [sys.executable, "-m", "tests.lab.grading.thousand", "--dask", "--count", "24"]
    done = subprocess.run(command, cwd=SCENARIOS.parent, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed the worker" in done.stdout
    assert "24 of 24 graded, 0 wrong" in done.stdout
