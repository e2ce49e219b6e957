"""How a trial ended, and what is wrong with that: no return, no IRET, an exception of the handler's own."""

from __future__ import annotations

from collections.abc import Iterator

from idtviz.checks.finding import Finding, Note, Severity
from idtviz.checks.rules.handlers import DoesNotReturn, EndsWithoutIret, RaisesException
from idtviz.debugger.observing import Instant
from idtviz.lab.harness.handler import Handler, vector_name
from idtviz.lab.harness.routines import CLOBBERED
from idtviz.lab.harness.standing_in import called
from idtviz.lab.harness.trial import Ending, Trial
from idtviz.lab.harness.world import TELLTALES
from idtviz.machine.decoding import Kind
from idtviz.machine.delivery.event import GENERAL_PROTECTION, PAGE_FAULT
from idtviz.machine.objects import LoadedObject
from idtviz.x86.addresses import is_canonical

_STOPPING = (8, 18)
"""#DF and #MC: there is nothing to return to."""
_EXCEPTIONS = 32
_OF_SEGMENTS = (11, 12, 13)
_NEAR = 1 << 16
"""Bytes from what a register held, within which it is taken to have been the pointer."""


def finding_of(trial: Trial, handler: Handler, loaded: LoadedObject) -> Iterator[Finding]:
    """What is wrong with how it ended, where nothing else that was found is the reason."""
    if any(finding.severity is Severity.ERROR for finding in trial.findings):
        return
    match trial.ending:
        case Ending.RAN_ON | Ending.FLOODED if handler.vector not in _STOPPING:
            severity = Severity.WARNING if handler.vector >= _EXCEPTIONS else Severity.NOTE
            many = "a great many interrupts that it has let in" if trial.ending is Ending.FLOODED else ""
            after = many or f"{trial.budget:,} instructions"
            message = f"{handler.name} has not returned after {after}: this is where it was then"
            yield DoesNotReturn().found(None, message, trial.rip, severity=severity)
        case Ending.WENT_BACK:
            yield _without_iret(trial, handler, loaded)
        case Ending.FAULTED | Ending.FAILED:
            yield _fault(trial, handler, loaded)


def _without_iret(trial: Trial, handler: Handler, loaded: LoadedObject) -> Finding:
    last = _last(trial, loaded)
    returned = last is not None and last.decoded is not None and last.decoded.mnemonic.startswith("ret")
    how = "ends with RET and not with IRET" if returned else "leads back to what it has interrupted without an IRET"
    message = f"{handler.name} {how}: CS and RFLAGS stay on the stack, and the interrupted program goes on with IF=0"
    if trial.ring:
        message += ", in ring 0"
    return EndsWithoutIret().found(None, message, handler.address if last is None else last.registers.linear_rip)


def _fault(trial: Trial, handler: Handler, loaded: LoadedObject) -> Finding:
    fault = trial.fault
    if fault is None:
        message = f"the processor shuts down while {handler.name} runs"
        return RaisesException().found(None, message, _in_file(trial, loaded))
    name = fault.event.name
    code = "" if not fault.event.error_code else f" with error code {fault.event.error_code:#x}"
    at = "" if fault.event.cr2 is None else f" at {fault.event.cr2:#x}"
    message = f"{handler.name} raises {name}{at}{code} while it handles {vector_name(handler.vector)}"
    if loaded.piece_at(trial.rip) is None:
        return _outside(trial, handler, loaded, message)
    notes = [Note(text) for text in _causes(trial, loaded)]
    unset = any(text.startswith(_FROM_HARNESS) for text in (note.text for note in notes))
    return RaisesException().found(None, message, trial.rip, *notes, severity=Severity.NOTE if unset else None)


def _outside(trial: Trial, handler: Handler, loaded: LoadedObject, message: str) -> Finding:
    """The processor executes what is not in the file."""
    last = _last(trial, loaded)
    if last is None:
        return RaisesException().found(None, message, handler.address, severity=Severity.NOTE)
    address = last.registers.linear_rip
    if address + len(last.raw) == trial.rip:
        text = f"{handler.name} has no IRET: this is its last instruction, and behind it there is no more code"
        return EndsWithoutIret().found(None, text, address)
    note = Note(f"it went to {trial.rip:#x}, which is not in the file, through a pointer that nothing has set here")
    return RaisesException().found(None, message, address, note, severity=Severity.NOTE)


_FROM_HARNESS = "here "
"""How a cause begins that lies in the way handlers are tried."""


def _causes(trial: Trial, loaded: LoadedObject) -> Iterator[str]:
    """Why the last instruction raised its exception, as far as its operands tell."""
    last, fault = _last(trial, loaded), trial.fault
    if last is None or last.decoded is None or fault is None or last.registers.linear_rip != trial.rip:
        return
    vector, code = fault.event.vector, fault.event.error_code
    if vector in _OF_SEGMENTS and code and last.decoded.mnemonic in _LOADS:
        yield f"{_FROM_HARNESS}the GDT has no data segment at {code & ~7:#x}; the kernel's own may have one"
    if vector not in (GENERAL_PROTECTION, PAGE_FAULT):
        return
    for operand in last.operands:
        address = operand.address
        if Kind.ALIGNED in last.decoded.kind and address % 16 and vector == GENERAL_PROTECTION:
            yield f"its operand at {address:#x} is not aligned to 16 bytes"
        if vector == GENERAL_PROTECTION and last.registers.mode == "long" and not is_canonical(address):
            yield f"the address of its operand, {address:#x}, is not canonical"
        distance, name = min((abs(address - value), name) for name, value in TELLTALES.items())
        if distance < _NEAR:
            asked = trial.passage is not None and trial.passage.vector >= _ASKED_FOR
            given = f"{_FROM_HARNESS}the program that asks for it gives no pointer: " if asked else ""
            yield f"{given}{address:#x} is what the interrupted program had in {name.upper()}, or close to it"
        if abs(address - CLOBBERED) < _NEAR and called(trial.passage, loaded):
            names = ", ".join(called(trial.passage, loaded))
            yield f"{_FROM_HARNESS}what {names} would give back was not there: it is not in the file"


_LOADS = ("mov", "pop", "lds", "les", "lfs", "lgs", "lss")
_ASKED_FOR = 48
"""From this vector on it is the program that asks, by INT n, with arguments in registers."""


def _last(trial: Trial, loaded: LoadedObject) -> Instant | None:
    """The last instruction that lies in the file."""
    seen = () if trial.passage is None else trial.passage.instants
    return next((it for it in reversed(seen) if loaded.piece_at(it.registers.linear_rip) is not None), None)


def _in_file(trial: Trial, loaded: LoadedObject) -> int:
    last = _last(trial, loaded)
    return trial.rip if last is None else last.registers.linear_rip
