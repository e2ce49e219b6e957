"""Whether what a scenario expects has come to pass."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from idtviz.lab.registers import register_value
from idtviz.lab.scenario import EventPattern, ExpectEntry, Scenario
from idtviz.machine.chips.text_screen import Screen
from idtviz.machine.chips.vga import TEXT_MEMORY, TEXT_MEMORY_SIZE
from idtviz.machine.events import Delivered, Happened, Noted
from idtviz.machine.pc import Machine

_FIELDS = ("vector", "error_code", "irq", "source", "cr2", "result")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One expectation, and how it stands. `detail` says what was seen, or what was seen instead."""

    index: int
    ok: bool
    detail: str


def screen_of(machine: Machine) -> Screen:
    """The text screen at this moment."""
    return machine.board.vga.screen(machine.memory.read(TEXT_MEMORY, TEXT_MEMORY_SIZE))


def result_of(delivered: Delivered) -> str:
    """`delivered`, or the fault that the delivery met."""
    return "delivered" if delivered.fault is None else delivered.fault.name


class Expectations:
    """The `[[expect]]` entries of a scenario over a run: tell it each event, ask it whenever you like."""

    def __init__(self, scenario: Scenario) -> None:
        self._entries = tuple(scenario.expect)
        self._counts = [0] * len(self._entries)
        self._nearest: list[tuple[int, Delivered] | None] = [None] * len(self._entries)
        self._notes: list[str] = []

    def __len__(self) -> int:
        return len(self._entries)

    def note(self, event: Happened) -> None:
        """Something happened."""
        if isinstance(event, Noted):
            self._notes.append(event.text)
        if not isinstance(event, Delivered):
            return
        for index, entry in enumerate(self._entries):
            if entry.event is None:
                continue
            wrong = _differences(entry.event, event)
            if not wrong:
                self._counts[index] += 1
                continue
            nearest = self._nearest[index]
            score = len(wrong) + (10 if entry.event.vector is not None and "vector" in wrong else 0)
            if nearest is None or score < nearest[0]:
                self._nearest[index] = (score, event)

    def hold(self, machine: Machine) -> bool:
        """Whether there are any, and all hold now. How a run ends is only known at its end.

        What is found by then is, too: who expects findings has the same run as who does not.
        """
        entries = [(index, entry) for index, entry in enumerate(self._entries) if entry.findings is None]
        return bool(entries) and all(self._judge(*each, machine, "expectations", ())[0] for each in entries)

    def outcomes(self, machine: Machine, end: str, found: Collection[str]) -> list[Outcome]:
        """How each stands, for a run that is at `machine` and ended for the reason `end`.

        `found`: the ids of the rules that have found something.
        """
        return [
            Outcome(index, *self._judge(index, entry, machine, end, found)) for index, entry in enumerate(self._entries)
        ]

    def _judge(
        self, index: int, entry: ExpectEntry, machine: Machine, end: str, found: Collection[str]
    ) -> tuple[bool, str]:
        if entry.event is not None:
            return self._judge_event(index, entry.event)
        if entry.screen is not None:
            return _judge_screen(entry.screen, screen_of(machine))
        if entry.serial is not None:
            return _judge_serial(entry.serial, machine.board.com1.state.output)
        if entry.note is not None:
            return self._judge_note(entry.note)
        if entry.end is not None:
            ok = entry.end == end
            seen = f"the run ended: {end}" if end else "the run has not ended"
            return ok, seen + ("" if ok else f"; expected {entry.end}")
        if entry.findings is not None:
            return _judge_findings(entry.findings, found)
        return _judge_registers(entry.register_ or {}, machine)

    def _judge_note(self, wanted: str) -> tuple[bool, str]:
        found = next((text for text in self._notes if wanted in text), None)
        if found is not None:
            return True, f"noted: {found}"
        return False, f"{wanted!r} was not noted; the last note is {self._notes[-1] if self._notes else None!r}"

    def _judge_event(self, index: int, pattern: EventPattern) -> tuple[bool, str]:
        count, wanted = self._counts[index], _describe_pattern(pattern)
        ok = count > 0 if pattern.count is None else count == pattern.count
        if ok:
            return True, f"{wanted}: seen {_times(count)}"
        if pattern.count is not None and count:
            return False, f"{wanted}: seen {_times(count)}, expected {_times(pattern.count)}"
        nearest = self._nearest[index]
        seen = "nothing was delivered" if nearest is None else f"the nearest was {_describe(nearest[1])}"
        return False, f"{wanted}: not seen; {seen}"


def _value(delivered: Delivered, field: str) -> int | str | None:
    if field == "result":
        return result_of(delivered)
    if field == "source":
        return delivered.event.source.value
    value: int | None = getattr(delivered.event, field)
    return value


def _differences(pattern: EventPattern, delivered: Delivered) -> list[str]:
    wanted = {field: getattr(pattern, field) for field in _FIELDS}
    return [field for field in _FIELDS if wanted[field] is not None and wanted[field] != _value(delivered, field)]


def _describe_pattern(pattern: EventPattern) -> str:
    given = {field: getattr(pattern, field) for field in _FIELDS if getattr(pattern, field) is not None}
    return "delivery with " + ", ".join(f"{field} {_shown(field, value)}" for field, value in given.items())


def _describe(delivered: Delivered) -> str:
    fields = {field: _value(delivered, field) for field in _FIELDS}
    shown = ", ".join(f"{field} {_shown(field, value)}" for field, value in fields.items() if value is not None)
    return f"delivery {delivered.index} at instruction {delivered.instruction}: {delivered.event.name}, {shown}"


def _shown(field: str, value: object) -> str:
    return f"{value:#x}" if isinstance(value, int) and field not in ("irq",) else str(value)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _judge_screen(wanted: str, screen: Screen) -> tuple[bool, str]:
    for number, line in enumerate(screen.lines):
        if wanted in line:
            return True, f"screen row {number}: {line.strip()}"
    lines = [line.strip() for line in screen.lines if line.strip()]
    if not lines:
        return False, f"{wanted!r} is not on the screen, which is blank"
    nearest = max(lines, key=lambda line: _like(wanted, line))
    return False, f"{wanted!r} is not on the screen; the nearest row says {nearest!r}"


def _like(wanted: str, line: str) -> int:
    """How many of the wanted words stand in the line."""
    return sum(word in line for word in wanted.split())


def _judge_serial(wanted: str, output: bytes) -> tuple[bool, str]:
    if wanted.encode() in output:
        return True, f"{wanted!r} was sent to COM1"
    sent = output[-80:].decode("utf-8", errors="replace")
    instead = f"the last that was sent is {sent!r}" if sent else "nothing was"
    return False, f"{wanted!r} was not sent to COM1; {instead}"


def _judge_findings(wanted: Collection[str], found: Collection[str]) -> tuple[bool, str]:
    more, less = sorted({*found} - {*wanted}), sorted({*wanted} - {*found})
    said = f"found by rules: {', '.join(sorted({*found})) or 'nothing'}"
    if less:
        said += f"; expected {', '.join(less)}"
    if more:
        said += f"; not expected {', '.join(more)}"
    return not more and not less, said


def _judge_registers(wanted: dict[str, int], machine: Machine) -> tuple[bool, str]:
    registers = machine.cpu.registers()
    found = {name: register_value(registers, name) for name in wanted}
    shown = ", ".join(
        f"{name} is {found[name]:#x}" + ("" if found[name] == value else f", expected {value:#x}")
        for name, value in wanted.items()
    )
    return found == wanted, shown
