"""The BIOS: which service each VMCALL in its code asks for.

Everything that it remembers lies in guest memory or in the chips, so that it goes back and forth in time with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from idtviz.machine.firmware import (
    clock,
    disk,
    key_arrival,
    keyboard,
    post,
    rom,
    serial,
    starting,
    system,
    tables,
    video,
)
from idtviz.machine.firmware.call import Call
from idtviz.machine.memory import AccessFault
from idtviz.machine.pc import Machine
from idtviz.machine.unsupported import UnsupportedError

Service = Callable[[Call], None]

SERVICES: Final[Mapping[str, Service]] = {
    "bios_tables": post.set_up,
    "bios_boot": starting.boot,
    "bios_int18": starting.nothing,
    "bios_key_arrived": key_arrival.serve,
    "bios_int10": video.serve,
    "bios_int11": system.equipment,
    "bios_int12": system.memory_size,
    "bios_int13": disk.serve,
    "bios_int40": disk.serve,
    "bios_int14": serial.serve,
    "bios_system": system.serve,
    "bios_wait": system.begin_wait,
    "bios_still_waiting": system.look_at_wait,
    "bios_keyboard": keyboard.serve,
    "bios_key_take": keyboard.take,
    "bios_int17": serial.no_printer,
    "bios_int1a": clock.serve,
}
"""By the name of the place where the VMCALL stands."""


def install(machine: Machine) -> None:
    """Put the BIOS into a new machine, with its tables for operating systems."""
    tables.install(machine.memory, apic=machine.board.lapic is not None)
    rom.install(machine.memory)
    machine.processor.firmware = partial(_serve, machine)


def set_up(machine: Machine) -> None:
    """Leave memory and screen as the BIOS does before it boots."""
    post.set_up(Call(machine))


def _serve(machine: Machine, address: int) -> None:
    """The VMCALL at a linear address."""
    name = rom.name_at(address)
    service = SERVICES.get(name)
    mode = machine.cpu.registers().mode
    if service is None or mode not in ("real", "vm86"):
        raise UnsupportedError(f"the BIOS was entered at {address:#x} in {mode} mode")
    call = Call(machine)
    try:
        service(call)
    except AccessFault as fault:
        raise UnsupportedError(f"the BIOS, {name}: memory at {fault.linear:#x} is not mapped") from fault
    call.finish()
