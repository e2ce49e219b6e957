"""Single steps, with everything that a session keeps on, beside a bare engine that is told to run one instruction."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter

import unicorn
from unicorn import x86_const
from unicorn.unicorn_py3 import unicorn as binding

from idtviz import Session
from idtviz.debugger.moment import START
from idtviz.debugger.session import Phase

COUNT = 20_000
ROUNDS = 5
BACKS = 200
LOOP = bytes.fromhex("48ffc0 4801c3 90 ebf6")  # inc rax; add rbx, rax; nop; jmp back
SCENARIOS = ("page_fault", "breakpoint", "double_fault", "double_fault_no_ist", "keyboard")


def rate(loop: Callable[[], object]) -> float:
    """Turns of `loop` per second, the median of a few rounds."""
    loop()
    rounds = []
    for _ in range(ROUNDS):
        start = perf_counter()
        for _ in range(COUNT):
            loop()
        rounds.append(COUNT / (perf_counter() - start))
    return statistics.median(rounds)


def bare() -> Callable[[], object]:
    """One instruction in an engine without any hook."""
    engine = binding.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    engine.mem_map(0, 1 << 20)
    engine.mem_write(0x1000, LOOP)
    engine.reg_write(x86_const.UC_X86_REG_RIP, 0x1000)
    rip = x86_const.UC_X86_REG_RIP
    return lambda: engine.emu_start(engine.reg_read(rip), 0, 0, 1)


def session() -> Callable[[], object]:
    """The same instructions in a session, in place of a kernel's first ones."""
    opened = Session.open("page_fault")
    opened.machine.memory.write(opened.machine.cpu.rip, LOOP)
    return opened.step


def backs(name: str) -> list[float]:
    """Seconds for each of a number of steps back from a late moment of a scenario, sorted."""
    opened = Session.open(name)
    while opened.phase is not Phase.ENDED and opened.moment.instruction < 2000:
        opened.step()
    times: list[float] = []
    while opened.moment > START and len(times) < BACKS:
        start = perf_counter()
        opened.back()
        times.append(perf_counter() - start)
    return sorted(times)


def report() -> None:
    """Print the figures."""
    alone, ours = rate(bare()), rate(session())
    print(f"single steps      session {ours:,.0f}/s, bare engine {alone:,.0f}/s: ratio {ours / alone:.2f} (goal 0.5)")
    for name in SCENARIOS:
        times = backs(name)
        middle, high = statistics.median(times), times[int(len(times) * 0.95)]
        print(f"back              {name}: median {middle * 1000:.1f} ms, p95 {high * 1000:.1f} ms")
