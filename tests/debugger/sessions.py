"""Sessions on the scenarios' kernels and on a few bytes of code, with little memory so that a digest is quick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from idtviz.debugger.inputs import Input, Keys, ScriptedInput
from idtviz.debugger.moment import Moment
from idtviz.debugger.places import parse
from idtviz.debugger.session import Phase, Session, Setup
from idtviz.lab.overrides import Overrides
from idtviz.lab.preparation import prepare
from idtviz.machine.pc import Machine
from tests.machine.bare import EOI_AND_RETURN, bare, remap, start_timer
from tests.oracle.long_mode import IF, LongModeWorld

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
KERNELS = (
    *("page_fault", "breakpoint", "double_fault", "double_fault_no_ist", "keyboard"),
    *("boot_to_long_mode", "task_gate_double_fault", "real_mode_ivt", "single_step_trap"),
)
MEMORY = 5 << 20
END = Moment(4200)
"""A moment behind the end of each kernel, or, for the keyboard, behind all that is typed."""

Script = Sequence[tuple[str, Input]]
TYPED: Script = (("kernel_ready", Keys("hi\n")),)


def kernel(name: str, script: Script | None = None) -> Session:
    """A scenario's kernel at its entry; the keyboard scenario has someone who types."""
    setup = prepare(SCENARIOS / f"{name}.toml", Overrides(memory=MEMORY)).setup
    if script is None:
        script = TYPED if name == "keyboard" else ()
    inputs = tuple(ScriptedInput(parse(place, setup.symbols), given) for place, given in script)
    return Session(replace(setup, inputs=inputs))


def code(raw: bytes, *handlers: tuple[int, bytes], world: LongModeWorld | None = None) -> Session:
    """A few bytes of code in the oracle's world; the handlers are HLT where none are given."""
    at = world or LongModeWorld(code=raw)
    return Session(Setup("code", lambda: bare(at, dict(handlers)).machine))


def ticking(raw: bytes, reload: int) -> Session:
    """The same with interrupts on and the timer going, whose handler says EOI and returns."""
    world = LongModeWorld(code=raw, rflags=0x2 | IF)

    def build() -> Machine:
        return start_timer(remap(bare(world, {0x20: EOI_AND_RETURN}), unmasked=1), reload).machine

    return Session(Setup("ticking", build))


def walk(session: Session, steps: int) -> list[tuple[Moment, str]]:
    """Take micro-steps, and note each moment with its digest, the first one too."""
    seen = [(session.moment, session.digest())]
    while len(seen) <= steps and session.phase is not Phase.ENDED:
        session.micro_step()
        seen.append((session.moment, session.digest()))
    return seen


@cache
def walked(name: str) -> tuple[Session, dict[Moment, str]]:
    """A session that was walked to the end of its story, with the digest of every 23rd moment."""
    session = kernel(name)
    seen = {session.moment: session.digest()}
    taken = 0
    while session.phase is not Phase.ENDED and session.moment < Moment(2000):
        session.micro_step()
        taken += 1
        if taken % 23 == 0:
            seen[session.moment] = session.digest()
    return session, seen
