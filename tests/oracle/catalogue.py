"""The catalogue of named cases: how a case is entered, and how an answer is written as one line.

A case is named after the step, the side of the check, what begins the delivery and the ring that it happens in. The
`ud2` and `irq` cases are exceptions and external interrupts (EXT is 1 in the codes of faults on the way), the `int`
cases are software interrupts (EXT is 0).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from .case import Answer, Case, Event, Injection
from .long_mode import CONFORMING_CODE, IF, LongModeWorld
from .protected_mode import ProtectedModeWorld

NAMED_CASES: dict[str, Case] = {}
"""The cases that our machine is compared in: long mode."""

PROTECTED_CASES: dict[str, Case] = {}
TASK_CASES: dict[str, Case] = {}
VM86_CASES: dict[str, Case] = {}
REAL_CASES: dict[str, Case] = {}
FAR_CASES: dict[str, Case] = {}
GROUPS = (NAMED_CASES, PROTECTED_CASES, TASK_CASES, VM86_CASES, REAL_CASES, FAR_CASES)

EXPECTED: dict[str, str] = {}
"""The chain of events of every case in every group, as DELIVERY.md and the manual have it."""

DIFFERENCES: dict[str, str] = {}
"""Where Bochs is known to differ from that: its own chain of events."""


class World(Protocol):
    """Knobs that become a case."""

    def case(self, name: str) -> Case: ...


GatedWorld = TypeVar("GatedWorld", LongModeWorld, ProtectedModeWorld)

RUNS = "runs"
SHUTDOWN = "shutdown"
VECTOR_NAMES = {
    0: "#DE", 1: "#DB", 3: "#BP", 4: "#OF", 5: "#BR", 6: "#UD", 7: "#NM", 8: "#DF", 10: "#TS", 11: "#NP", 12: "#SS",
    13: "#GP", 14: "#PF", 16: "#MF", 17: "#AC", 18: "#MC", 19: "#XM",
}  # fmt: skip

NOP, UD2, HLT, INT3, INT1, INTO = b"\x90", b"\x0f\x0b", b"\xf4", b"\xcc", b"\xf1", b"\xce"
IRETQ, IRET, IRET_OTHER_SIZE = b"\x48\xcf", b"\xcf", b"\x66\xcf"
STI, DIVIDE_BY_ZERO, MOV_SS_AX = b"\xfb", b"\xf7\xf1", b"\x8e\xd0"


def event_name(event: Event) -> str:
    """One event as a word: `#GP(0x33)`, `int 0x80`, `irq 0x30`, `nmi`."""
    if event.kind == "nmi":
        return "nmi"
    if event.kind != "exception":
        return f"{'int' if event.kind == 'software' else 'irq'} {event.vector:#x}"
    name = VECTOR_NAMES.get(event.vector, f"#{event.vector}")
    return name if event.error_code is None else f"{name}({event.error_code:#x})"


def outcome(answer: Answer) -> str:
    """The chain of events of an answer, the first to the last, with the shutdown that may end it."""
    if answer.error:
        return f"error: {answer.error}"
    chain = [event_name(event) for event in answer.events]
    if answer.shutdown:
        chain.append(SHUTDOWN)
    return " > ".join(chain) or RUNS


@dataclass(frozen=True, slots=True)
class Trigger:
    """A way to begin a delivery of `vector`. `ext` is bit 0 of the error codes of faults met on the way."""

    name: str
    vector: int
    ext: int
    event: str

    def world(self, cpl: int) -> LongModeWorld:
        """A long-mode world in which this event happens at once and is delivered."""
        return self.begin(LongModeWorld(cpl=cpl))

    def begin(self, world: GatedWorld) -> GatedWorld:
        """The world with this event happening at once; its gate has DPL 3."""
        world = world.with_gate(self.vector, dpl=3)
        if self.name == "int":
            return world.with_(code=bytes([0xCD, self.vector]))
        if self.name == "irq":
            flags = world.rflags | IF
            return world.with_(code=NOP * 2, rflags=flags, inject=Injection("external", self.vector))
        return world.with_(code=UD2)

    @property
    def index(self) -> int:
        """The error code that names this vector's gate: index, IDT bit, EXT (SDM 3A 6.13)."""
        return self.vector * 8 + 2 + self.ext


UD = Trigger("ud2", 6, 1, "#UD")
INT = Trigger("int", 0x80, 0, "int 0x80")
IRQ = Trigger("irq", 0x30, 1, "irq 0x30")
RINGS = (0, 3)


Add = Callable[[str, World, str], None]


def entering(cases: dict[str, Case], prefix: str = "") -> Add:
    """How to enter a case in a group: its name behind the group's prefix, its world, the chain that it should have."""

    def add(name: str, world: World, expected: str) -> None:
        name = prefix + name
        if name in EXPECTED:
            raise ValueError(f"two cases are named {name!r}")
        cases[name] = world.case(name)
        EXPECTED[name] = expected

    return add


add = entering(NAMED_CASES)
"""Enter one long-mode case with the chain that DELIVERY.md gives it."""


def each(*triggers: Trigger, rings: tuple[int, ...] = RINGS) -> Iterator[tuple[Trigger, int, str, LongModeWorld]]:
    """Every trigger in every ring: with the end of the case's name, and the world to change."""
    for trigger in triggers:
        for cpl in rings:
            yield trigger, cpl, f"({trigger.name}, cpl {cpl})", trigger.world(cpl)


def each_protected(
    *triggers: Trigger, rings: tuple[int, ...] = RINGS
) -> Iterator[tuple[Trigger, int, str, ProtectedModeWorld]]:
    """The same in protected mode."""
    for trigger in triggers:
        for cpl in rings:
            yield trigger, cpl, f"({trigger.name}, cpl {cpl})", trigger.begin(ProtectedModeWorld(cpl=cpl))


def same_ring_handlers(world: GatedWorld, *vectors: int) -> GatedWorld:
    """The world with these vectors handled in a conforming segment, so in the ring and on the stack where they occur.

    Faults that concern the stack switch can be delivered that way, instead of failing again for the same reason.
    """
    for vector in vectors:
        world = world.with_gate(vector, selector=CONFORMING_CODE)
    return world
