"""Checking a file: a run to its end, and what the rules have found by then, with the place of it in the source."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from idtviz.checks.finding import Finding
from idtviz.checks.reading import read_handlers
from idtviz.debugger.code import readable
from idtviz.debugger.disassembly import LONGEST, disassemble
from idtviz.debugger.inputs import Recorded
from idtviz.debugger.stops import Reason
from idtviz.debugger.symbols.symbol import Line
from idtviz.lab.places import Places, Reported
from idtviz.lab.prepared_session import PreparedSession
from idtviz.lab.run import End, run
from idtviz.machine.decoding import code_bits
from idtviz.machine.delivery.event import Source
from idtviz.machine.events import Delivered

BUDGET = 10_000_000
"""Instructions after which a check ends anyway: a kernel that waits for ever is not waited for."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in `file`, which is called as the user called it.

    `what` it is, in words: `elf64 kernel`. `said` are lines about how far it ran, and how that ended.
    """

    file: str
    what: str
    reported: tuple[Reported, ...]
    said: tuple[str, ...]


def check_run(session: PreparedSession, file: str, *, limit: int = BUDGET, given: Sequence[Recorded] = ()) -> Checked:
    """Run the session on `file` from its start to an end, and gather what the rules find. `given` is as in `run`."""
    end = run(session, limit=limit, given=given)
    reported = _Places(session, file).report([*session.findings, *_read(session)])
    return Checked(file, _what(session), reported, (_said(session, end, limit),))


def _read(session: PreparedSession) -> Iterator[Finding]:
    """What is found by reading the handlers of all gates, as they are at the end, and was not found as they ran."""
    machine = session.machine
    memory = machine.linear(machine.cpu.registers())
    deliveries = [event.event for event in session.events if isinstance(event, Delivered)]
    interrupts = {event.vector for event in deliveries if event.source is Source.EXTERNAL}
    told = {(finding.rule, finding.address) for finding in session.findings}
    return read_handlers(session.view, lambda address, size: readable(memory, address, size), interrupts, told)


_WORDS = {
    "flat": "flat image",
    "multiboot": "Multiboot kernel",
    "multiboot2": "Multiboot 2 kernel",
    "bzimage": "bzImage",
    "boot_sector": "boot sector",
    "rom": "ROM",
    "disk": "disk",
    "object": "bare handler",
}


def _what(session: PreparedSession) -> str:
    return _WORDS.get(session.boot, f"{session.boot} kernel")


def _said(session: PreparedSession, end: End, limit: int) -> str:
    count = session.machine.instructions
    ran = f"ran {count:,} instruction{'' if count == 1 else 's'}"
    if end.reason == "expectations":
        return f"{ran}, until all that its scenario expects had come to pass"
    if end.reason == "limit" and session.stop.reason is not Reason.ENDLESS_FAULT:
        why = "that is the limit" if count >= limit else end.text
        return f"{ran} and was stopped: {why}, and what comes later was not seen"
    return f"{ran}: {end.text or end.reason}"


class _Places(Places):
    """Finds places in the sources and in the memory of a session that has come to its end."""

    def __init__(self, session: PreparedSession, file: str) -> None:
        super().__init__(session.symbols)
        self._session, self._file = session, file

    def lines(self, line: Line) -> tuple[str, ...] | None:
        """As the scenario or the image has them."""
        return self._session.source(line.path)

    def named(self, line: Line) -> str:
        """Where the scenario or the image has it, else as it was compiled."""
        listed = next((name for name in self._session.scenario.image.source if _same(name, line.path)), None)
        beside = Path(self._file).parent / (listed or line.path)
        return os.path.normpath(beside) if beside.is_file() else listed or line.path

    def instruction(self, address: int, *, code: bool) -> str | None:
        """As it was while it ran, else as it is now."""
        seen = self._seen.get(address)
        if seen is not None:
            raw, offset, bits = seen
        elif code:
            at = self._session.machine.cpu.registers()
            raw, offset, bits = readable(self._session.machine.linear(at), address, LONGEST), address, code_bits(at)
        else:
            return None
        if not raw:
            return None
        found = disassemble(raw, offset, bits)[0]
        target = None if found.target is None else self._session.symbols.name(found.target + address - offset)
        return f"{found.mnemonic} {target or found.operands}".strip()

    @cached_property
    def _seen(self) -> dict[int, tuple[bytes, int, int]]:
        """The instructions that were looked at while they ran: bytes, offset in their segment, and 64, 32 or 16."""
        return {
            instant.address: (instant.raw, instant.registers.rip, code_bits(instant.registers))
            for instant in self._session.observations.instants
        }


def _same(name: str, path: str) -> bool:
    return PurePosixPath(name).name == PurePosixPath(path).name
