"""The debugger in a terminal of 160x48: how soon it is there, and how soon a key shows."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import termios
from time import perf_counter

ROWS, COLUMNS = 48, 160
QUIET = 0.06
"""Seconds without output after which a screen counts as painted."""
PATIENCE = 20.0
KEYS = b"s" * 30 + b"m" * 40 + b"S" * 30
STARTS = 5


class Terminal:
    """A program on a pseudo-terminal."""

    def __init__(self, *command: str) -> None:
        self.started = perf_counter()
        self.process, self.master = pty.fork()
        if self.process == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LINES=str(ROWS), COLUMNS=str(COLUMNS))
            os.execv(command[0], command)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", ROWS, COLUMNS, 0, 0))

    def burst(self, until: bytes = b"") -> tuple[float, bytes]:
        """Read until the output pauses and holds `until`: when its last byte came, and all of it."""
        seen, last, begun = b"", 0.0, perf_counter()
        while perf_counter() - begun < PATIENCE:
            ready, _, _ = select.select([self.master], [], [], QUIET)
            if ready:
                try:
                    seen += os.read(self.master, 1 << 16)
                except OSError:
                    break
                last = perf_counter()
            elif seen and until in seen:
                break
        return last, seen

    def close(self) -> None:
        os.kill(self.process, signal.SIGTERM)
        os.waitpid(self.process, 0)
        os.close(self.master)


def _open() -> Terminal:
    return Terminal(sys.executable, "-m", "idtviz", "run", "page_fault")


def first_paint() -> float:
    """Seconds from the start of `idtviz run page_fault` to a whole screen."""
    terminal = _open()
    painted, _ = terminal.burst(b"IDT")
    terminal.close()
    return painted - terminal.started


def key_presses() -> list[float]:
    """Seconds from each key to the last byte that it changes on the screen, sorted."""
    terminal = _open()
    terminal.burst(b"IDT")
    times = []
    for key in KEYS:
        start = perf_counter()
        os.write(terminal.master, bytes([key]))
        painted, _ = terminal.burst()
        times.append(painted - start)
    terminal.close()
    return sorted(times)


def importing(module: str) -> float:
    """Seconds that a fresh interpreter takes to import `module` and end."""
    start = perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return perf_counter() - start


def report() -> None:
    """Print the figures."""
    times = key_presses()
    middle, high = statistics.median(times), times[int(len(times) * 0.95)]
    figures = f"median {middle * 1000:.1f} ms, p95 {high * 1000:.1f} ms"
    print(f"key to screen     {figures} at {COLUMNS}x{ROWS} (goal 16 ms)")
    first = statistics.median(first_paint() for _ in range(STARTS))
    alone = statistics.median(importing("textual.app") for _ in range(STARTS))
    ratio = first / alone
    print(f"first paint       {first:.2f} s, Textual's import alone {alone:.2f} s: ratio {ratio:.1f} (goal 0.6 s)")
