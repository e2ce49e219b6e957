"""Whether the code at the present moment goes round in a loop that nothing ends, tried out by stepping on."""

from __future__ import annotations

from collections.abc import Sequence

from idtviz.checks.rules.running import endless_loop
from idtviz.debugger.observing import Instant
from idtviz.debugger.session import Session
from idtviz.machine.decoding import code_bits, decode
from idtviz.machine.operands import operands_of

STEPS = 240


def looping(session: Session) -> Sequence[Instant]:
    """One round of the loop that `session` is in at its end, tried out by stepping on; empty where it is in none.

    The session stands where it stood afterwards. A loop that an interrupt would end is one of these; RFLAGS.IF of its
    instants tells.
    """
    here = session.moment
    try:
        return endless_loop(_stepped(session)) or ()
    finally:
        if session.moment != here:
            session.seek(here)


def _stepped(session: Session) -> list[Instant]:
    """The next instructions; none where something else comes up."""
    seen: list[Instant] = []
    for _ in range(STEPS):
        view = session.view
        here, registers = view.code.here, view.registers
        if view.halted or view.shut_down or here is None:
            return []
        decoded = decode(here.raw, code_bits(registers))
        operands = () if decoded is None else tuple(operands_of(decoded, registers))
        seen.append(Instant(view.moment, registers, here.raw, decoded, operands, ()))
        session.step()
    return seen
