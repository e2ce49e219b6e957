"""The entries of the paging structures that lead to a linear address, as cells."""

from __future__ import annotations

from idtviz.debugger.editing import expressions
from idtviz.debugger.editing.cell import Cell
from idtviz.debugger.editing.in_memory import physical_cell
from idtviz.debugger.editing.problem import EditError
from idtviz.debugger.editing.subject import Subject
from idtviz.machine.unsupported import UnsupportedError
from idtviz.x86.addresses import MASK32, is_canonical
from idtviz.x86.control import EFER_LMA
from idtviz.x86.paging import Level, PageEntry

LEVELS = {"pml4e": Level.PML4, "pdpte": Level.PDPT, "pde": Level.PD, "pte": Level.PT}


def entries(session: Subject, index: str) -> dict[str, PageEntry]:
    """The entries that the walk of an address reads, by level, the first one first. Raises EditError."""
    linear = expressions.address(session, index)
    memory = session.machine.linear()
    if session.machine.cpu.paging_registers().efer & EFER_LMA:
        if not is_canonical(linear):
            raise EditError(f"{linear:#x} is not canonical: it has no page walk")
    else:
        linear &= MASK32
    try:
        walk = memory.walk(linear)
    except UnsupportedError as error:
        raise EditError(str(error)) from error
    if not walk.entries:
        raise EditError("paging is off: an address has no page walk")
    names = {level: name for name, level in LEVELS.items()}
    return {names[entry.level]: entry for entry in walk.entries}


def entry(session: Subject, level: str, index: str) -> Cell:
    """One of these entries. Raises EditError."""
    linear = expressions.address(session, index)
    found = entries(session, index)
    if level not in found:
        last, item = list(found.items())[-1]
        why = "maps a large page" if item.present and item.large else "is not present"
        if level in LEVELS and list(LEVELS).index(level) < list(LEVELS).index(next(iter(found))):
            raise EditError(f"{level}[{linear:#x}]: the paging in use has no {level.upper()}")
        raise EditError(f"{level}[{linear:#x}]: the walk ends before it, as the {last.upper()} {why}")
    item = found[level]
    return physical_cell(
        session,
        f"{level}[{linear:#x}]",
        item.address,
        item.size,
        structure=item.format,
        label=level.upper(),
        meaning=f"at physical {item.address:#x}",
    )
