"""Registers by the names that a scenario gives them."""

from __future__ import annotations

from idtviz.machine.registers import GENERAL_NAMES, Registers, Segment

_WIDTHS = {"e": 0xFFFFFFFF, "": 0xFFFF}
_NARROWER = {
    f"{prefix}{name[1:]}": (name, mask)
    for prefix, mask in _WIDTHS.items()
    for name in (*GENERAL_NAMES[:8], "rip", "rflags")
}
"""`eax`, `ax`, `eip`, `flags`, ...: the register that the name is a part of, and the bits of that part."""
REGISTER_NAMES = (
    *GENERAL_NAMES,
    *("rip", "rflags", "cpl", "cr0", "cr2", "cr3", "cr4", "efer"),
    *("cs", "ss", "ds", "es", "fs", "gs", "tr", "ldtr"),
    *_NARROWER,
)
"""The registers that a scenario can name; for a segment register its selector is meant."""


def register_value(registers: Registers, name: str) -> int:
    """The value of a register, or of the part of one that `eax` or `ax` names; for a segment register its selector."""
    whole, mask = _NARROWER.get(name, (name, -1))
    if whole in GENERAL_NAMES:
        return registers.general[GENERAL_NAMES.index(whole)] & mask
    value: int | Segment = getattr(registers, whole)
    return value.selector if isinstance(value, Segment) else value & mask
