"""Guests of a few lines of assembly in the oracle's long-mode world, and what the rules find in their runs."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from idtviz.checks.examination import Examination
from idtviz.checks.finding import Finding
from idtviz.checks.rules import registers, stacks
from idtviz.debugger.moment import Moment
from idtviz.debugger.session import Session, Setup
from idtviz.debugger.symbols import Symbols
from idtviz.machine.pc import Machine
from tests.machine.bare import bare, remap, start_timer
from tests.oracle.long_mode import CODE, IF, LongModeWorld

_RULES = {rule.id for rule in (*registers.RULES, *stacks.RULES)}

HANDLER = 0x200
"""Bytes for the code that is interrupted, and for each handler behind it."""


def found(code: str, handlers: Mapping[int, str], world: LongModeWorld | None = None, timer: int = 0) -> list[Finding]:
    """What the rules over registers and stacks find when `code` runs in ring 0 up to a HLT with IF=0.

    `handlers` is the code of some vectors, open to INT n of ring 3 too; those of all others halt. With `timer`, IRQ0
    comes on vector 0x20 every so many clocks of the 8254.
    """
    text = "".join(f"\n.org {HANDLER * (1 + place)}\n{lines}" for place, lines in enumerate(handlers.values()))
    at = (world or LongModeWorld()).with_(code=assembled(code + text))
    for place, vector in enumerate(handlers):
        at = at.with_gate(vector, offset=handler_address(place), dpl=3)
    at = at.with_(rflags=at.rflags | IF) if timer else at

    def build() -> Machine:
        guest = bare(at)
        return (start_timer(remap(guest, unmasked=1), timer) if timer else guest).machine

    session = Session(Setup("guest", build))
    session.run(Moment(20_000))
    examination = Examination(session.observations, Symbols())
    examination.go_on()
    return [finding for finding in examination.findings if finding.rule in _RULES]


def handler_address(place: int) -> int:
    """The address of the first instruction of handler number `place`."""
    return CODE + HANDLER * (1 + place)


@cache
def assembled(text: str) -> bytes:
    """The bytes of code that refers to nothing but itself."""
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "code"
        source = f".intel_syntax noprefix\n{text}\n"
        subprocess.run(["as", "-o", f"{binary}.o"], input=source.encode(), check=True, timeout=60)
        subprocess.run(["objcopy", "-O", "binary", "-j", ".text", f"{binary}.o", binary], check=True, timeout=60)
        return binary.read_bytes()
