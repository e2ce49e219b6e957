"""The judge: hands cases to worker processes that hold the real Bochs CPU, and collects the answers."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Self

from .case import Answer, Case

TIME_LIMIT = 20.0
"""Seconds that one case may take unless the caller says otherwise."""

GRACE = 10.0
"""Seconds more for a worker to answer: it ends a case that takes too long by itself, so this is for one that hangs."""

CASES_PER_WORKER = 24
"""Below this many cases a further worker process costs more than it saves."""


def judge(cases: Sequence[Case], workers: int | None = None, time_limit: float = TIME_LIMIT) -> list[Answer]:
    """The answer to every case, in the same order.

    Never raises for what happens to a worker: a case whose worker died or hung is answered with `error`, and a new
    worker takes the rest. `workers` is the number of processes (default: one for each processor, as far as it pays),
    `time_limit` the seconds that one case may take.
    """
    if not cases:
        return []
    count = workers or min(os.cpu_count() or 1, -(-len(cases) // CASES_PER_WORKER))
    shares = [list(cases[first::count]) for first in range(count)]
    with ThreadPoolExecutor(count) as pool:
        answered = list(pool.map(lambda share: _judge_share(share, time_limit), shares))
    answers: list[Answer] = [Answer("")] * len(cases)
    for first, share in enumerate(answered):
        answers[first::count] = share
    return answers


def _judge_share(cases: list[Case], time_limit: float) -> list[Answer]:
    """Answers to cases that one worker takes, or its successors where it dies."""
    answers: list[Answer] = []
    while len(answers) < len(cases):
        with _Worker(time_limit) as worker:
            for case in cases[len(answers) :]:
                answer = worker.ask(case)
                answers.append(answer)
                if worker.lost:
                    break
    return answers


class _Worker:
    """One worker process, asked one case at a time."""

    def __init__(self, time_limit: float) -> None:
        self._patience = time_limit + GRACE
        package = Path(__file__).resolve().parent
        name = __package__ or package.name
        root = package.parents[name.count(".")]
        self.lost = False
        self._noise: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed on exit
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{name}.worker", str(time_limit)],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._noise,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.lost:
            self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process.wait()
        self._noise.close()

    def ask(self, case: Case) -> Answer:
        """The answer to one case; sets `lost` when this worker can take no more."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(case.to_json()).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return self._give_up(case, "the worker died before the case")
        line = self._read_line(time.monotonic() + self._patience)
        if line is None:
            return self._give_up(case, f"the worker gave no answer in {self._patience:g} seconds")
        if not line.endswith(b"\n"):
            return self._give_up(case, "the worker died in this case")
        return Answer.from_json(json.loads(line))

    def _read_line(self, deadline: float) -> bytes | None:
        """One line of the worker's output: cut short where it died, None where the deadline passed."""
        assert self._process.stdout is not None
        source = self._process.stdout.fileno()
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([source], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return None
            piece = os.read(source, 1 << 16)
            if not piece:
                return line
            line += piece
        return line

    def _give_up(self, case: Case, reason: str) -> Answer:
        self.lost = True
        self._noise.seek(0)
        noise = self._noise.read().decode(errors="replace").strip()
        return Answer(case.name, error=f"{reason}: {noise}" if noise else reason)
