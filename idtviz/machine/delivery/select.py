"""Which procedure the processor follows, by its mode (SDM 3A 2.2, 6.12, 6.14; 3B 20.1.4, 20.3)."""

from __future__ import annotations

from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.delivery.event import Event
from idtviz.machine.delivery.far import far_transfer
from idtviz.machine.delivery.iret_long import LongReturn
from idtviz.machine.delivery.iret_protected import ProtectedReturn
from idtviz.machine.delivery.iret_real import RealReturn
from idtviz.machine.delivery.long import LongDelivery
from idtviz.machine.delivery.protected import ProtectedDelivery
from idtviz.machine.delivery.real import RealDelivery
from idtviz.machine.delivery.returns import Return
from idtviz.machine.delivery.system_call import FastSystemCall, SystemCall, SystemCallMsrs
from idtviz.machine.delivery.transfer import Transfer
from idtviz.machine.far_instructions import FarInstruction, Kind
from idtviz.machine.memory import LinearMemory
from idtviz.machine.registers import Registers

_DELIVERIES: dict[str, type[Delivery]] = {
    "long": LongDelivery,
    "compatibility": LongDelivery,
    "protected": ProtectedDelivery,
    "vm86": ProtectedDelivery,
    "real": RealDelivery,
}
_RETURNS: dict[str, type[Return]] = {
    "long": LongReturn,
    "compatibility": LongReturn,
    "protected": ProtectedReturn,
    "vm86": RealReturn,
    "real": RealReturn,
}


def delivery_of(event: Event, at: Registers, memory: LinearMemory) -> Delivery:
    """The delivery of `event` to a processor whose registers are `at`."""
    return _DELIVERIES[at.mode](event, at, memory)


def return_from(at: Registers, memory: LinearMemory, size: int) -> Return:
    """The IRET with operands of `size` bytes that stands at RIP."""
    return _RETURNS[at.mode](at, memory, size)


def transfer_of(found: FarInstruction, at: Registers, memory: LinearMemory, msrs: SystemCallMsrs) -> Transfer:
    """The far transfer or system call `found` that stands at RIP."""
    if found.kind is Kind.SYSCALL:
        return SystemCall(at, memory, found, msrs)
    if found.kind is Kind.SYSENTER:
        return FastSystemCall(at, memory, found, msrs)
    return far_transfer(found, at, memory)
