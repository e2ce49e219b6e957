"""One process that grades, as its parent sees it: started, asked, and started anew where it has died."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from idtviz.lab.grading import frames
from idtviz.lab.grading.bundle import Bundle, to_json
from idtviz.lab.grading.submissions import Submission
from idtviz.lab.grading.verdicts import Verdict, Word

_TRIES = 3
_GRACE = 5.0


class GraderError(Exception):
    """A process for grading cannot be started."""


class AbandonedError(Exception):
    """Nobody wants the verdict any more."""


class Grader:
    """Grades one hand-in at a time, in a process of its own that is started when there is something to do.

    `command` starts `forking.serve`. It is in a session of its own: Ctrl+C reaches the parent alone.
    """

    def __init__(self, command: Sequence[str], lab: Bundle, *, pictures: bool) -> None:
        self._command, self._lab, self._pictures = tuple(command), lab, pictures
        self._process: subprocess.Popen[bytes] | None = None
        self._home: Path | None = None
        """Where the process has its files; it takes them away itself, unless it is killed."""
        self._abandoned = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def grade(self, submission: Submission) -> Verdict:
        """The verdict. A process that dies meanwhile costs another try, and in the end the hand-in its points.

        Raises GraderError, AbandonedError.
        """
        if submission.refused is not None:
            return submission.refused
        for _ in range(_TRIES):
            try:
                jobs, answers = self._pipes()
                frames.send(jobs, {"files": to_json(submission.files)})
                answer = frames.receive(answers)
            except (OSError, ValueError, frames.FrameError):
                answer = None
            if answer is not None:
                return Verdict.from_json(answer).of(submission.student)
            self.close()
            if self._abandoned:
                raise AbandonedError
        why = f"the process that had started it died, {_TRIES} times"
        return Verdict(submission.student, Word.CRASHED, 0, why)

    def _pipes(self) -> tuple[int, int]:
        """Where to ask, and where the answers come."""
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
            )
            self._home = Path(tempfile.mkdtemp(prefix="idtviz-grade-"))
            lab = {"lab": self._lab.to_json(), "pictures": self._pictures, "home": str(self._home)}
            frames.send(self._asking(), lab)
            answer = frames.receive(self._answering())
            if answer is None and not self._abandoned:
                raise GraderError(f"{' '.join(self._command)}: it ended before it had begun")
            if answer is not None and answer["missing"]:
                raise GraderError(f"nothing can be built here: {answer['missing']}")
        return self._asking(), self._answering()

    def _asking(self) -> int:
        assert self._process is not None
        assert self._process.stdin is not None
        return self._process.stdin.fileno()

    def _answering(self) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def abandon(self) -> None:
        """Have another thread's `grade` end at once, with AbandonedError."""
        self._abandoned = True
        process = self._process
        if process is not None and process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()

    def close(self) -> None:
        """Have the process end, and with it what it is at."""
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
