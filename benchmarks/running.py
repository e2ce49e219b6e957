"""`continue`, with everything that a session keeps on, beside a bare engine that counts to the same number."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter

import unicorn
from unicorn.unicorn_py3 import unicorn as binding

from benchmarks import kernels
from idtviz.debugger.breakpoint_text import parse_breakpoint
from idtviz.debugger.session import Session, Setup
from idtviz.debugger.stops import Reason
from idtviz.machine.pc import Machine

COUNT = 60_000_000
FAR = 100_000_000
ROUNDS = 3


def bare(count: int) -> float:
    """Instructions per second of `emu_start` with a count, and without any hook."""
    engine = binding.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    engine.mem_map(0, kernels.MEMORY)
    engine.mem_write(kernels.ENTRY, kernels.LOOP)
    start = perf_counter()
    engine.emu_start(kernels.ENTRY, 0, count=count)
    return count / (perf_counter() - start)


def continued(build: Callable[[], Machine], count: int) -> float:
    """Instructions per second of `Session.run`."""
    session = Session(Setup("benchmark", build))
    start = perf_counter()
    session.run(limit=count)
    return session.machine.instructions / (perf_counter() - start)


def to_breakpoint() -> float:
    """Seconds to a breakpoint that is reached after `FAR` instructions."""
    machine, address = kernels.counting(FAR)
    session = Session(Setup("benchmark", lambda: machine))
    session.breakpoints.add(parse_breakpoint(f"{address:#x}", session.symbols))
    start = perf_counter()
    stop = session.run(limit=2 * FAR)
    assert stop.reason is Reason.BREAKPOINT
    return perf_counter() - start


def without_breakpoint() -> float:
    """Seconds for the same instructions with no breakpoint."""
    machine, _ = kernels.counting(FAR)
    session = Session(Setup("benchmark", lambda: machine))
    start = perf_counter()
    session.run(limit=FAR)
    return perf_counter() - start


def _median(measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(ROUNDS))


def report() -> None:
    """Print the figures."""
    alone = _median(lambda: bare(COUNT))
    print(f"bare counted run  {alone / 1e6:.1f} M instructions/s")
    plain = _median(lambda: continued(kernels.loop, COUNT))
    print(f"continue          ratio {plain / alone:.2f} over a compute loop (goal 0.8)")
    for hertz in (10_000_000, 100_000_000):
        ticking = _median(lambda hertz=hertz: continued(lambda: kernels.ticking(hertz), COUNT // 3))
        every = hertz // 1000
        print(f"with a 1 kHz timer ratio {ticking / alone:.2f} at {every:,} instructions a tick (goal 0.5)")
    deaf = _median(lambda: continued(kernels.deaf, COUNT))
    print(f"IRQ held, IF=0    {deaf / 1e6:.1f} M instructions/s, ratio {deaf / alone:.2f} (goal 5 M/s)")
    with_, without = _median(to_breakpoint), _median(without_breakpoint)
    print(f"to a breakpoint   after {FAR:,} instructions: {with_:.2f} s, ratio {with_ / without:.2f} to none set")
