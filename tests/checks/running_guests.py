"""Guests that meet interrupts, faults and devices: a few lines of assembly in the oracle's long-mode world."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from idtviz.checks.examination import Examination
from idtviz.checks.finding import Finding
from idtviz.checks.rules import controllers, running
from idtviz.debugger.inputs import Input
from idtviz.debugger.moment import Moment
from idtviz.debugger.session import Session, Setup
from idtviz.debugger.symbols import Symbols
from idtviz.machine.pc import Machine
from tests.checks.guests import HANDLER, assembled, handler_address
from tests.machine.bare import Watched, bare, remap
from tests.oracle.long_mode import IF, LongModeWorld

_RULES = {rule.id for rule in (*controllers.RULES, *running.RULES)}
END = 6000
"""Instructions that a guest is run for."""


def guest(
    code: str,
    handlers: Mapping[int, str],
    *inputs: tuple[int, Input],
    unmasked: int = 0,
    interrupts: bool | None = None,
    prepare: Callable[[Watched], None] = lambda _: None,
) -> Session:
    """`code` in ring 0, run to its end or for 6000 instructions, with `inputs` given at their counts of instructions.

    `unmasked` lines of the master 8259 come on vectors from 0x20 on; 0 leaves the 8259s as a BIOS does. `interrupts` is
    IF: where it is not told, 1 if there are lines unmasked.
    """
    text = "".join(f"\n.org {HANDLER * (1 + place)}\n{lines}" for place, lines in enumerate(handlers.values()))
    at = LongModeWorld().with_(code=assembled(code + text))
    for place, vector in enumerate(handlers):
        at = at.with_gate(vector, offset=handler_address(place), dpl=3)
    at = at.with_(rflags=at.rflags | IF) if (bool(unmasked) if interrupts is None else interrupts) else at

    def build() -> Machine:
        watched = bare(at)
        if unmasked:
            remap(watched, unmasked=unmasked)
        prepare(watched)
        return watched.machine

    session = Session(Setup("guest", build))
    for count, given in inputs:
        session.run(Moment(count))
        session.give(given)
    session.run(Moment(END))
    return session


def findings(session: Session) -> list[Finding]:
    """What the rules over controllers and over running find."""
    examination = Examination(session.observations, Symbols())
    examination.go_on()
    return [finding for finding in examination.findings if finding.rule in _RULES]


def found(code: str, handlers: Mapping[int, str], *inputs: tuple[int, Input], **options: object) -> list[str]:
    """The rules that speak."""
    return [finding.rule for finding in findings(guest(code, handlers, *inputs, **options))]
