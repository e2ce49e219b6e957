"""A procedure of the processor that is performed, watched and narrated in steps: the same object does all three."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from idtviz.machine.delivery.event import GENERAL_PROTECTION, PAGE_FAULT, STACK_FAULT, Fault
from idtviz.machine.delivery.rules import Rule
from idtviz.machine.memory import AccessFault, LinearMemory
from idtviz.machine.registers import Registers

Steps = Generator["Step", None, None]
"""A part of a procedure: it yields what it does."""


class Span(NamedTuple):
    """`size` bytes at linear address `address`."""

    address: int
    size: int


class Step(NamedTuple):
    """One step that was performed: its rule, what it found, what it read and wrote, and the fault that it ended in."""

    rule: Rule
    text: str
    value: str
    reads: tuple[Span, ...] = ()
    writes: tuple[Span, ...] = ()
    fault: Fault | None = None

    @property
    def ok(self) -> bool:
        return self.fault is None


class Procedure:
    """A generator of steps over the registers and memory of one moment.

    A subclass writes `perform` so that it reads from top to bottom like the manual: each `yield` is one step, and what
    follows a failed check is never reached. `after` holds the new registers once the last step is done.
    """

    def __init__(self, before: Registers, memory: LinearMemory, *, ext: bool) -> None:
        """`ext`: bit 0 of the error codes that failing checks give."""
        self.before = before
        self.memory = memory
        self.ext = ext
        self.steps: list[Step] = []
        self.after: Registers | None = None
        self.committed: Registers | None = None
        """The registers of a task that has been switched to; a fault of a later step is raised in that task."""
        self.debug_trap = False
        """The task switched to has its T bit set: #DB behind the switch (SDM 3A 7.2.1)."""
        self.fault: Fault | None = None
        self.written: list[Span] = []
        """The writes that went through."""
        self.disturbances: list[tuple[int, int, bytes]] = []
        """Memory that was edited between two steps: how many steps had been performed, physical address, bytes."""
        self._body = self.perform()
        self._rule: Rule | None = None
        self._text = ""
        self._reads: list[Span] = []
        self._writes: list[Span] = []

    def perform(self) -> Steps:
        """The steps, in order. The last one sets `after`."""
        raise NotImplementedError

    def over(self, memory: LinearMemory) -> Procedure:
        """The same procedure from its beginning, over other memory."""
        raise NotImplementedError

    @property
    def done(self) -> bool:
        """Whether no step is left: it went through, or a step failed."""
        return self.after is not None or self.fault is not None

    def advance(self) -> Step:
        """Perform the next step."""
        self._reads, self._writes = [], []
        try:
            step = next(self._body)
        except AccessFault as fault:
            step = self._failed_access(fault)
        self.steps.append(step)
        self.fault = step.fault
        return step

    def complete(self) -> None:
        """Perform every step that is left."""
        while not self.done:
            self.advance()

    def disturb(self, physical: int, former: bytes, data: bytes) -> None:
        """`data` has been written at a physical address, from outside, in place of `former`."""
        self.memory.overwritten.append((physical, former))
        self.disturbances.append((len(self.steps), physical, data))

    # For the bodies

    def read(self, rule: Rule, text: str, address: int, size: int, *, user: bool = False) -> int:
        """Read a little-endian number at a linear address; a fault ends the procedure in a step of `rule`, `text`."""
        self._rule, self._text = rule, text
        self._reads.append(Span(address, size))
        return int.from_bytes(self.memory.read(address, size, user=user), "little")

    def write(self, rule: Rule, text: str, address: int, value: int, size: int, *, user: bool = False) -> None:
        """Write a little-endian number at a linear address; faults as in `read`."""
        self._rule, self._text = rule, text
        span = Span(address, size)
        self._writes.append(span)
        self.memory.write(address, value.to_bytes(size, "little"), user=user)
        self.written.append(span)

    def probe(self, rule: Rule, text: str, address: int, size: int, *, write: bool = False) -> None:
        """Make sure that a supervisor may read or write there, without doing it; faults as in `read`."""
        self._rule, self._text = rule, text
        self.memory.probe(address, size, write=write)

    def did(self, rule: Rule, text: str, value: str = "") -> Step:
        """A step that cannot fail, with what was read and written since the last one."""
        return Step(rule, text, value, tuple(self._reads), tuple(self._writes))

    def check(self, rule: Rule, holds: bool, text: str, value: str, fault: Fault) -> Step:
        """A step that checks: where `holds` is false it ends the procedure with `fault`."""
        return Step(rule, text, value, tuple(self._reads), tuple(self._writes), None if holds else fault)

    def _failed_access(self, fault: AccessFault) -> Step:
        assert self._rule is not None
        cr2 = fault.linear if fault.vector == PAGE_FAULT else None
        code = fault.error_code
        vector = fault.vector
        if vector == GENERAL_PROTECTION:
            # A non-canonical address: #SS for the stack, else #GP, error code 0 (SDM 3A 3.3.7.1).
            vector = STACK_FAULT if self._rule.on_stack else GENERAL_PROTECTION
            code = int(self.ext)
        where = f"{fault.linear:#x} is not canonical" if cr2 is None else f"page fault at {cr2:#x}"
        return Step(self._rule, self._text, where, tuple(self._reads), tuple(self._writes), Fault(vector, code, cr2))
