"""Cells that lie in memory: at a linear address, or, as paging structures do, at a physical one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from idtviz.debugger.editing.cell import Cell
from idtviz.debugger.editing.problem import EditError
from idtviz.debugger.editing.subject import Subject
from idtviz.debugger.inputs import Edit, Poke, PokePhysical
from idtviz.machine.edits import memory
from idtviz.x86.fields import Structure


def linear_cell(
    session: Subject, path: str, linear: int, size: int, *, structure: type[Structure] | None = None, **more: Any
) -> Cell:
    """`size` bytes at a linear address. Raises EditError where nothing is mapped."""
    raw = session.machine.linear().peek(linear, size)
    if raw is None:
        raise EditError(f"{path}: no page is mapped at {linear:#x}")

    def make(data: bytes, at: int, name: str) -> Edit:
        memory.pieces(session.machine, at, len(data))
        return Poke(at, data, name)

    return _cell(path, raw, linear, make, structure, more)


def physical_cell(session: Subject, path: str, physical: int, size: int, **more: Any) -> Cell:
    """`size` bytes at a physical address."""
    raw = session.machine.memory.read(physical, size)

    def make(data: bytes, at: int, name: str) -> Edit:
        memory.check_ram(session.machine, at, len(data))
        return PokePhysical(at, data, name)

    structure = more.pop("structure", None)
    return _cell(path, raw, physical, make, structure, more)


def _cell(
    path: str,
    raw: bytes,
    address: int,
    make: Callable[[bytes, int, str], Edit],
    structure: type[Structure] | None,
    more: dict[str, Any],
) -> Cell:
    def make_number(value: int, name: str) -> Edit:
        """Write those bytes alone that change, and what lies between them."""
        data = value.to_bytes(len(raw), "little")
        first = next((place for place in range(len(raw)) if data[place] != raw[place]), 0)
        last = next((place for place in reversed(range(len(raw))) if data[place] != raw[place]), len(raw) - 1)
        return make(data[first : last + 1], address + first, name)

    return Cell(
        path,
        more.pop("label", path),
        8 * len(raw),
        int.from_bytes(raw, "little"),
        make_number,
        structure=structure,
        **more,
    )


def word(session: Subject, path: str, linear: int, size: int, **more: Any) -> Cell:
    """A byte or a word in memory, from which a run of bytes can be written."""
    machine = session.machine

    def run(data: bytes, name: str) -> Edit:
        memory.pieces(machine, linear, len(data))
        return Poke(linear, data, name)

    return linear_cell(session, path, linear, size, run=run, **more)
