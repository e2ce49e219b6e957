"""What a handler calls and its file does not have: who it was, and what is blamed on what stands in for it."""

from __future__ import annotations

from dataclasses import replace

from idtviz.checks.finding import Finding, Note
from idtviz.checks.scene import Call, Passage
from idtviz.lab.harness.world import RECORDER, SLOT
from idtviz.machine.objects import LoadedObject


def called(passage: Passage | None, loaded: LoadedObject) -> tuple[str, ...]:
    """The names of the functions that the handler called and that are not there, in order."""
    if passage is None:
        return ()
    slots = loaded.slots
    entered = (slots.get(instant.address) for instant in passage.instants)
    return tuple(dict.fromkeys(item.name for item in entered if item is not None))


def is_slot(address: int, loaded: LoadedObject) -> bool:
    """Whether `address` lies in what stands in for functions that are not there."""
    return RECORDER <= address < RECORDER + SLOT * max(1, len(loaded.slots))


def moved_to_calls(finding: Finding, passage: Passage | None, loaded: LoadedObject) -> Finding:
    """What is found in code that stands in for a function that is not there is a matter of the call of it."""
    moved = _call_around(finding.address, passage, loaded)
    notes: dict[Note, None] = {}
    for note in finding.notes:
        call = _call_around(note.address, passage, loaded)
        if call is None:
            notes[note] = None
        else:
            name = target_name(call, loaded) or "what is called here"
            text = f"{name} is not in the file: it is taken to change every register that a function in C may change"
            notes[Note(text, call.at.registers.linear_rip)] = None
    address = finding.address if moved is None else moved.at.registers.linear_rip
    return replace(finding, address=address, notes=tuple(notes))


def target_name(call: Call, loaded: LoadedObject) -> str | None:
    """The name of the function that is called; None where it has none, or was not reached."""
    if not call.instants:
        return None
    address = call.instants[0].registers.linear_rip
    missing = loaded.slots.get(address)
    if missing is not None:
        return missing.name
    return next((symbol.name for symbol in loaded.symbols if symbol.address == address and symbol.executable), None)


def _call_around(address: int | None, passage: Passage | None, loaded: LoadedObject) -> Call | None:
    """The innermost call of something that is not in the file, in which the instruction at `address` was executed."""
    if address is None or passage is None or loaded.piece_at(address) is not None:
        return None
    for call in reversed(passage.calls):
        at = [instant.address for instant in call.instants]
        if at and at[0] in loaded.slots and address in at:
            return call
    return None
