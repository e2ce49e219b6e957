"""What each type of relocation asks for: the number, where it may lie, and in how many bytes it is written.

Source: System V ABI, AMD64 supplement 1.0, 4.4 (table 4.9); System V ABI, Intel386 supplement 1.1, 4.4 (table 4.9).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from elftools.elf.enums import ENUM_RELOC_TYPE_i386, ENUM_RELOC_TYPE_x64


class Range(Enum):
    """Which numbers fit in the bytes that are filled in."""

    ANY = "any"
    SIGNED = "signed"
    UNSIGNED = "unsigned"
    EITHER = "signed or unsigned"


class Terms(NamedTuple):
    """What the number is made of, by the letters of the ABI."""

    s: int
    """The symbol's address."""
    a: int
    """The addend."""
    p: int
    """The place that is filled in."""
    g: int
    """The address of the symbol's entry in the global offset table."""
    got: int
    """The address of that table."""
    based: bool = True
    """Whether the instruction adds the address of that table itself (i386)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A type of relocation. `entry`: the symbol needs an entry in the global offset table."""

    name: str
    size: int
    range: Range
    value: Callable[[Terms], int]
    entry: bool = False

    def fits(self, value: int, bits: int) -> int | None:
        """The number to be written, `size` bytes, unsigned; None: it does not fit. Addresses have `bits` bits."""
        value &= (1 << bits) - 1
        width = 8 * self.size
        if self.range is Range.ANY or width >= bits:
            return value & (1 << width) - 1
        signed = value - (1 << bits) if value >> bits - 1 else value
        lowest, highest = -(1 << width - 1), 1 << width - 1
        if self.range is Range.UNSIGNED:
            fits = value < 1 << width
        elif self.range is Range.SIGNED:
            fits = lowest <= signed < highest
        else:
            fits = lowest <= signed < 1 << width
        return value & (1 << width) - 1 if fits else None


def _absolute(t: Terms) -> int:
    return t.s + t.a


def _relative(t: Terms) -> int:
    return t.s + t.a - t.p


def _in_table(t: Terms) -> int:
    return t.g + t.a - t.got


def _to_entry(t: Terms) -> int:
    return t.g + t.a - t.p


def _from_table(t: Terms) -> int:
    return t.s + t.a - t.got


def _to_table(t: Terms) -> int:
    return t.got + t.a - t.p


def _entry(t: Terms) -> int:
    return t.g + t.a - (t.got if t.based else 0)


_X86_64 = {
    1: Rule("R_X86_64_64", 8, Range.ANY, _absolute),
    2: Rule("R_X86_64_PC32", 4, Range.SIGNED, _relative),
    3: Rule("R_X86_64_GOT32", 4, Range.SIGNED, _in_table, entry=True),
    4: Rule("R_X86_64_PLT32", 4, Range.SIGNED, _relative),
    9: Rule("R_X86_64_GOTPCREL", 4, Range.SIGNED, _to_entry, entry=True),
    10: Rule("R_X86_64_32", 4, Range.UNSIGNED, _absolute),
    11: Rule("R_X86_64_32S", 4, Range.SIGNED, _absolute),
    12: Rule("R_X86_64_16", 2, Range.EITHER, _absolute),
    13: Rule("R_X86_64_PC16", 2, Range.SIGNED, _relative),
    14: Rule("R_X86_64_8", 1, Range.EITHER, _absolute),
    15: Rule("R_X86_64_PC8", 1, Range.SIGNED, _relative),
    24: Rule("R_X86_64_PC64", 8, Range.ANY, _relative),
    25: Rule("R_X86_64_GOTOFF64", 8, Range.ANY, _from_table),
    26: Rule("R_X86_64_GOTPC32", 4, Range.SIGNED, _to_table),
    27: Rule("R_X86_64_GOT64", 8, Range.ANY, _in_table, entry=True),
    28: Rule("R_X86_64_GOTPCREL64", 8, Range.ANY, _to_entry, entry=True),
    29: Rule("R_X86_64_GOTPC64", 8, Range.ANY, _to_table),
    30: Rule("R_X86_64_GOTPLT64", 8, Range.ANY, _in_table, entry=True),
    31: Rule("R_X86_64_PLTOFF64", 8, Range.ANY, _from_table),
    41: Rule("R_X86_64_GOTPCRELX", 4, Range.SIGNED, _to_entry, entry=True),
    42: Rule("R_X86_64_REX_GOTPCRELX", 4, Range.SIGNED, _to_entry, entry=True),
    43: Rule("R_X86_64_CODE_4_GOTPCRELX", 4, Range.SIGNED, _to_entry, entry=True),
}
_I386 = {
    1: Rule("R_386_32", 4, Range.ANY, _absolute),
    2: Rule("R_386_PC32", 4, Range.ANY, _relative),
    3: Rule("R_386_GOT32", 4, Range.ANY, _entry, entry=True),
    4: Rule("R_386_PLT32", 4, Range.ANY, _relative),
    9: Rule("R_386_GOTOFF", 4, Range.ANY, _from_table),
    10: Rule("R_386_GOTPC", 4, Range.ANY, _to_table),
    20: Rule("R_386_16", 2, Range.EITHER, _absolute),
    21: Rule("R_386_PC16", 2, Range.SIGNED, _relative),
    22: Rule("R_386_8", 1, Range.EITHER, _absolute),
    23: Rule("R_386_PC8", 1, Range.SIGNED, _relative),
    43: Rule("R_386_GOT32X", 4, Range.ANY, _entry, entry=True),
}
RULES: Final[Mapping[int, Mapping[int, Rule]]] = {32: _I386, 64: _X86_64}
"""By the bits of the program and the number of the type."""

NONE: Final = 0
"""The number of R_386_NONE and R_X86_64_NONE."""

_NEWER = {
    64: {32: "R_X86_64_SIZE32", 33: "R_X86_64_SIZE64", 38: "R_X86_64_RELATIVE64"},
    32: {38: "R_386_SIZE32"},
}
_KNOWN = {
    bits: {number: name for name, number in names.items() if isinstance(number, int)} | _NEWER[bits]
    for bits, names in ((32, ENUM_RELOC_TYPE_i386), (64, ENUM_RELOC_TYPE_x64))
}
_THREAD_LOCAL = ("TLS", "TPOFF", "DTPMOD", "DTPOFF")
_OF_DYNAMIC_LINKER = ("COPY", "GLOB_DAT", "JUMP_SLOT", "RELATIVE")


def type_name(bits: int, kind: int) -> str:
    """What the ABI calls a type of relocation."""
    prefix = "R_386" if bits == 32 else "R_X86_64"
    rule = RULES[bits].get(kind)
    return rule.name if rule else _KNOWN[bits].get(kind, f"{prefix} type {kind}")


def refusal(name: str) -> str:
    """Why a relocation of a type without a rule cannot be applied."""
    if any(part in name for part in _THREAD_LOCAL):
        return "thread-local storage has no place in a handler"
    if name.endswith(_OF_DYNAMIC_LINKER):
        return "only a dynamic linker applies it, to a program that is linked"
    return "it cannot be applied here"
