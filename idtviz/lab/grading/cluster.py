"""Grading on a Dask cluster: the same processes, started by the cluster's workers."""

from __future__ import annotations

import atexit
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from idtviz.lab.grading.bundle import Bundle
from idtviz.lab.grading.grader import Grader
from idtviz.lab.grading.pool import cores, grade_here
from idtviz.lab.grading.submissions import Submission
from idtviz.lab.grading.verdicts import Verdict

_CONNECTING = 20
"""Seconds after which a scheduler that does not answer is not there."""
_ROUNDS = 3
"""How often a hand-in is sent out whose workers have all died; then it is graded here."""


class ClusterError(Exception):
    """The cluster cannot be used; the message says why."""


def grade_there(
    address: str,
    module: str,
    lab: Bundle,
    submissions: Sequence[Submission],
    *,
    pictures: bool,
    told: Callable[[str], None],
) -> Iterator[Verdict]:
    """The verdicts, in the order in which they come; `module` is what a worker's Python runs to grade.

    `told` hears what a person should know. Raises ClusterError.
    """
    distributed = _distributed()
    try:
        distributed.comm.get_address_host_port(address)  # a client that fails at that complains again when it goes
        client = distributed.Client(address, timeout=_CONNECTING, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise ClusterError(f"{address}: no Dask scheduler answers: {error}") from error
    left = {each.student: each for each in submissions if each.refused is None}
    yield from (each.refused for each in submissions if each.refused is not None)
    try:
        sent = client.submit(_unchanged, lab, pure=False)
        for _ in range(_ROUNDS):
            count, errors = len(left), list[BaseException]()
            for verdict in _round(distributed, client, (module, sent, pictures), list(left.values()), errors):
                del left[verdict.student]
                yield verdict
            if errors and len(left) == count:
                raise ClusterError(f"{address}: its workers cannot grade: {errors[0]}")
            if not left or client.status != "running":
                break
    finally:
        with suppress(Exception):  # whatever has become of the connection
            client.close()
    if left:
        # Their workers have died again and again, or all of it has gone. That was not their doing.
        told(f"{address}: {len(left):,} hand-ins have not come back, and are graded here")
        yield from grade_here(command(module), lab, list(left.values()), jobs=cores(), pictures=pictures)


def command(module: str) -> tuple[str, ...]:
    """What this Python is called with to run a module."""
    return sys.executable, "-m", module


def _distributed() -> Any:
    try:
        import distributed  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise ClusterError("a cluster needs Dask: pip install 'idtviz[cluster]'") from error
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is told by other ways
    return distributed


def _round(
    distributed: Any,
    client: Any,
    what: tuple[str, Any, bool],
    submissions: Sequence[Submission],
    errors: list[BaseException],
) -> Iterator[Verdict]:
    """The verdicts on those hand-ins of which the cluster has one. It tries again by itself when a worker dies.

    `errors`: where that is put which is wrong with the workers, but not that they have died.
    """
    futures = [client.submit(grade_one, *what, each, pure=False) for each in submissions]
    try:
        for future in distributed.as_completed(futures, loop=client.loop):
            if future.status == "finished":
                yield future.result()
            elif future.status == "error" and not isinstance(future.exception(), distributed.scheduler.KilledWorker):
                errors.append(future.exception())
            future.release()
    finally:
        if client.status == "running":
            with suppress(Exception):  # it may have gone meanwhile
                client.cancel(futures)


# On a worker


def _unchanged(lab: Bundle) -> Bundle:
    """The lab as a result of the cluster's: where the worker that has it dies, it is made again."""
    return lab


_graders: dict[int, tuple[str, Grader]] = {}


def grade_one(module: str, lab: Bundle, pictures: bool, submission: Submission) -> Verdict:
    """Grade one hand-in on a worker: each of its threads has a process for that, and keeps it for the same lab."""
    thread, what = threading.get_ident(), f"{lab.digest} {pictures}"
    found = _graders.get(thread)
    if found is None or found[0] != what:
        if not _graders:
            atexit.register(_close_all)
        if found is not None:
            found[1].close()
        found = _graders[thread] = what, Grader(command(module), lab, pictures=pictures)
    return found[1].grade(submission)


def _close_all() -> None:
    for _, grader in _graders.values():
        grader.close()
