"""A guest that faults for ever, without an instruction that completes."""

import struct

from idtviz.debugger.session import Phase, Session, Setup
from idtviz.debugger.stops import Reason
from idtviz.machine import boot
from idtviz.machine.pc import Machine
from idtviz.x86.descriptors import TSS_AVAILABLE, SystemDescriptor64
from idtviz.x86.gates import INTERRUPT_GATE, Gate64
from idtviz.x86.tss import Tss64

CODE, IDT, GDT, TSS, POINTERS = 0x8000, 0x9000, 0xA000, 0xB000, 0xC000
NOWHERE = 0x4000_0000  # just beyond the first GiB, which is all that is mapped
CODE_DESCRIPTOR, DATA_DESCRIPTOR = 0x00AF9B000000FFFF, 0x00CF93000000FFFF


def machine() -> Machine:
    """UD2 through a gate to an unmapped page; so is the page fault's own gate, on a stack of its own."""
    made = Machine(1 << 20, 10_000_000)
    gate = Gate64(offset=NOWHERE, selector=8, type=INTERRUPT_GATE, present=True, ist=1).encode()
    for vector in (6, 14):
        made.memory.write(IDT + 16 * vector, gate)
    tss = SystemDescriptor64(base=TSS, limit=Tss64.SIZE - 1, type=TSS_AVAILABLE, present=True).encode()
    made.memory.write(GDT, struct.pack("<3Q", 0, CODE_DESCRIPTOR, DATA_DESCRIPTOR) + tss)
    made.memory.write(TSS, Tss64(ist1=0x7000).encode())
    made.memory.write(POINTERS, struct.pack("<HQ", 39, GDT))
    made.memory.write(POINTERS + 16, struct.pack("<HQ", 16 * 256 - 1, IDT))
    code = b"\x0f\x01\x14\x25" + struct.pack("<I", POINTERS)  # lgdt
    code += b"\x0f\x01\x1c\x25" + struct.pack("<I", POINTERS + 16)  # lidt
    code += b"\xb8\x18\x00\x00\x00\x0f\x00\xd8"  # mov eax, 0x18; ltr ax
    code += b"\x0f\x0b"  # ud2
    made.memory.write(CODE, code)
    boot.enter(made, "long", CODE)
    return made


def test_a_page_fault_handler_on_an_unmapped_page_is_reported_as_an_endless_fault() -> None:
    session = Session(Setup("endless", machine))
    stop = session.run()
    assert stop.reason is Reason.ENDLESS_FAULT
    assert session.phase is Phase.STOPPED
    assert session.moment.instruction == 4
    deliveries = [event.name for _, event in session.recognised]
    assert deliveries[0] == "#UD"
    assert set(deliveries[1:]) == {"#PF"}
    assert len(deliveries) > 5


def test_stepping_into_an_endless_fault_comes_back_and_can_be_undone() -> None:
    session = Session(Setup("endless", machine))
    for _ in range(4):
        session.step()
    before = session.digest()
    session.step()
    session.step()
    assert session.moment.instruction == 4
    session.back()
    session.back()
    assert session.digest() == before
