"""Sessions with a history, to be saved."""

from __future__ import annotations

from idtviz.debugger.breakpoint_text import parse_breakpoint
from idtviz.debugger.inputs import Keys, Nmi, Poke, SetRegister
from idtviz.debugger.moment import Moment
from idtviz.lab.overrides import Overrides
from idtviz.lab.preparation import prepare
from idtviz.lab.session import LabSession
from tests.debugger.sessions import MEMORY
from tests.lab.folders import SCENARIOS

BREAKPOINTS = (
    *("#PF if error & 4 and cpl == 3", "int 0x80", "irq1", "nmi", "vector 0x21", "any exception", "interrupt"),
    *(
        "delivery if rip in 0x100000..0x1fffff",
        "fault in delivery",
        "shutdown",
        "iret",
        "iret to ring 3",
        "mode",
        "ring",
    ),
    *("port 0x60", "port 0x60 read", "port 0x3f8..0x3ff write", "write 0xb8000 4000", "write rsp", "0x100003"),
)


def small(name: str) -> LabSession:
    """A scenario with little memory, so that its digests are quick."""
    return LabSession(prepare(SCENARIOS / f"{name}.toml", Overrides(memory=MEMORY)))


def with_a_history(name: str = "page_fault") -> LabSession:
    """Three runs, edits, keys, an NMI in the middle of a delivery, notes and breakpoints; it stands on branch 2."""
    session = small(name)
    session.seek("#PF")
    start = session.moment
    session.note("the first fault")
    session.seek("end")
    session.seek(Moment(start.instruction, 3))
    session.give(Nmi())
    session.note("an NMI in the middle of it")
    session.step()
    session.step()
    session.give(Keys("ab"))
    session.seek("end")
    session.switch(1)
    session.seek(start)
    session.give(SetRegister("rax", 0x1234, "rax 0 → 0x1234"))
    session.give(Poke(session.machine.cpu.registers().rsp - 64, b"\x90\xcc"))
    session.seek("end")
    for text in BREAKPOINTS:
        session.breakpoints.add(parse_breakpoint(text, session.symbols))
    session.breakpoints.switch(3, on=False)
    session.breakpoints.delete(2)
    session.breakpoints.delete(len(BREAKPOINTS))
    session.switch(2)
    session.seek(Moment(start.instruction, 5))
    session.remark = "for the lecture: “what if”"
    return session


def at_the_frontiers(session: LabSession) -> list[tuple[object, ...]]:
    """What there is of each branch, with the digest at its end."""
    here, number = session.moment, session.branch.number
    found: list[tuple[object, ...]] = []
    for branch in session.branches:
        session.switch(branch.number)
        session.seek(branch.frontier)
        parent = branch.parent and branch.parent.number
        found.append((branch.number, parent, branch.fork, branch.own, session.moment, session.digest(), session.notes))
    session.switch(number)
    session.seek(here)
    return found
