"""The program in a real terminal."""

import os
import pty
import select
import struct
import sys
import termios
import time
from fcntl import ioctl

LEAVE_ALTERNATE_SCREEN = b"\x1b[?1049l"
PATIENCE = 60  # seconds after which the program counts as hung


def read_until(terminal: int, wanted: bytes) -> bytes:
    seen = b""
    deadline = time.monotonic() + PATIENCE
    while wanted not in seen:
        assert time.monotonic() < deadline, f"{wanted!r} never came; the last was {seen[-400:]!r}"
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 65536)
    return seen


def test_it_starts_steps_quits_and_leaves_the_terminal_as_it_was() -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execv(sys.executable, [sys.executable, "-m", "idtviz", "run", "page_fault"])
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 48, 160, 0, 0))
    before = termios.tcgetattr(terminal)
    read_until(terminal, b"Delivery")
    os.write(terminal, b"s")
    read_until(terminal, b"instruction 1")
    os.write(terminal, b"q")
    read_until(terminal, LEAVE_ALTERNATE_SCREEN)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert termios.tcgetattr(terminal)[3] & termios.ECHO == before[3] & termios.ECHO
    os.close(terminal)
