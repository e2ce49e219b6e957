"""Events as lines for people: `idtviz trace --format text`."""

from __future__ import annotations

from idtviz.checks.finding import Finding
from idtviz.debugger.symbols import Symbols
from idtviz.lab.expectations import Outcome
from idtviz.lab.run import Begun
from idtviz.machine.events import (
    Context,
    Delivered,
    EndOfInterrupt,
    Halted,
    Happened,
    LineChanged,
    Noted,
    Returned,
    ShutDown,
    SwitchedOff,
)


def line(instruction: int | str, what: str, text: str) -> str:
    """One line: the count of instructions, what happened, and how."""
    return f"{instruction:>10}  {what:<11}  {text}".rstrip()


def event(happened: Happened, symbols: Symbols) -> str:
    """One event."""
    at = happened.instruction
    match happened:
        case Delivered():
            return line(at, happened.event.name, _delivery(happened, symbols))
        case Returned():
            return line(at, "IRET", f"ends delivery {happened.delivery}: back to {_where(happened.to, symbols)}")
        case LineChanged():
            return line(at, f"IRQ{happened.line}", "line goes up" if happened.level else "line goes down")
        case EndOfInterrupt():
            return line(at, "EOI", f"{happened.controller}: {happened.ended}")
        case Halted():
            return line(at, "HLT", "the processor waits")
        case ShutDown():
            return line(at, "shutdown", f"after deliveries {', '.join(map(str, happened.cause))}")
        case SwitchedOff():
            return line(at, "off", happened.how)
        case Noted():
            return line(at, "note", happened.text)
    raise TypeError(f"an event of no known kind: {happened!r}")


def instruction(begun: Begun, symbols: Symbols) -> str:
    """An instruction that is about to be executed."""
    return line(begun.instruction, hex(begun.rip), f"{begun.text:<40}  {symbols.name(begun.rip) or ''}")


def finding(found: Finding, symbols: Symbols) -> str:
    """What a rule has found."""
    at = "" if found.moment is None else found.moment.instruction
    where = "" if found.address is None else f" at {found.address:#x} {symbols.name(found.address) or ''}".rstrip()
    return line(at, found.rule, f"{found.severity.value}{where}: {found.message}")


def expect(outcome: Outcome) -> str:
    """How one expectation stands at the end."""
    return line("", "expect", f"{'ok  ' if outcome.ok else 'FAIL'}  {outcome.detail}")


def _delivery(delivered: Delivered, symbols: Symbols) -> str:
    what = delivered.event
    parts = [f"delivery {delivered.index}"]
    if what.caused_by is not None:
        parts.append(f"caused by {what.caused_by}")
    parts.append(f"vector {what.vector:#x}")
    if what.error_code is not None:
        parts.append(f"error code {what.error_code:#x}")
    if what.cr2 is not None:
        parts.append(f"CR2 {what.cr2:#x}")
    parts.append(f"from {_where(delivered.origin, symbols)}")
    if delivered.fault is not None:
        rule = delivered.steps[-1].rule.id
        code = f"({delivered.fault.error_code:#x})" if delivered.fault.error_code is not None else ""
        parts.append(f"failed at {rule}: {delivered.fault.name}{code}")
    elif delivered.to is not None:
        parts.append(f"to {_where(delivered.to, symbols)}, stack {delivered.stack}")
    return ", ".join(parts)


def _where(place: Context, symbols: Symbols) -> str:
    """Address, name and ring; in real and virtual-8086 mode CS:IP, and no ring of real mode."""
    paragraphs = place.mode in ("real", "vm86")
    address = (place.cs << 4) + place.rip if paragraphs else place.rip
    text = f"{place.cs:04x}:{place.rip:04x}" if paragraphs else f"{place.rip:#x}"
    name = symbols.name(address)
    text = f"{text} {name}" if name else text
    return text if place.mode == "real" else f"{text} in ring {place.cpl}"
