"""The scene of what happens, as rules see it: the machine behind the last event, and the handlers that are running."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from idtviz.debugger.moment import START, Moment
from idtviz.debugger.observing import Instant, Situation
from idtviz.debugger.symbols import Symbols
from idtviz.machine.events import Delivered, Happened, Returned
from idtviz.x86.frames import InterruptFrame


@dataclass(slots=True)
class Passage:
    """The way through a handler: how it was entered, what was seen of it, how it was left.

    `instants` are those of the handler and of what it calls, without those of handlers that interrupt it. `exit` and
    `returned` come with the IRET.
    """

    delivered: Delivered
    entry: Situation
    instants: list[Instant] = field(default_factory=list)
    returned: Returned | None = None
    exit: Situation | None = None
    nested: list[Passage] = field(default_factory=list)
    """Handlers that interrupted this one."""
    _calls: list[Call] = field(default_factory=list)
    _open: list[Call] = field(default_factory=list)
    _gap: bool = False
    _nested_before: int = 0

    @property
    def vector(self) -> int:
        return self.delivered.event.vector

    @property
    def frame(self) -> InterruptFrame | None:
        """As it was pushed; None for a task gate."""
        return self.delivered.frame

    @property
    def handler(self) -> int:
        """Linear address of its first instruction."""
        return self.entry.registers.linear_rip

    @property
    def word(self) -> int:
        """Bytes of a word of its stack."""
        frame = self.frame
        return 8 if frame is None else frame.word_size

    def add(self, instant: Instant) -> None:
        """The next instruction of the handler, or of what it calls."""
        if self.instants:
            missed = instant.moment.instruction - self.instants[-1].moment.instruction > 1
            self._gap |= missed and len(self.nested) == self._nested_before
        while self._open and instant.registers.rsp > self._open[-1].at.registers.rsp - self.word:
            self._open.pop()
        self.instants.append(instant)
        self._nested_before = len(self.nested)
        for call in self._open:
            call.instants.append(instant)
        if instant.decoded is not None and instant.decoded.mnemonic.startswith("call"):
            call = Call(instant, len(self._open))
            self._calls.append(call)
            self._open.append(call)

    @property
    def whole(self) -> bool:
        """Whether every instruction from the entry up to now, or up to the IRET, was looked at."""
        if not self.instants or self._gap:
            return False
        first, last = self.instants[0], self.instants[-1]
        if first.registers.linear_rip != self.handler:
            return False
        return self.returned is None or last.moment.instruction == self.returned.instruction

    @property
    def calls(self) -> Sequence[Call]:
        """The calls that were made, in order, those that callees make included."""
        return self._calls

    @property
    def in_callee(self) -> bool:
        """Whether the last instruction is one of a callee."""
        return bool(self._open)

    def writer(self, address: int) -> Instant | None:
        """The last instruction so far that wrote the byte at linear `address`; None: none that was seen."""
        for instant in reversed(self.instants):
            if any(it.write and it.address <= address < it.address + it.size for it in instant.operands):
                return instant
        return None


@dataclass(slots=True)
class Call:
    """A CALL, made `depth` calls deep in a handler, and the instructions of what it called, nested calls included."""

    at: Instant
    depth: int
    instants: list[Instant] = field(default_factory=list)


@dataclass
class Scene:
    """Where things stand."""

    symbols: Symbols
    moment: Moment = START
    situation: Situation | None = None
    """Behind the last event; None before the first."""
    passages: list[Passage] = field(default_factory=list)
    """The handlers that are running, outermost first."""
    events: list[Happened] = field(default_factory=list)
    """All that has happened, the last one included."""
    deliveries: list[Delivered] = field(default_factory=list)
    """The deliveries among them: number n stands at n."""
    missing: frozenset[int] = frozenset()
    """The addresses of functions that are not there, and stood in for."""

    @property
    def now(self) -> Situation:
        """The machine behind the last event."""
        assert self.situation is not None
        return self.situation

    def is_compiled(self, address: int) -> bool:
        """Whether a compiler wrote the instruction at a linear address, as far as the source file's name tells."""
        line = self.symbols.line(address)
        return line is not None and PurePosixPath(line.path).suffix.lower() not in _ASSEMBLY

    def is_seen_whole(self, call: Call) -> bool:
        """Whether nothing that is missing was called on the way."""
        return not any(instant.address in self.missing for instant in call.instants)

    def name(self, address: int) -> str:
        """What a linear address is called in a message: its symbol, else in hexadecimal."""
        return self.symbols.name(address) or f"{address:#x}"


_ASSEMBLY = frozenset((".s", ".asm", ".nasm", ".inc"))
