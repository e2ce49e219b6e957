"""A process for grading in which something goes wrong that should not: `python -m tests.lab.grading.fragile WHAT`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from idtviz.lab.grading import forking, trying


def _abort(*_: object, **__: object) -> str:
    print("assertion failed in the engine", file=sys.stderr, flush=True)
    os.abort()


def _hang(*_: object, **__: object) -> str:
    while True:
        time.sleep(60)


def _eat(*_: object, **__: object) -> str:
    return str(len(bytearray(1 << 40)))


def _kill_the_parent(*_: object, **__: object) -> str:
    os.kill(os.getppid(), signal.SIGKILL)
    return _hang()


def _leave_a_process(*_: object, **__: object) -> str:
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    raise RuntimeError(f"left {left.pid}")


WAYS = {"abort": _abort, "hang": _hang, "memory": _eat, "parent": _kill_the_parent, "leave": _leave_a_process}

if __name__ == "__main__":
    way = WAYS[sys.argv[2]]
    if sys.argv[1] == "run":
        trying.run = way
    forking.serve(lambda: way)
