"""The few instructions that idtviz performs itself, decoded: INT n, INT3, INTO, INT1, IRET, HLT, RDTSC, RDTSCP."""

from __future__ import annotations

from dataclasses import dataclass

MAXIMUM_LENGTH = 15
"""Bytes of the longest instruction (SDM 2A 2.3.11)."""

_LEGACY_PREFIXES = frozenset((0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3))
_LENGTHS = {0xCC: 1, 0xCD: 2, 0xCE: 1, 0xCF: 1, 0xF1: 1, 0xF4: 1}


@dataclass(frozen=True, slots=True)
class Decoded:
    """`length` in bytes with prefixes; `vector` for INT n, INT3, INTO, INT1; `operand_size` in bytes (for IRET)."""

    length: int
    vector: int | None
    operand_size: int


def decode(raw: bytes, *, long: bool, wide: bool) -> Decoded:
    """Decode one of this module's instructions. `long`: 64-bit mode; `wide`: default operand size 32 (CS.D=1, or 64-bit mode)."""
    at = 0
    operand, rex = False, 0
    while raw[at] in _LEGACY_PREFIXES:
        operand |= raw[at] == 0x66
        at += 1
    if long and raw[at] & 0xF0 == 0x40:
        rex = raw[at]
        at += 1
    opcode = raw[at]
    length = at + (_LENGTHS[opcode] if opcode != 0x0F else 3 if raw[at + 1] == 0x01 else 2)
    vector = {0xCC: 3, 0xCE: 4, 0xF1: 1, 0xCD: raw[at + 1] if len(raw) > at + 1 else 0}.get(opcode)
    size = 8 if rex & 8 else 4 if wide != operand else 2
    return Decoded(length, vector, size)
