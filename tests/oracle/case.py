"""The values that pass between the author of a case, the judge, and whoever compares an answer with our own machine.

A `Case` holds everything that a processor needs to run it: registers, descriptor caches and physical memory. An
`Answer` holds everything that was observed. Both are plain frozen values that turn into JSON and back without loss;
register values and addresses are hex strings there, because they can pass 2**53.

Numbers are bytes, byte addresses or raw register contents throughout; nothing here is scaled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

PAGE = 0x1000

EventKind = Literal["exception", "software", "external", "nmi"]

GENERAL_REGISTERS = (
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
)  # fmt: skip
CONTROL_REGISTERS = ("cr0", "cr2", "cr3", "cr4", "efer")
DEBUG_REGISTERS = ("dr6", "dr7")
PLAIN_REGISTERS = ("rip", "rflags", *GENERAL_REGISTERS, *CONTROL_REGISTERS, *DEBUG_REGISTERS)
"""Every register of a `State` that is one number."""
SEGMENT_REGISTERS = ("es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr")


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment register with its descriptor cache.

    `limit` is the last valid offset in bytes (granularity already applied). `attributes` are bits 8-15 and 20-23 of the
    descriptor's high doubleword, in their places there (mask 0x00F0FF00). `usable` is false for a register that holds a
    null selector: the processor then ignores the rest.
    """

    selector: int = 0
    base: int = 0
    limit: int = 0
    attributes: int = 0
    usable: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "selector": hex(self.selector),
            "base": hex(self.base),
            "limit": hex(self.limit),
            "attributes": hex(self.attributes),
            "usable": self.usable,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Segment:
        numbers = {name: int(value[name], 16) for name in ("selector", "base", "limit", "attributes")}
        return cls(**numbers, usable=bool(value["usable"]))


@dataclass(frozen=True, slots=True)
class TableRegister:
    """GDTR or IDTR: linear base address, and the offset of the table's last byte."""

    base: int = 0
    limit: int = 0

    def to_json(self) -> dict[str, Any]:
        return {"base": hex(self.base), "limit": hex(self.limit)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TableRegister:
        return cls(int(value["base"], 16), int(value["limit"], 16))


@dataclass(frozen=True, slots=True)
class State:
    """The registers of one processor at one moment.

    There are no breakpoint addresses: the Bochs of the package is built without its breakpoints, so DR0-DR3 do nothing.
    """

    rip: int = 0
    rflags: int = 0x2
    rax: int = 0
    rcx: int = 0
    rdx: int = 0
    rbx: int = 0
    rsp: int = 0
    rbp: int = 0
    rsi: int = 0
    rdi: int = 0
    r8: int = 0
    r9: int = 0
    r10: int = 0
    r11: int = 0
    r12: int = 0
    r13: int = 0
    r14: int = 0
    r15: int = 0
    cr0: int = 0
    cr2: int = 0
    cr3: int = 0
    cr4: int = 0
    efer: int = 0
    dr6: int = 0xFFFF0FF0
    dr7: int = 0x400
    es: Segment = Segment()
    cs: Segment = Segment()
    ss: Segment = Segment()
    ds: Segment = Segment()
    fs: Segment = Segment()
    gs: Segment = Segment()
    ldtr: Segment = Segment()
    tr: Segment = Segment()
    gdtr: TableRegister = TableRegister()
    idtr: TableRegister = TableRegister()

    @property
    def cpl(self) -> int:
        """The current privilege level: the RPL of CS, but 0 in real mode and 3 in virtual-8086 mode (SDM 3A 5.5)."""
        if not self.cr0 & 1:
            return 0
        return 3 if self.is_virtual_8086 else self.cs.selector & 3

    @property
    def is_virtual_8086(self) -> bool:
        """Whether the processor is in virtual-8086 mode: CR0.PE and EFLAGS.VM, outside IA-32e mode."""
        return bool(self.cr0 & 1 and self.rflags & 1 << 17 and not self.efer & 1 << 10)

    def to_json(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            result[field.name] = hex(value) if isinstance(value, int) else value.to_json()
        return result

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> State:
        arguments: dict[str, Any] = {}
        for field in fields(cls):
            given = value[field.name]
            if field.name in SEGMENT_REGISTERS:
                arguments[field.name] = Segment.from_json(given)
            elif field.name in ("gdtr", "idtr"):
                arguments[field.name] = TableRegister.from_json(given)
            else:
                arguments[field.name] = int(given, 16)
        return cls(**arguments)


@dataclass(frozen=True, slots=True)
class Injection:
    """An event from outside the instruction stream.

    With `after` 0 it is pending from the start, so the boundary before the first instruction is the first at which it
    can be recognised; with `after` n it becomes pending while the n-th instruction executes (IF and the shadows of
    STI and MOV SS hold it back as ever). An external vector may be anything from 0 to 255.
    """

    kind: Literal["external", "nmi"]
    vector: int = 2
    after: int = 0

    def to_json(self) -> dict[str, Any]:
        event: dict[str, Any] = {"nmi": True} if self.kind == "nmi" else {"external": self.vector}
        return event | {"after": self.after}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Injection:
        after = int(value.get("after", 0))
        return cls("nmi", after=after) if value.get("nmi") else cls("external", int(value["external"]), after)


def store(pages: dict[int, bytearray], address: int, data: bytes) -> None:
    """Write bytes from `address` on, making the pages that are not there yet."""
    while data:
        start = address & (PAGE - 1)
        piece = data[: PAGE - start]
        page = pages.setdefault(address - start, bytearray(PAGE))
        page[start : start + len(piece)] = piece
        address, data = address + len(piece), data[len(piece) :]


@dataclass(frozen=True, slots=True)
class Case:
    """One question to the processor.

    `memory` is a tuple of (physical address, bytes). Every 4 KiB page that a piece touches exists; the rest of that
    page is zero; no other page exists. `instructions` is how many may begin to execute; the run also ends with the
    first delivery (of an exception, INT n or injected event, including whatever faults that delivery met on its way),
    before the handler's first instruction is fetched. A shutdown ends it as well, and a HLT that
    nothing ends. Nothing is recognised at the boundary behind the last instruction: for a trap or an interrupt there,
    `instructions` must be one higher.
    """

    name: str
    state: State
    memory: tuple[tuple[int, bytes], ...]
    instructions: int = 1
    inject: Injection | None = None
    mode: Literal["long", "protected", "real"] = "long"

    def pages(self) -> dict[int, bytearray]:
        """The whole physical memory at the start: page address -> 4096 bytes."""
        pages: dict[int, bytearray] = {}
        for address, data in self.memory:
            store(pages, address, data)
        return pages

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "mode": self.mode,
            "instructions": self.instructions,
            "inject": self.inject.to_json() if self.inject else None,
            "state": self.state.to_json(),
            "memory": [[hex(address), data.hex()] for address, data in self.memory],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Case:
        return cls(
            name=value["name"],
            state=State.from_json(value["state"]),
            memory=tuple((int(address, 16), bytes.fromhex(data)) for address, data in value["memory"]),
            instructions=value["instructions"],
            inject=Injection.from_json(value["inject"]) if value["inject"] else None,
            mode=value["mode"],
        )


@dataclass(frozen=True, slots=True)
class Event:
    """One event in the order in which the processor raised it.

    `error_code` is the code that this event pushes, or would have pushed had its delivery succeeded; None where the
    event has none, as ever in real mode. INT1 is a `software` event here, as Bochs reports it, though its faults
    carry EXT=1. `cr2` is the register's content at that moment (already the faulting address for a page fault).
    `rip` is the instruction pointer at that moment, which for a fault inside an instruction may already lie behind
    it.
    """

    kind: EventKind
    vector: int
    error_code: int | None
    cr2: int
    rip: int

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "vector": self.vector,
            "error_code": self.error_code,
            "cr2": hex(self.cr2),
            "rip": hex(self.rip),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Event:
        return cls(value["kind"], value["vector"], value["error_code"], int(value["cr2"], 16), int(value["rip"], 16))


@dataclass(frozen=True, slots=True)
class Change:
    """A run of neighbouring bytes of physical memory that differ between start and end."""

    address: int
    old: bytes
    new: bytes

    def to_json(self) -> list[str]:
        return [hex(self.address), self.old.hex(), self.new.hex()]

    @classmethod
    def from_json(cls, value: list[str]) -> Change:
        return cls(int(value[0], 16), bytes.fromhex(value[1]), bytes.fromhex(value[2]))


def changes_in_page(page: int, old: bytes, new: bytes) -> Iterator[Change]:
    """The runs of differing bytes in one page, which lies at physical address `page`."""
    if old == new:
        return
    at = 0
    while at < PAGE:
        if old[at] == new[at]:
            at += 1
            continue
        end = at
        while end < PAGE and old[end] != new[end]:
            end += 1
        yield Change(page + at, old[at:end], new[at:end])
        at = end


@dataclass(frozen=True, slots=True)
class Answer:
    """What the processor did with one case.

    `final` is None after a shutdown (the registers have no meaning then) and where `error` is set. `changes` are
    exact in both. `error` tells that the case could not be judged: a physical page that the case does not have, a
    dead or hanging worker; it never stands for anything that the processor did. `instructions` is how many began to
    execute. `halted` tells that the run ended in HLT with nothing to end it.
    """

    name: str
    events: tuple[Event, ...] = ()
    shutdown: bool = False
    final: State | None = None
    instructions: int = 0
    changes: tuple[Change, ...] = ()
    halted: bool = False
    error: str | None = None

    def pages(self, case: Case) -> dict[int, bytearray]:
        """The whole physical memory at the end, for the case that this answers: page address -> 4096 bytes."""
        pages = case.pages()
        for change in self.changes:
            store(pages, change.address, change.new)
        return pages

    def words(self, case: Case, address: int, count: int, size: int = 8) -> list[int]:
        """`count` little-endian words of `size` bytes from physical `address` at the end, lowest address first."""
        pages = self.pages(case)
        data = bytes(pages[at & -PAGE][at & (PAGE - 1)] for at in range(address, address + count * size))
        return [int.from_bytes(data[at : at + size], "little") for at in range(0, len(data), size)]

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "events": [event.to_json() for event in self.events],
            "shutdown": self.shutdown,
            "final": self.final.to_json() if self.final else None,
            "instructions": self.instructions,
            "changes": [change.to_json() for change in self.changes],
            "halted": self.halted,
            "error": self.error,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Answer:
        return cls(
            name=value["name"],
            events=tuple(Event.from_json(event) for event in value["events"]),
            shutdown=value["shutdown"],
            final=State.from_json(value["final"]) if value["final"] else None,
            instructions=value["instructions"],
            changes=tuple(Change.from_json(change) for change in value["changes"]),
            halted=value["halted"],
            error=value["error"],
        )
