"""Running a tool: held to limits, with next to nothing of the environment, and nobody to ask."""

from __future__ import annotations

import math
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from idtviz.lab.building.limits import Limits

_HELD = '{ ulimit -c 0; ulimit -t "$1"; ulimit -f "$2"; ulimit -v "$3"; } 2>/dev/null; shift 3; exec "$@"'
"""A shell holds itself to the limits and becomes the tool. Its text is always this; what varies are its arguments.

Python could do the same between fork and exec, but not safely in a process that has threads.
"""
_NO_MEMORY = ("out of memory", "memory exhausted", "Cannot allocate memory", "bad_alloc", "OutOfMemory")
_TOO_LONG = "it needed more than {seconds:g} s"
_STOPPED = {
    signal.SIGXCPU: _TOO_LONG,
    signal.SIGXFSZ: "it wrote a file of more than {file} bytes",
    signal.SIGKILL: "it needed more than {seconds:g} s, or more memory than there is",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a tool ended: whether it did its work, what it printed, and, if it was stopped at a limit, at which."""

    done: bool
    output: str
    stopped: str | None = None


def run(command: Sequence[str | Path], folder: Path, scratch: Path, limits: Limits, *, quiet: bool = False) -> Outcome:
    """Run the program `command[0]`, a whole path, in `folder`; what it wants to keep for itself goes to `scratch`.

    `quiet`: without its standard output.
    """
    seconds = str(max(1, math.ceil(limits.seconds)))
    held = ["/bin/sh", "-c", _HELD, "sh", seconds, str(limits.file // 512), str(limits.memory // 1024)]
    with subprocess.Popen(
        [*held, *map(str, command)],
        cwd=folder,
        env=_environment(folder, scratch),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if quiet else subprocess.PIPE,
        stderr=subprocess.PIPE if quiet else subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            raw = _read(process, time.monotonic() + limits.seconds, limits.output)
        finally:
            late = process.returncode is None
            if late:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    if len(raw) == limits.output:
        raw = raw[: raw.rfind(b"\n") + 1]
    output = raw.decode("utf-8", errors="replace")
    if late:
        return Outcome(done=False, output=output, stopped=_TOO_LONG.format(seconds=limits.seconds))
    return Outcome(process.returncode == 0, output, _stopped(process.returncode, output, limits))


def _read(process: subprocess.Popen[bytes], until: float, limit: int) -> bytes:
    """The first `limit` bytes that it prints, once it has ended; it is left running where that takes too long."""
    pipe = process.stdout or process.stderr
    assert pipe is not None
    kept = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while selector.select(max(0.0, until - time.monotonic())):
            chunk = os.read(pipe.fileno(), 1 << 16)
            if not chunk:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, until - time.monotonic()))
                break
            kept += chunk[: max(0, limit - len(kept))]
    return bytes(kept)


def _stopped(code: int, output: str, limits: Limits) -> str | None:
    for number, said in _STOPPED.items():
        # a compiler tells of the death of a part of itself in words, or by a status
        if code in (-number, 128 + number) or f"signal {number.value}" in output:
            return said.format(seconds=limits.seconds, file=limits.file)
    for words in ("Killed", "CPU time limit exceeded"):
        if code and words in output:
            return _STOPPED[signal.SIGKILL].format(seconds=limits.seconds)
    if code and "File size limit exceeded" in output:
        return _STOPPED[signal.SIGXFSZ].format(file=limits.file)
    if code and any(words in output for words in _NO_MEMORY):
        return f"it needed more than {limits.memory} bytes of memory"
    return None


def _environment(folder: Path, scratch: Path) -> dict[str, str]:
    """Where programs are found; the rest is the same everywhere. An assembler believes $PWD."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PWD": str(folder),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "ZIG_GLOBAL_CACHE_DIR": str(scratch),
        "ZIG_LOCAL_CACHE_DIR": str(scratch),
        "LC_ALL": "C",
        "SOURCE_DATE_EPOCH": "0",
    }
