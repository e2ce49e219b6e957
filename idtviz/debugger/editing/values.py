"""What a person types for a value."""

from __future__ import annotations

import re

from idtviz.debugger.editing import expressions
from idtviz.debugger.editing.problem import EditError
from idtviz.debugger.editing.slot import Slot
from idtviz.debugger.editing.subject import Subject

_RUN = re.compile(r"[0-9a-f]{2}([\s,]+[0-9a-f]{2})+", re.IGNORECASE)
_SWITCH = {"on": 1, "true": 1, "set": 1, "yes": 1, "off": 0, "false": 0, "clear": 0, "no": 0}
_ADDRESS_BITS = 16  # from which width on a value may be the address of a symbol


def parse_value(session: Subject, text: str, slot: Slot) -> int | bytes:
    """Read a value for `slot`. Raises EditError, saying what would have been understood."""
    text = text.strip()
    if not text:
        raise EditError(f"{slot.path} needs a value: {_expected(slot)}")
    if slot.takes_bytes and _RUN.fullmatch(text):
        return bytes.fromhex(re.sub(r"[\s,]+", "", text))
    found = expressions.number(text)
    if found is not None:
        return found
    negative = expressions.number(text[1:]) if text[0] == "-" else None
    if negative is not None and slot.width >= 8 and negative <= 1 << slot.width - 1:
        return -negative & (1 << slot.width) - 1
    if slot.width == 1 and text.lower() in _SWITCH:
        return _SWITCH[text.lower()]
    named = _named(slot, text.lower())
    if named is not None:
        return named
    if slot.width >= _ADDRESS_BITS:
        try:
            return expressions.address(session, text)
        except EditError:
            pass
    raise EditError(f"{text!r} is no value for {slot.path}: {_expected(slot)}")


def _named(slot: Slot, text: str) -> int | None:
    """The value whose meaning begins with `text`, if that is one."""
    meanings = {value: meaning.lower() for value, meaning in slot.choices.items()}
    for exact in (text, f"{text} gate"):
        found = [value for value, meaning in meanings.items() if meaning == exact]
        if len(found) == 1:
            return found[0]
    found = [value for value, meaning in meanings.items() if meaning.startswith(text)]
    return found[0] if len(found) == 1 else None


def _expected(slot: Slot) -> str:
    most = (1 << slot.width) - 1
    if slot.width == 1:
        return "expected 0 or 1, off or on"
    said = f"expected 0 to {most:#x}" if most > 9 else f"expected 0 to {most}"
    if slot.takes_bytes:
        said += ", or bytes such as 90 90"
    elif slot.choices:
        said += ", or a name such as " + next(iter(slot.choices.values()))
    elif slot.width >= _ADDRESS_BITS:
        said += ", or a symbol"
    return said
