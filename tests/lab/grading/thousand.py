"""A whole class of generated hand-ins, here or on a cluster: `python -m tests.lab.grading.thousand [--dask]`.

Exit code 0: every verdict is the one that the hand-in deserves, and none is lost.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from idtviz.cli.grade import PROCESS
from idtviz.lab.grading.bundle import Bundle, bundle
from idtviz.lab.grading.cluster import command, grade_there
from idtviz.lab.grading.plan import plan
from idtviz.lab.grading.pool import cores, grade_here
from idtviz.lab.grading.submissions import Submission, read_all
from idtviz.lab.grading.verdicts import Verdict
from tests.lab.grading.classroom import LAB, hand_in


def here(lab: Bundle, submissions: Sequence[Submission]) -> Iterator[Verdict]:
    """On this computer."""
    return grade_here(command(PROCESS), lab, submissions, jobs=cores(), pictures=False)


def on_a_cluster(lab: Bundle, submissions: Sequence[Submission]) -> Iterator[Verdict]:
    """On a cluster of two workers, one of which is killed when a third of the work is done."""
    from distributed import LocalCluster  # noqa: PLC0415 -- an extra

    logging.getLogger("distributed").setLevel(logging.ERROR)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        coming = grade_there(cluster.scheduler_address, PROCESS, lab, submissions, pictures=False, told=print)
        for number, verdict in enumerate(coming, 1):
            if number == len(submissions) // 3:
                victim = next(iter(cluster.workers.values()))
                os.kill(victim.pid, signal.SIGKILL)
                print(f"killed the worker {victim.worker_address} after {number} verdicts")
            yield verdict


def main() -> int:
    """Grade them, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dask", action="store_true", help="on a local cluster, with a worker killed in the middle")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        expected = hand_in(Path(folder) / "class", asked.count, asked.seed)
        todo, lab = plan(LAB, LAB.name), bundle(LAB, LAB.name)
        submissions = read_all(Path(folder) / "class", todo.todo, lab.files).submissions
        start = time.perf_counter()
        verdicts = list((on_a_cluster if asked.dask else here)(lab, submissions))
        seconds = time.perf_counter() - start
    found = {verdict.student: verdict for verdict in verdicts}
    wrong = [name for name, word in expected.items() if name not in found or found[name].word is not word]
    for name in wrong:
        print(f"{name!r}: expected {expected[name].value}, found {found.get(name)}")
    print(
        f"{len(verdicts):,} of {asked.count:,} graded, {len(wrong)} wrong:",
        dict(Counter(each.word.value for each in verdicts)),
    )
    print(f"{seconds:.0f} s, {len(verdicts) / seconds / cores():.2f} a second and core")
    if not asked.dask:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"{len(verdicts) / (used.ru_utime + used.ru_stime):.2f} in a second of a processor")
    return 1 if wrong or len(verdicts) != asked.count else 0


if __name__ == "__main__":
    sys.exit(main())
