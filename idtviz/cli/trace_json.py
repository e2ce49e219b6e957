"""Events as the JSON objects of `idtviz trace --format json`, keys in the order of the contract."""

from __future__ import annotations

from typing import Any

from idtviz.checks.finding import Finding
from idtviz.lab.expectations import Outcome, result_of
from idtviz.lab.run import Begun
from idtviz.lab.session import LabSession
from idtviz.machine.delivery.procedure import Span, Step
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
from idtviz.x86.gates import Gate64, IvtEntry

SCHEMA = 1

Object = dict[str, Any]


def start(session: LabSession) -> Object:
    """The first line: what runs."""
    section = session.scenario.machine
    return {
        "type": "start",
        "schema": SCHEMA,
        "file": session.path.name,
        "boot": session.boot,
        "mode": section.mode,
        "memory": section.memory,
    }


def event(happened: Happened) -> Object:
    """One event."""
    at = happened.instruction
    match happened:
        case Delivered():
            return _delivery(happened)
        case Returned():
            return {
                "type": "return",
                "instruction": at,
                "delivery": happened.delivery,
                "from": _origin(happened.origin),
                "to": _place(happened.to),
            }
        case LineChanged():
            return {"type": "irq", "instruction": at, "line": happened.line, "level": int(happened.level)}
        case EndOfInterrupt():
            return {"type": "eoi", "instruction": at, "controller": happened.controller, "irq": happened.irq}
        case Halted():
            return {"type": "halt", "instruction": at}
        case ShutDown():
            return {"type": "shutdown", "instruction": at, "cause": list(happened.cause)}
        case SwitchedOff():
            return {"type": "note", "instruction": at, "text": happened.how}
        case Noted():
            return {"type": "note", "instruction": at, "text": happened.text}
    raise TypeError(f"an event of no known kind: {happened!r}")


def instruction(begun: Begun) -> Object:
    """An instruction that is about to be executed."""
    return {"type": "instruction", "instruction": begun.instruction, "rip": hex(begun.rip), "text": begun.text}


def finding(found: Finding) -> Object:
    """What a rule has found."""
    return {
        "type": "finding",
        "instruction": None if found.moment is None else found.moment.instruction,
        "rule": found.rule,
        "severity": found.severity.value,
        "message": found.message,
        "address": None if found.address is None else hex(found.address),
    }


def expect(outcome: Outcome) -> Object:
    """How one expectation stands at the end."""
    return {"type": "expect", "index": outcome.index, "ok": outcome.ok, "detail": outcome.detail}


def _delivery(delivered: Delivered) -> Object:
    what = delivered.event
    found: Object = {
        "type": "delivery",
        "instruction": delivered.instruction,
        "vector": what.vector,
        "name": what.name,
        "source": what.source.value,
        "irq": what.irq,
        "error_code": what.error_code,
        "cr2": None if what.cr2 is None else hex(what.cr2),
        "from": _origin(delivered.origin),
        "gate": _gate(delivered),
        "stack": delivered.stack,
        "frame": _frame(delivered),
        "to": None if delivered.to is None else _place(delivered.to),
        "steps": [_step(step) for step in delivered.steps],
        "result": result_of(delivered),
    }
    if delivered.fault is not None:
        found["fault_error_code"] = delivered.fault.error_code
    if what.caused_by is not None:
        found["caused_by"] = what.caused_by
    return found


def _gate(delivered: Delivered) -> Object | None:
    gate = delivered.gate
    if gate is None:
        return None
    index = {"index": delivered.event.vector}
    if isinstance(gate, IvtEntry):
        # Real mode knows neither types nor rings: an entry is used as it stands.
        kind: Object = {"type": "ivt", "dpl": 0, "ist": 0, "present": True}
        return index | kind | {"selector": hex(gate.segment), "offset": hex(gate.offset)}
    return index | {
        "type": gate.kind,
        "dpl": gate.dpl,
        "ist": gate.ist if isinstance(gate, Gate64) else 0,
        "present": bool(gate.present),
        "selector": hex(gate.selector),
        "offset": hex(gate.offset),
    }


def _frame(delivered: Delivered) -> Object | None:
    frame = delivered.frame
    if frame is None:
        return None
    return {"address": hex(frame.address), "words": [hex(word.value) for word in frame.words]}


def _origin(context: Context) -> Object:
    return {"mode": context.mode, **_place(context)}


def _place(context: Context) -> Object:
    return {
        "cs": hex(context.cs),
        "rip": hex(context.rip),
        "cpl": context.cpl,
        "ss": hex(context.ss),
        "rsp": hex(context.rsp),
        "rflags": hex(context.rflags),
    }


def _step(step: Step) -> Object:
    return {"rule": step.rule.id, "ok": step.ok, "reads": _spans(step.reads), "writes": _spans(step.writes)}


def _spans(spans: tuple[Span, ...]) -> list[list[str | int]]:
    return [[hex(span.address), span.size] for span in spans]
