"""The machine as a BIOS leaves it to a loader: its code, its variables and its tables in memory, the timer ticking."""

from __future__ import annotations

from idtviz.machine.boot.entry import enter
from idtviz.machine.chips import pit
from idtviz.machine.pc import Machine


def leave(machine: Machine) -> None:
    """Do what the BIOS does to a new machine. The loader comes next: no program has been entered yet."""
    from idtviz.machine.firmware import bios  # noqa: PLC0415 -- much to load, and most images come without

    enter(machine, "real", 0)
    bios.install(machine)
    bios.set_up(machine)
    machine.board.pit.state = pit.after_bios(machine.clock.hertz)
    machine.chips_touched()
