"""Memory, changed from outside: no permission is asked, and no accessed or dirty bit is set.

What was translated from it is dropped, and what a step that is under way has still to read, it reads anew.
"""

from __future__ import annotations

from idtviz.machine.delivery.procedure import Procedure
from idtviz.machine.edits.refusal import RefusedError
from idtviz.machine.memory import PAGE, LinearMemory
from idtviz.machine.pc import Machine
from idtviz.machine.unsupported import UnsupportedError
from idtviz.x86.addresses import MASK32, MASK64, is_canonical
from idtviz.x86.control import EFER_LMA

Piece = tuple[int, int]
"""Physical address and size in bytes."""


def write_linear(machine: Machine, address: int, data: bytes) -> None:
    """`data` at a linear address. Raises RefusedError, with nothing written, where no RAM is mapped."""
    done = 0
    for physical, size in pieces(machine, address, len(data)):
        _put(machine, physical, data[done : done + size])
        done += size
    machine.edited()


def write_physical(machine: Machine, address: int, data: bytes) -> None:
    """`data` at a physical address. Raises RefusedError, with nothing written, where no RAM is."""
    check_ram(machine, address, len(data))
    _put(machine, address, data)
    machine.edited()


def pieces(machine: Machine, address: int, size: int) -> list[Piece]:
    """Where `size` bytes at a linear address lie. Raises RefusedError where no RAM is mapped."""
    at = machine.cpu.paging_registers()
    memory, long = LinearMemory(machine.memory, at), bool(at.efer & EFER_LMA)
    found: list[Piece] = []
    while size > 0:
        address &= MASK64 if long else MASK32
        if long and not is_canonical(address):
            raise RefusedError(f"{address:#x} is not canonical: no memory can be there")
        try:
            physical = memory.walk(address).physical
        except UnsupportedError as error:
            raise RefusedError(str(error)) from error
        if physical is None:
            raise RefusedError(f"no page is mapped at {address:#x}")
        length = min(size, PAGE - address % PAGE)
        check_ram(machine, physical, length)
        found.append((physical, length))
        address += length
        size -= length
    return found


def check_ram(machine: Machine, address: int, size: int) -> None:
    """Raises RefusedError unless RAM keeps what is written there."""
    memory = machine.memory
    rom = next((rom for rom in memory.roms if rom.address < address + size and address < rom.address + rom.size), None)
    if rom is not None:
        raise RefusedError(f"a ROM is at physical address {address:#x}: it keeps what it holds")
    if address + size > memory.size:
        raise RefusedError(f"there is no RAM at physical address {address:#x}: it ends at {memory.size:#x}")


def _put(machine: Machine, address: int, data: bytes) -> None:
    memory, activity = machine.memory, machine.activity
    former = memory.read(address, len(data))
    memory.put(address, data)
    if isinstance(activity, Procedure):
        activity.disturb(address, former, data)
