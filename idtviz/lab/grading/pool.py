"""Grading on this computer, with as many processes as it is to have."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator, Sequence

from idtviz.lab.grading.bundle import Bundle
from idtviz.lab.grading.grader import AbandonedError, Grader
from idtviz.lab.grading.submissions import Submission
from idtviz.lab.grading.verdicts import Verdict


def cores() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def grade_here(
    command: Sequence[str], lab: Bundle, submissions: Sequence[Submission], *, jobs: int, pictures: bool
) -> Iterator[Verdict]:
    """The verdicts, in the order in which they come. Raises GraderError; whoever closes the iterator ends the work."""
    waiting: queue.SimpleQueue[Submission] = queue.SimpleQueue()
    for submission in submissions:
        waiting.put(submission)
    done: queue.SimpleQueue[Verdict | BaseException] = queue.SimpleQueue()
    graders = [Grader(command, lab, pictures=pictures) for _ in range(max(1, min(jobs, len(submissions))))]
    threads = [threading.Thread(target=_work, args=(grader, waiting, done), daemon=True) for grader in graders]
    for thread in threads:
        thread.start()
    try:
        for _ in submissions:
            found = done.get()
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        for grader in graders:
            grader.abandon()
        for thread in threads:
            thread.join()


def _work(
    grader: Grader,
    waiting: queue.SimpleQueue[Submission],
    done: queue.SimpleQueue[Verdict | BaseException],
) -> None:
    with grader:
        try:
            while True:
                done.put(grader.grade(waiting.get_nowait()))
        except (queue.Empty, AbandonedError):
            return
        except BaseException as error:  # noqa: BLE001 -- it belongs to the thread that waits
            done.put(error)
