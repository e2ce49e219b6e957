"""The processor's registers as cells, by the names that the present code has for them."""

from __future__ import annotations

from collections.abc import Iterator

from idtviz.debugger.editing.cell import Cell
from idtviz.debugger.editing.problem import EditError
from idtviz.debugger.editing.subject import Subject, registers_of
from idtviz.debugger.inputs import Edit, SetRegister
from idtviz.machine import debug_registers
from idtviz.machine.edits import registers
from idtviz.machine.registers import GENERAL_NAMES
from idtviz.x86.addresses import MASK32
from idtviz.x86.control import CR0_ET, EFER_LMA, Cr0, Cr3, Cr4, Efer
from idtviz.x86.fields import Structure
from idtviz.x86.flags import RFlags
from idtviz.x86.msrs import Star
from idtviz.x86.selectors import Selector

_STRUCTURES: dict[str, type[Structure]] = {
    "rflags": RFlags,
    "cr0": Cr0,
    "cr3": Cr3,
    "cr4": Cr4,
    "efer": Efer,
    "star": Star,
}
_SELECTORS = ("cs", "ss", "ds", "es", "fs", "gs", "ldtr", "tr")
_WIDTHS = {"gdtr.limit": 16, "idtr.limit": 16, "cr8": 4} | dict.fromkeys(_SELECTORS, 16)
_OF_THE_CODE = {"rip", "rflags"}
"""Registers that have 64 bits in 64-bit code, and 32 in other code."""
_OF_THE_MODE = {"cr2", "cr3", "gdtr.base", "idtr.base", "fs.base", "gs.base", *(f"dr{number}" for number in range(4))}
"""Registers that have 64 bits in long mode, compatibility mode included, and 32 outside of it."""
_FLAGS, _IP = ("eflags", "flags"), ("eip", "ip")


def _loose(number: int) -> int:
    """The bits of a debug register that a MOV changes."""
    clear, full = debug_registers.stored(number, 0), debug_registers.stored(number, MASK32)
    assert clear is not None and full is not None
    return clear ^ full


_FIXED = {
    "rflags": ~registers.known_bits(RFlags),
    "cr0": CR0_ET,
    "dr6": ~_loose(6),
    "dr7": ~_loose(7),
}
_ADDRESSES = {"cr2", "gdtr.base", "idtr.base", "lstar", "cstar", "sysenter_esp", "sysenter_eip", "rip"}
_NEEDS_LONG = ("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15")


def names(session: Subject) -> tuple[str, ...]:
    """The registers that there are to edit, in the order of the panel."""
    long = _is_long(session)
    general = [name for name in GENERAL_NAMES if long or name not in _NEEDS_LONG]
    rest = [name for name in registers.NAMES if name not in GENERAL_NAMES]
    found = [_shown(name, long=long) for name in (*general, *rest)]
    return tuple(name for name in found if name != "cr8" or session.machine.board.lapic is not None)


def cell(session: Subject, name: str) -> Cell | None:
    """The register `name`, or a part of a general one; None where `name` is none. Raises EditError."""
    name = name.lower()
    long = _is_long(session)
    part = _PARTS.get(name)
    if part is not None:
        return _general(session, name, *part, long=long)
    full = "rflags" if name in _FLAGS else "rip" if name in _IP else name
    value = registers.read(session.machine, full) if full in registers.NAMES else None
    if value is None:
        return None
    outside = not registers_of(session).efer & EFER_LMA
    narrow = (full in _OF_THE_CODE and not long) or (full in _OF_THE_MODE and outside)
    width = max(_WIDTHS.get(full, 32 if narrow else 64), value.bit_length())

    def make(number: int, what: str) -> Edit:
        registers.check(session.machine, full, number)
        return SetRegister(full, number, what)

    structure = _STRUCTURES.get(full)
    if full in _SELECTORS and registers_of(session).mode not in ("real", "vm86"):
        structure = Selector
    return Cell(
        _shown(full, long=long),
        _shown(full, long=long),
        width,
        value,
        make,
        _meaning(session, full, value),
        structure,
        _FIXED.get(full, 0) & (1 << width) - 1,
        address=full in _ADDRESSES,
        reserved=False,
    )


def _is_long(session: Subject) -> bool:
    return registers_of(session).mode == "long"


def _shown(name: str, *, long: bool) -> str:
    if long:
        return name
    if name in GENERAL_NAMES or name in ("rip", "rflags"):
        return f"e{name[1:]}"
    return name


def _parts() -> Iterator[tuple[str, tuple[str, int, int]]]:
    """The general registers and their parts by name: the register, the lowest bit, the width."""
    for name in GENERAL_NAMES:
        yield name, (name, 0, 64)
        plain = name[1:]
        if plain.isdigit():
            for suffix, width in (("d", 32), ("w", 16), ("b", 8)):
                yield f"{name}{suffix}", (name, 0, width)
            continue
        yield f"e{plain}", (name, 0, 32)
        yield plain, (name, 0, 16)
        yield f"{plain[0] if plain.endswith('x') else plain}l", (name, 0, 8)
        if plain.endswith("x"):
            yield f"{plain[0]}h", (name, 8, 8)


_PARTS = dict(_parts())


def _general(session: Subject, name: str, register: str, low: int, width: int, *, long: bool) -> Cell:
    if not long:
        if register in _NEEDS_LONG:
            raise EditError(f"{register} exists in 64-bit code only")
        if width == 64:
            name, width = _shown(name, long=False), 32
    whole = registers.read(session.machine, register)
    assert whole is not None
    mask = (1 << width) - 1 << low
    value = (whole & mask) >> low

    def make(number: int, what: str) -> Edit:
        full = whole & ~mask | number << low
        registers.check(session.machine, register, full)
        return SetRegister(register, full, what)

    return Cell(name, name, width, value, make, _symbol(session, value), address=True)


def _symbol(session: Subject, value: int) -> str:
    return (session.symbols.name(value) or "") if value else ""


def _meaning(session: Subject, name: str, value: int) -> str:
    kind = _STRUCTURES.get(name)
    if kind is not None and name != "star":
        return " ".join(kind(value).names())
    if name in _SELECTORS:
        real = registers_of(session).mode in ("real", "vm86")
        return f"base {value << 4:#x}" if real and name not in ("ldtr", "tr") else Selector(value).explain()
    return _symbol(session, value) if name in _ADDRESSES else ""
