"""Registers by the names that a scenario gives them."""

from __future__ import annotations

from idtviz.machine.registers import GENERAL_NAMES, Registers, Segment


def register_value(registers: Registers, name: str) -> int:
    """The value of a register; for a segment register its selector."""
    if name in GENERAL_NAMES:
        return registers.general[GENERAL_NAMES.index(name)]
    value: int | Segment = getattr(registers, name)
    return value.selector if isinstance(value, Segment) else value
