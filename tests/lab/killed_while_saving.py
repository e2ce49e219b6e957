"""A process that saves two sessions to one file in turn, over and over, and is killed; again and again.

`python -m tests.lab.killed_while_saving FOLDER KILLS` prints what was found behind each kill. It runs by itself, since
a process with threads had better not be forked.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from idtviz.lab.session import LabSession
from tests.lab.sessions import small, with_a_history


def save_over_and_over(target: Path, *sessions: LabSession) -> None:
    """Never returns."""
    while True:
        for session in sessions:
            session.save(target)


def main(folder: Path, kills: int) -> None:
    """Kill so often; an assertion fails where the file is neither of the two."""
    smaller, larger, target, chance = small("page_fault"), with_a_history(), folder / "x.idtviz", random.Random(1)
    larger.remark = "x" * 60_000
    contents = {larger.save(target).read_bytes(): "larger", smaller.save(target).read_bytes(): "small"}
    opened, left = set(), 0
    for _ in range(kills):
        child = os.fork()
        if not child:
            try:
                save_over_and_over(target, larger, smaller)
            finally:
                os._exit(1)
        time.sleep(chance.random() * 0.08)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        left += len(list(folder.iterdir())) > 1
        what = contents[target.read_bytes()]
        if what not in opened or chance.random() < 0.05:
            assert LabSession.open(target).digest() == (larger if what == "larger" else smaller).digest()
        opened.add(what)
    smaller.save(target)
    names = sorted(path.name for path in folder.iterdir())
    print(json.dumps({"opened": sorted(opened), "left": left, "names": names}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
