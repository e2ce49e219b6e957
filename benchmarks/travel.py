"""Back in time at the end of long runs: how long it takes, how much memory it needs, what recording costs."""

from __future__ import annotations

import resource
import statistics
from collections.abc import Callable
from time import perf_counter

from benchmarks import kernels
from idtviz.debugger.session import Session, Setup
from idtviz.debugger.stops import Reason
from idtviz.machine.pc import Machine
from idtviz.machine.watch import Bytes

FAR = 100_000_000
WRITTEN = 10_000_000
BACK = 40
ROUNDS = 3


def _ran(build: Callable[[], Machine], count: int) -> Session:
    session = Session(Setup("benchmark", build))
    session.run(limit=count)
    return session


def back(session: Session) -> list[float]:
    """Seconds for each of so many single instructions backwards."""
    taken = []
    for _ in range(BACK):
        start = perf_counter()
        session.back()
        taken.append(perf_counter() - start)
    return taken


def recorded(build: Callable[[], Machine]) -> tuple[float, float]:
    """Seconds for the same run with everything that a session records, and without."""
    session = Session(Setup("benchmark", build))
    start = perf_counter()
    session.run(limit=FAR // 2)
    with_ = perf_counter() - start
    machine = build()
    start = perf_counter()
    while machine.instructions < FAR // 2:
        if machine.activity is not None:
            machine.complete()
        else:
            machine.run(FAR // 2)
    return with_, perf_counter() - start


def who_wrote(build: Callable[[], Machine], address: int) -> float:
    """Seconds to find who wrote the eight bytes at `address` last, at the end of the run."""
    session = _ran(build, WRITTEN)
    start = perf_counter()
    stop = session.who_wrote(Bytes(address, 8))
    taken = perf_counter() - start
    assert stop.reason is Reason.FOUND
    assert " wrote " in stop.text
    return taken


def report() -> None:
    """Print the figures."""
    for name, build in (("loop in registers", kernels.loop), ("writes to all of RAM", kernels.painter)):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        session = _ran(build, FAR)
        taken = back(session)
        most = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
        history = session.branch.history
        print(
            f"back              {1000 * statistics.median(taken):.1f} ms median, {1000 * taken[0]:.0f} ms the first, "
            f"at the end of {FAR:,} instructions, {name} (goal 50)"
        )
        print(
            f"history           {history.room.taken >> 20} MiB in {len(history)} checkpoints of a guest of "
            f"{session.machine.memory.size >> 20} MiB; the process grew by {most} MiB (goal 200)"
        )
        pairs = [recorded(build) for _ in range(ROUNDS)]
        overhead = statistics.median(with_ / without for with_, without in pairs) - 1
        print(f"recording         {100 * overhead:+.0f} % over the same run of the bare machine (goal +20 %)")
    for name, address in (
        ("once, at the start", kernels.WRITTEN_ONCE),
        ("in every round of a loop, to the end", kernels.WRITTEN_OFTEN),
        ("a million times, and then no more", kernels.WRITTEN_EARLY),
    ):
        taken_ = statistics.median(who_wrote(kernels.writer, address) for _ in range(ROUNDS))
        print(f"who wrote this    {taken_:.2f} s over {WRITTEN:,} instructions: written {name} (goal 2)")
