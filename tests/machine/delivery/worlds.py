"""Deliveries over the worlds of the oracle's cases, without a machine around them."""

from __future__ import annotations

from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.delivery.event import Event, Fault, Source, exception
from idtviz.machine.delivery.select import delivery_of
from idtviz.machine.memory import LinearMemory, Memory
from idtviz.machine.registers import Registers
from tests.oracle import ours
from tests.oracle.case import PAGE
from tests.oracle.protected_mode import ProtectedModeWorld
from tests.oracle.real_mode import RealModeWorld

MEMORY = 1 << 20
UD, INT, IRQ, GP = "#UD", "int 0x80", "irq 0x30", "#GP"


def registers_of(world: ProtectedModeWorld | RealModeWorld) -> Registers:
    return ours._registers(world.case("").state)


def memory_of(world: ProtectedModeWorld | RealModeWorld) -> Memory:
    memory = Memory(MEMORY)
    for page, data in world.case("").pages().items():
        assert len(data) == PAGE
        memory.put(page, bytes(data))
    return memory


def event_of(name: str, at: Registers) -> Event:
    real = at.mode == "real"
    match name:
        case "int 0x80":
            return Event(0x80, Source.SOFTWARE, at.rip + 2, at.rip, real=real)
        case "irq 0x30":
            return Event(0x30, Source.EXTERNAL, at.rip, at.rip, irq=8, real=real)
        case "#GP":
            return exception(Fault(13, 0x5678), at.rip, real=real)
    return exception(Fault(6, 0), at.rip, real=real)


def delivered(world: ProtectedModeWorld | RealModeWorld, name: str) -> Delivery:
    """The delivery of event `name` in `world`, performed to its end."""
    at = registers_of(world)
    delivery = delivery_of(event_of(name, at), at, LinearMemory(memory_of(world), at))
    delivery.complete()
    return delivery


def outcome(delivery: Delivery) -> str:
    """`entered`, or the rule that failed with the fault: `gate.present #NP(0x33)`."""
    if delivery.fault is None:
        return "entered"
    return f"{delivery.steps[-1].rule.id} {delivery.fault.name}({delivery.fault.error_code:#x})"


def words(delivery: Delivery, address: int, count: int, size: int = 4) -> list[int]:
    """`count` words of `size` bytes from linear `address` on."""
    raw = delivery.memory.read(address, count * size)
    return [int.from_bytes(raw[at : at + size], "little") for at in range(0, len(raw), size)]
