"""The chips' registers, changed from outside, by name: which there are, how wide they are, and what they mean.

A chip keeps its rules: a mask that is taken away lets a waiting request through, a count that is changed starts anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from idtviz.machine.board import Board
from idtviz.machine.chips import keyboard
from idtviz.machine.edits import apics, devices, pics, timers
from idtviz.machine.edits.chip_register import ChipRegister, Registers
from idtviz.machine.edits.refusal import RefusedError, fit
from idtviz.machine.pc import Machine
from idtviz.x86.control import CR0_PG


def chips(board: Board) -> Mapping[str, Registers]:
    """The chips that have registers to be changed, by name."""
    return _all(apic=board.lapic is not None)


@cache
def _all(*, apic: bool) -> Mapping[str, Registers]:
    found = {**pics.chips(), **timers.chips(), **devices.chips()}
    return {**found, **apics.chips()} if apic else found


def find(board: Board, chip: str, register: str) -> ChipRegister:
    """Raises RefusedError where there is none."""
    found = chips(board).get(chip)
    if found is None:
        raise RefusedError(f"there is no chip {chip!r} on this board whose registers can be changed")
    try:
        return found[register]
    except KeyError:
        raise RefusedError(f"{chip} has no register {register!r} that can be changed") from None


def path(chip: str, register: str) -> str:
    """How the two are written in one: `pic.master.imr`, `ioapic[1]`, `a20`."""
    return f"{chip}.{register}" if register and not register.startswith("[") else f"{chip}{register}"


def check(machine: Machine, chip: str, register: str, value: int) -> ChipRegister:
    """Raises RefusedError where `set_chip` would."""
    if machine.shut_down or machine.off:
        raise RefusedError("the machine has stopped for good here: go back (S), and edit what led to it")
    found = find(machine.board, chip, register)
    fit(path(chip, register), value, found.width)
    refused = found.refuses(machine.board, value)
    opens = _OPENS_A20.get((chip, register))
    if opens is not None and not value & opens and machine.cpu.paging_registers().cr0 & CR0_PG:
        refused = "with paging on A20 stays open here, as the engine would not mask bit 20 in large pages"
    if refused is not None:
        raise RefusedError(f"{path(chip, register)} cannot be {value:#x}: {refused}")
    return found


_OPENS_A20 = {("a20", ""): 1, ("keyboard", "output_port"): keyboard.A20}
"""Registers that close the A20 gate where this bit is 0."""


def set_chip(machine: Machine, chip: str, register: str, value: int) -> None:
    """Have a register of a chip hold `value`. Raises RefusedError."""
    line = machine.memory.a20
    check(machine, chip, register, value).write(machine.board, value)
    machine.chips_touched()
    if machine.memory.a20 != line:
        machine.edited()
