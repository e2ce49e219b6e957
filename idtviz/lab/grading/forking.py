"""The process that forks: it has everything imported, and tries each hand-in in a child of its own, with limits."""

from __future__ import annotations

import gc
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from idtviz.debugger.moment import Moment
from idtviz.lab.building import BuildError, build
from idtviz.lab.building.choosing import linker_of, maker_of
from idtviz.lab.grading import frames
from idtviz.lab.grading.bundle import Bundle, Files, from_json
from idtviz.lab.grading.confinement import (
    FOR_THE_PICTURE,
    OUTPUT,
    adopt_orphans,
    confine,
    end_orphans,
    grant_more_time,
)
from idtviz.lab.grading.judging import Death, judge
from idtviz.lab.grading.plan import Plan, plan
from idtviz.lab.grading.trying import Draw, try_out
from idtviz.lab.grading.verdicts import Verdict, Word
from idtviz.lab.problems import ScenarioError
from idtviz.lab.session import LabSession

IDLE = 300
"""Seconds without anything to do after which the process goes by itself."""
_PATIENCE = 4
"""How many seconds by the clock a second of the processor may take: others use the computer, too."""
_MOST_TOLD = 32 << 20
"""Bytes of records that are read of one child."""
_MOST_OUTPUT = 20_000
_CHUNK = 1 << 16


def serve(drawing: Callable[[], Draw]) -> None:
    """Read a lab from standard input, then hand-ins; write a verdict for each to standard output. Returns at the end.

    Nothing else gets at the two: what is printed goes to standard error. `drawing` is asked where pictures are wanted.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    adopt_orphans()
    asked, answered = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    lab = _next(asked)
    if lab is None:
        return
    home = Path(lab["home"])
    try:
        with suppress(BrokenPipeError, frames.FrameError):
            forker = _Forker(home, Bundle.from_json(lab["lab"]), drawing() if lab["pictures"] else None, asked)
            frames.send(answered, {"missing": forker.missing()})
            while (job := _next(asked)) is not None:
                frames.send(answered, forker.grade(from_json(job["files"])).to_json())
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _next(asked: int) -> Any:
    """The next message; None when nobody has asked for anything for long."""
    return frames.receive(asked) if select.select([asked], [], [], IDLE)[0] else None


class _Forker:
    """Grades the hand-ins to one lab, one after the other. `asked`: where they come from; its end ends all work."""

    def __init__(self, home: Path, lab: Bundle, draw: Draw | None, asked: int) -> None:
        self._home, self._draw, self._asked = home, draw, asked
        self._cache = home / "cache"
        self._cache.mkdir()
        pristine = lab.write_to(home / "lab")
        self._plan: Plan = plan(pristine, lab.scenario)
        self._lab = lab.handed_out(self._plan.teachers)
        with suppress(BuildError, ScenarioError):
            # What is learnt about the tools by that, and what all hand-ins have in common, the children find there.
            build(pristine, trusted=False, cache=self._cache)
        gc.collect()
        gc.freeze()

    def missing(self) -> str:
        """What keeps anything from being built here; nothing if all tools are there."""
        try:
            for source in self._plan.sources:
                maker_of(source, trusted=False)
            linker_of(self._plan.path.name)
        except BuildError as error:
            return error.message
        return ""

    def grade(self, files: Files) -> Verdict:
        """The verdict on one hand-in."""
        folder = Path(tempfile.mkdtemp(dir=self._home))
        try:
            self._lab.write_to(folder / "lab")
            shutil.copytree(self._cache, folder / "cache")
            reading, writing = os.pipe()
            child = os.fork()
            if not child:
                self._become(folder, files, writing)
            os.close(writing)
            try:
                records, death = self._watch(child, reading, folder)
            finally:
                os.close(reading)
            return judge(records, death, self._plan.spec.points)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _become(self, folder: Path, files: Files, writing: int) -> None:
        """The child's whole life."""
        code = 1
        try:
            confine(folder, writing, self._plan.spec.limits)

            def tell(record: dict[str, Any]) -> None:
                raw = json.dumps(record).encode() + b"\n"
                while raw:
                    raw = raw[os.write(writing, raw) :]

            try:
                try_out(self._plan, files, folder / "lab", folder / "cache", tell, self._draw and self._drawn)
            except MemoryError:
                tell({"word": Word.OUT_OF_MEMORY.value, "why": "there was no more memory to be had"})
            code = 0
        except BaseException:  # noqa: BLE001 -- whatever it is must end here: this is a copy of the parent
            with suppress(Exception):
                traceback.print_exc()
                sys.stderr.flush()
        finally:
            os._exit(code)

    def _drawn(self, session: LabSession, moment: Moment) -> str:
        assert self._draw is not None
        grant_more_time()
        return self._draw(session, moment)

    def _watch(self, child: int, reading: int, folder: Path) -> tuple[list[dict[str, Any]], Death]:
        """Read what the child tells until it has ended, or its time has. All that it has begun ends with it."""
        seconds = self._plan.spec.limits.seconds
        until = time.monotonic() + seconds * _PATIENCE
        heard = _Heard()
        poll = select.poll()
        poll.register(reading, select.POLLIN)
        poll.register(self._asked, 0)
        late = abandoned = False
        while True:
            left = until + (FOR_THE_PICTURE * _PATIENCE if heard.graded else 0) - time.monotonic()
            ready = dict(poll.poll(max(0.0, left) * 1000))
            late, abandoned = not ready, bool(ready.get(self._asked))
            if late or abandoned or not heard.read(reading):
                break
        if not late and not abandoned:
            late = not _ended(child, until)
        code = _end(child)
        if abandoned:
            raise BrokenPipeError
        return heard.records, Death(code, late, seconds, _tail(folder / OUTPUT))


class _Heard:
    """Records, as they come in pieces."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.graded = False
        self._rest = b""
        self._total = 0

    def read(self, reading: int) -> bool:
        """Read a piece; False at the end."""
        piece = os.read(reading, _CHUNK)
        self._total += len(piece)
        if not piece or self._total > _MOST_TOLD:
            return False
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            record = json.loads(line)
            self.records.append(record)
            self.graded = self.graded or "graded" in record
        return True


def _ended(child: int, until: float) -> bool:
    """Whether the child, which has nothing more to tell, has ended by then."""
    while not os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT | os.WNOHANG):
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True


def _end(child: int) -> int:
    """End the child and its group; its exit code, or minus the signal that it was ended by."""
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    end_orphans()
    return os.waitstatus_to_exitcode(status)


def _tail(path: Path) -> str:
    """The end of what it printed."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _MOST_OUTPUT))
            return file.read(_MOST_OUTPUT).decode("utf-8", errors="replace")
    except OSError:
        return ""
