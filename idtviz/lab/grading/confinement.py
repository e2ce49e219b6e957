"""What a process that tries a hand-in may do to the computer that it runs on."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path

from idtviz.lab.grading.grade_file import LimitsSection

OUTPUT = "output"
"""The file in its folder that has what it prints."""

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_ENGINE = 1200 << 20
"""Bytes of address space that each engine reserves, most of it never touched."""
_ENGINES = 3
"""How many can be there at once: of the run that went wrong, of the present one, and of one that is not yet gone."""
_LARGEST_FILE = 256 << 20
_FILES = 256
FOR_THE_PICTURE = 30
"""Seconds that the picture may take beside the rest."""


def adopt_orphans() -> None:
    """Become the parent of processes whose own parent has ended: what a hand-in leaves behind can be found."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_orphans() -> None:
    """End every child of this process, which is to have none."""
    for number in _children():
        with contextlib.suppress(OSError):
            os.kill(number, signal.SIGKILL)
            os.waitpid(number, 0)


def _children() -> list[int]:
    try:
        found = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(number) for number in found.split()]


def _prctl(option: int, value: int) -> None:
    """Linux alone has it; elsewhere there is less to hold on to."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def confine(folder: Path, keep: int, limits: LimitsSection) -> None:
    """Leave the group, the files and the folder of the parent; only the descriptor `keep` stays open.

    What is printed goes to the file `OUTPUT` in `folder`, which becomes the current one. The process ends with its
    parent. There is no limit on the number of processes: it would count those of the user, whatever they are.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    os.chdir(folder)
    tempfile.tempdir = str(folder)
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(folder / OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.closerange(3, keep)
    os.closerange(keep + 1, _highest())
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, _LARGEST_FILE)
    _limit(resource.RLIMIT_NOFILE, _FILES)
    _limit(resource.RLIMIT_CPU, limits.seconds, limits.seconds + FOR_THE_PICTURE)
    _limit(resource.RLIMIT_AS, _address_space() + _ENGINES * _ENGINE + limits.memory)


def _highest() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 65536 if soft == resource.RLIM_INFINITY else min(soft, 65536)


def grant_more_time() -> None:
    """All that has to be judged has been: what is left may take `FOR_THE_PICTURE` seconds more."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))


def _limit(which: int, most: int, later: int | None = None) -> None:
    """Lower a limit, up to which it can be raised `later` on; one that is lower already stays."""
    _, hard = resource.getrlimit(which)
    wanted = [most, most if later is None else later]
    soft, hard = wanted if hard == resource.RLIM_INFINITY else [min(each, hard) for each in wanted]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(which, (soft, hard))


def _address_space() -> int:
    """Bytes that this process has mapped already."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 1 << 30
    return pages * resource.getpagesize()
