"""Sessions on the oracle's small worlds: protected, virtual-8086 and real mode, with a few bytes of code each."""

from idtviz.debugger.session import Session, Setup
from idtviz.debugger.view import View
from idtviz.machine.pc import Machine
from tests.oracle import ours
from tests.oracle.protected_mode import INTERRUPT_GATE16, TASK, TASK16, TASK_GATE_TYPE, ProtectedModeWorld
from tests.oracle.real_mode import RealModeWorld

HERTZ = 10_000_000
UD2, INT21 = b"\x0f\x0b", b"\xcd\x21"

WORLDS: dict[str, ProtectedModeWorld | RealModeWorld] = {
    "real": RealModeWorld(code=INT21),
    "real iret": RealModeWorld(code=b"\xcf", frame=(0x100, 0xC00, 0x202)),
    "protected": ProtectedModeWorld(cpl=3, code=INT21).with_gate(0x21, dpl=3),
    "same ring": ProtectedModeWorld(code=UD2),
    "16-bit gate": ProtectedModeWorld(cpl=3, code=INT21).with_gate(0x21, dpl=3, type=INTERRUPT_GATE16),
    "vm86": ProtectedModeWorld(vm86=True, code=UD2),
    "task": ProtectedModeWorld(cpl=3, code=UD2).with_gate(6, type=TASK_GATE_TYPE, selector=TASK, offset=0),
    "286 task": ProtectedModeWorld(code=UD2).with_gate(6, type=TASK_GATE_TYPE, selector=TASK16, offset=0),
    "task with error code": ProtectedModeWorld(code=b"\xa1\x00\xf0\x01\x00")
    .with_page(0x1F000, present=False)
    .with_rescue(14),
    "page fault": ProtectedModeWorld(cpl=3, paging="32-bit", code=b"\xa1\x00\xf0\x01\x00"),
    "PAE": ProtectedModeWorld(cpl=3, paging="PAE", code=b"\xa1\x00\xf0\x01\x00"),
    "limit": ProtectedModeWorld(code=b"\x36\xa1\x00\xf0\xff\x00"),
    "far call": ProtectedModeWorld(code=b"\x9a\x00\xd0\x00\x00\x08\x00"),
    "call gate": ProtectedModeWorld(cpl=3, code=b"\x9a\x00\xd0\x00\x00\xb8\x00"),
}
"""A world for each way into a handler, in front of the instruction that takes it."""


def session(name: str) -> Session:
    """A world on a machine of its own, in front of its first instruction."""

    def build() -> Machine:
        machine = Machine(ours.MEMORY, HERTZ)
        ours.load(machine, WORLDS[name].case("view"))
        return machine

    return Session(Setup(name, build))


def behind(name: str, rule: str) -> View:
    """The moment behind the first step whose rule is `rule`."""
    found = session(name)
    for _ in range(200):
        found.micro_step()
        procedure = found.view.procedure
        if procedure is not None and procedure.current is not None and procedure.current.rule.id == rule:
            return found.view
    raise AssertionError(f"no step {rule}")
