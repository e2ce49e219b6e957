"""How much one visitor may take: of time, memory, files and the processor."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass

MIB = 1 << 20

RESIDENT = 1024 * MIB
"""Bytes of memory that a visitor's process may hold. One holds some 85 MB, and 6 MB more for each further session."""
ADDRESS_SPACE = 32 * 1024 * MIB
"""Bytes of addresses. The emulator reserves some 1.1 GiB of them for each machine, and touches little of it."""
FILE = 64 * MIB
"""Bytes of the largest file that may be written."""
OPEN_FILES = 256
_PR_SET_PDEATHSIG = 1
NICE = 10
"""Politeness towards everything else that runs there, as nice(1) has it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`visitors` at once; `idle` and `stay`: seconds without a key or a movement of the mouse, and in all."""

    visitors: int = 8
    idle: float = 30 * 60.0
    stay: float = 8 * 3600.0
    resident: int = RESIDENT


def hold_this_process() -> None:
    """Hold this process, and those that it starts, to what one visitor may take; it cannot take that back.

    It ends with the server, even stopped, as the server has it for a moment before it kills it.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for what, most in (
        (resource.RLIMIT_AS, ADDRESS_SPACE),
        (resource.RLIMIT_FSIZE, FILE),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, ceiling = resource.getrlimit(what)
        limit = most if ceiling == resource.RLIM_INFINITY else min(most, ceiling)
        resource.setrlimit(what, (limit, limit))
    with suppress(OSError):
        os.nice(NICE)


def resident(process: int) -> int:
    """Bytes of memory that a process holds; 0 where the system does not tell, or there is none."""
    try:
        with open(f"/proc/{process}/statm", "rb") as file:  # noqa: PTH123 -- asked every second
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
