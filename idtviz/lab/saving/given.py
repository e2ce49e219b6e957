"""Inputs as plain entries of a document, and back: each kind by its name, each field by its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_type_hints

from idtviz.debugger import inputs
from idtviz.debugger.inputs import Input

Entry = dict[str, str | int]

KINDS: dict[str, type[Input]] = {
    "keys": inputs.Keys,
    "irq": inputs.Irq,
    "nmi": inputs.Nmi,
    "exception": inputs.Raised,
    "serial": inputs.Serial,
    "poke": inputs.Poke,
    "poke physical": inputs.PokePhysical,
    "register": inputs.SetRegister,
    "chip": inputs.SetChip,
}
"""What there is, by the name that it has in a file. A new kind is a line here."""

_SMALL = frozenset(("line",))
"""Numbers that are counts, and written in decimal; all others are addresses and values, in hex."""
_LONGEST = 1 << 20
_WIDEST = 1 << 512
_NAMES = {kind: name for name, kind in KINDS.items()}
_OWN = frozenset(("at", "kind"))


def entry_of(given: Input) -> Entry:
    """The kind and the fields of an input. Raises ValueError for a kind that has no name."""
    name = _NAMES.get(type(given))
    if name is None:
        raise ValueError(f"an input of the kind {type(given).__name__} cannot be saved")
    return {"kind": name} | {field.name: _written(field.name, getattr(given, field.name)) for field in fields(given)}


def input_of(entry: Mapping[str, str | int]) -> Input:
    """The input that an entry holds. Raises ValueError, saying what is wrong with it."""
    name = entry.get("kind")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"no input is of the kind {name!r}; there are {', '.join(KINDS)}")
    types = get_type_hints(kind)
    wanted = [field.name for field in fields(kind)]
    given = [key for key in entry if key not in _OWN]
    if sorted(given) != sorted(wanted):
        raise ValueError(f"{name}: expected {', '.join(wanted) or 'nothing more'}, not {', '.join(given) or 'nothing'}")
    values: dict[str, Any] = {key: _read(key, entry[key], types[key]) for key in wanted}
    return kind(**values)


def _written(field: str, value: object) -> str | int:
    if isinstance(value, bytes):
        return value.hex(" ")
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if field in _SMALL else f"{value:#x}"
    raise ValueError(f"a {type(value).__name__} cannot be saved")


def _read(field: str, value: str | int, wanted: type) -> object:
    if wanted is int:
        return _number(field, value)
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError(f"{field}: expected a text of at most {_LONGEST} characters")
    if wanted is str:
        return value
    try:
        return bytes.fromhex(value)
    except ValueError as error:
        raise ValueError(f"{field}: expected bytes in hex, such as '90 cc'") from error


def _number(field: str, value: str | int) -> int:
    if field in _SMALL:
        if isinstance(value, int) and 0 <= value < 1 << 16:
            return value
        raise ValueError(f"{field}: expected a small number")
    try:
        if isinstance(value, str) and value.startswith("0x") and 0 <= (found := int(value, 16)) < _WIDEST:
            return found
    except ValueError:
        pass
    raise ValueError(f"{field}: expected a number in hex, such as '0x1000'")
