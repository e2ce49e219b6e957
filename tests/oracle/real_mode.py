"""A small real-mode world, composed from knobs into a `Case`.

The interrupt vector table lies at 0 unless moved; code, handlers and stack have segments of their own. Everything is
deterministic: equal knobs give equal cases. Offsets are those in a segment, selectors are paragraphs.

| page | holds | page | holds |
|--|--|--|--|
| 0 | the interrupt vector table | 0xd000 | 256 handlers of 16 bytes (`hlt`) |
| 0x2000 | a second place for the table | 0x10000-0x1ffff | the whole stack segment |
| 0xc000 | code | 0x20000 | what lies behind it; data |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .case import PAGE, Case, Injection, Segment, State, TableRegister, store
from .long_mode import CR0_ET, CR0_NE, pieces

IVT, OTHER_IVT = 0, 0x2000
CODE, HANDLERS, STACK, DATA = 0xC000, 0xD000, 0x10000, 0x20000
CODE_SELECTOR, HANDLER_SELECTOR, STACK_SELECTOR, DATA_SELECTOR = CODE >> 4, HANDLERS >> 4, STACK >> 4, DATA >> 4
STACK_FILL = 0xA5
RSP = 0xFE0
PAGES = (IVT, OTHER_IVT, CODE, HANDLERS, *range(STACK, DATA + 2 * PAGE, PAGE))


def segment(selector: int, base: int | None = None, limit: int = 0xFFFF) -> Segment:
    """A segment register as real mode loads it: its base sixteen times the selector, 64 KiB, present, writable."""
    return Segment(selector, selector << 4 if base is None else base, limit, 0x9300, usable=True)


CODE_SEGMENT, STACK_SEGMENT = segment(CODE_SELECTOR), segment(STACK_SELECTOR)


def default_vectors() -> dict[int, tuple[int, int]]:
    """Segment and offset of every vector's handler."""
    return {vector: (HANDLER_SELECTOR, 16 * vector) for vector in range(256)}


@dataclass(frozen=True, slots=True)
class RealModeWorld:
    """The knobs. Change any with `dataclasses.replace` or `with_`, then ask for the `case`.

    `vectors` holds segment and offset by vector. `frame` are words of `frame_word` bytes that lie on the stack at
    `rsp` before the run. `registers` overrides any field of the `State` at the very end; with a segment from `segment`
    its base and limit may be others than real mode would load ("unreal mode").
    """

    code: bytes = b"\x0f\x0b"
    rip: int = 0
    rsp: int = RSP
    rflags: int = 0x2
    frame: tuple[int, ...] = ()
    frame_word: int = 2
    cs: Segment = CODE_SEGMENT
    ss: Segment = STACK_SEGMENT
    vectors: Mapping[int, tuple[int, int]] = field(default_factory=default_vectors)
    idt_base: int = IVT
    idt_limit: int = 0x3FF
    extra_memory: tuple[tuple[int, bytes], ...] = ()
    registers: Mapping[str, int | Segment | TableRegister] = field(default_factory=dict)
    instructions: int = 1
    inject: Injection | None = None

    def with_(self, **changes: object) -> RealModeWorld:
        """The same world with other knobs."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def with_vector(self, vector: int, selector: int, offset: int) -> RealModeWorld:
        """The same world with one entry of the table changed."""
        return replace(self, vectors={**self.vectors, vector: (selector, offset)})

    def case(self, name: str) -> Case:
        """The processor's and the memory's state for these knobs."""
        state = State(
            rip=self.rip,
            rsp=self.rsp,
            rflags=self.rflags,
            cr0=CR0_NE | CR0_ET,
            cs=self.cs,
            ss=self.ss,
            **dict.fromkeys(("ds", "es", "fs", "gs"), segment(DATA_SELECTOR)),
            idtr=TableRegister(self.idt_base, self.idt_limit),
        )
        state = replace(state, **self.registers)  # type: ignore[arg-type]
        return Case(name, state, self._memory(state), self.instructions, self.inject, mode="real")

    def _memory(self, state: State) -> tuple[tuple[int, bytes], ...]:
        image = {page: bytearray(PAGE) for page in PAGES}

        def put(address: int, data: bytes) -> None:
            store(image, address, data)

        table = bytearray(256 * 4)
        for vector, (selector, offset) in self.vectors.items():
            table[4 * vector : 4 * vector + 4] = (selector << 16 | offset).to_bytes(4, "little")
        put(self.idt_base, bytes(table))
        put(HANDLERS, b"\xf4" * PAGE)
        put(STACK, bytes([STACK_FILL]) * 0x100)
        put(STACK + RSP - 0x40, bytes([STACK_FILL]) * 0x60)
        put(DATA - 0x100, bytes([STACK_FILL]) * 0x100)
        put(state.cs.base + state.rip, self.code)
        for at, word in enumerate(self.frame):
            for byte, value in enumerate(word.to_bytes(self.frame_word, "little")):
                put(state.ss.base + (state.rsp + at * self.frame_word + byte) % 0x10000, bytes([value]))
        for address, data in self.extra_memory:
            put(address, data)
        return tuple(piece for page in sorted(image) for piece in pieces(page, bytes(image[page])))
