"""Numbers as a person writes them: `0x2a`, `0b101`, `'A'`, `kernel_ready`, `rsp+8`."""

from __future__ import annotations

import re

from idtviz.debugger.editing.problem import EditError
from idtviz.debugger.editing.subject import Subject
from idtviz.machine.edits import registers
from idtviz.x86.addresses import MASK64

_NUMBER = re.compile(r"0x[0-9a-f_]+|0b[01_]+|0o[0-7_]+|\d[\d_]*", re.IGNORECASE)
_TERMS = re.compile(r"\s*([+-])\s*")
_SHORT = {"eip": "rip", "ip": "rip"}


def number(text: str) -> int | None:
    """A number in decimal, hex, binary or octal, or a character in quotes; None for any other text."""
    text = text.strip()
    if len(text) == 3 and text[0] == text[2] and text[0] in "'\"" and text.isascii():
        return ord(text[1])
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return int(text, 0 if text[:2].lower() in ("0x", "0b", "0o") else 10)
    except ValueError:
        return None


def address(session: Subject, text: str) -> int:
    """A sum of numbers, symbols and registers, modulo 2^64. Raises EditError."""
    whole = session.symbols.address_of(text.strip())
    if whole is not None:
        return whole
    parts = _TERMS.split(text.strip())
    total = _term(session, parts[0], text)
    for sign, term in zip(parts[1::2], parts[2::2], strict=True):
        value = _term(session, term, text)
        total += value if sign == "+" else -value
    return total & MASK64


def _term(session: Subject, text: str, whole: str) -> int:
    found = number(text)
    if found is None:
        found = session.symbols.address_of(text)
    if found is None:
        found = _register(session, text.lower())
    if found is None:
        raise EditError(f"{whole.strip()!r} is no address: expected a number, a symbol, a register, or a sum of them")
    return found


def _register(session: Subject, name: str) -> int | None:
    machine = session.machine
    name = _SHORT.get(name, name)
    if name in registers.NAMES:
        return registers.read(machine, name)
    wide = f"r{name[1:]}"
    if len(name) == 3 and name[0] == "e" and wide in registers.NAMES:
        value = registers.read(machine, wide)
        return None if value is None else value & 0xFFFFFFFF
    return None
