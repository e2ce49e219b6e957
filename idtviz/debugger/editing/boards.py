"""The registers of the chips as cells."""

from __future__ import annotations

from collections.abc import Iterable

from idtviz.debugger.editing.cell import Cell
from idtviz.debugger.editing.expressions import number
from idtviz.debugger.editing.problem import EditError
from idtviz.debugger.editing.subject import Subject
from idtviz.debugger.inputs import Edit, SetChip
from idtviz.machine.edits import chips


def names(session: Subject, prefix: str) -> list[tuple[str, str]]:
    """Chip and register of all whose chip's path is `prefix` or begins with it: `pic`, `pic.master`, `pit`."""
    found = []
    for chip, registers in chips.chips(session.machine.board).items():
        if chip == prefix or chip.startswith((f"{prefix}.", f"{prefix}[")):
            found += [(chip, register) for register in registers]
    return found


def cell(session: Subject, chip: str, register: str) -> Cell:
    """One register of a chip."""
    machine = session.machine
    found = chips.chips(machine.board)[chip][register]

    def make(value: int, what: str) -> Edit:
        chips.check(machine, chip, register, value)
        return SetChip(chip, register, value, what)

    path = chips.path(chip, register)
    value = found.read(machine.board)
    return Cell(path, path, found.width, value, make, found.meaning, found.structure, found.fixed, reserved=False)


def find(session: Subject, parts: list[str]) -> tuple[Cell, list[str]] | None:
    """The register that a path's parts name, and the parts that are left; None where they name no chip.

    The parts are names and `[index]`es: `["pic", "master", "imr"]`, `["ioapic", "[1]", "mask"]`. Raises EditError.
    """
    board = chips.chips(session.machine.board)
    for count in range(len(parts), 0, -1):
        chip = _joined(parts[:count])
        if chip not in board:
            continue
        registers, rest = board[chip], parts[count:]
        if "" in registers:
            return cell(session, chip, ""), rest
        name = _key(registers, rest[0]) if rest else None
        if name is not None:
            return cell(session, chip, name), rest[1:]
        what = "".join(rest[:1]) or "nothing"
        few = list(registers)
        there = ", ".join(few) if len(few) <= 24 else f"{few[0]} to {few[-1]}"
        raise EditError(f"{chip} has no register {what!r} that can be edited: it has {there}")
    return None


def _key(registers: Iterable[str], part: str) -> str | None:
    """The register that a part of a path names: `imr`, or `[0x10]` as `[16]` or in any other way."""
    if not part.startswith("["):
        return next((name for name in registers if name == part), None)
    wanted = number(part[1:-1])
    return next((name for name in registers if name[:1] == "[" and number(name[1:-1]) == wanted), None)


def _joined(parts: list[str]) -> str:
    text = ""
    for part in parts:
        text = chips.path(text, part) if text else part
    return text
