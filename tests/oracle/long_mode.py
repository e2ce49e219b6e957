"""A small long-mode world, composed from knobs into a `Case`.

Physical and linear addresses are the same below 2 MiB; the same memory appears again at `HIGH_HALF` (PML4 entry 256).
Only the pages in `PAGES` are mapped, each by its own 4 KiB page-table entry, so that a single one can be taken away,
made read-only, supervisor or no-execute. Everything is deterministic: equal knobs give equal cases.

| page | holds | page | holds |
|--|--|--|--|
| 0x1000-0x4fff | PML4, PDPT, PD, PT | 0xd000 | 256 handlers of 16 bytes (`hlt`) |
| 0x8000 | GDT | 0x10000 | the stack at the start |
| 0x9000 | LDT | 0x11000-0x13fff | the stacks of RSP0, RSP1, RSP2 |
| 0xa000 | IDT | 0x14000-0x1afff | the stacks of IST1 to IST7 |
| 0xb000 | TSS | 0x1f000 | never mapped |
| 0xc000 | code | 0x20000 | data |
| | | 0x21000-0x22fff | a second place for an IDT that crosses pages, unmapped unless asked for |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .case import PAGE, Case, Injection, Segment, State, TableRegister, store

PML4, PDPT, PD, PT = 0x1000, 0x2000, 0x3000, 0x4000
GDT, LDT, IDT, TSS = 0x8000, 0x9000, 0xA000, 0xB000
CODE, HANDLERS = 0xC000, 0xD000
STACK = 0x10000
RSP_STACKS = (0x11000, 0x12000, 0x13000)
IST_STACKS = (0x14000, 0x15000, 0x16000, 0x17000, 0x18000, 0x19000, 0x1A000)
UNMAPPED, DATA = 0x1F000, 0x20000
TWO_PAGES = 0x21000
HIGH_HALF = 0xFFFF_8000_0000_0000
NON_CANONICAL = 0x0000_8000_0000_0000
WRAP = (1 << 21) - 1
"""The bits of a linear address that are the physical one, in the low 2 MiB and in the high half."""

KERNEL_CODE, KERNEL_DATA = 0x08, 0x10
USER_CODE, USER_DATA = 0x1B, 0x23
TSS_SELECTOR, LDT_SELECTOR = 0x28, 0x38
CONFORMING_CODE = 0x48
RING1_CODE, RING1_DATA = 0x51, 0x59
RING2_CODE, RING2_DATA = 0x62, 0x6A
SPARE, SPARE2 = 0x70, 0x78
LDT_CODE = 0x0C
GDT_LIMIT = 0x7F

CF, TF, IF, DF, NT, RF, VM, AC = 1 << 0, 1 << 8, 1 << 9, 1 << 10, 1 << 14, 1 << 16, 1 << 17, 1 << 18
CR0_PG, CR0_WP, CR0_NE, CR0_ET, CR0_PE = 1 << 31, 1 << 16, 1 << 5, 1 << 4, 1 << 0
CR4_PAE, CR4_OSFXSR = 1 << 5, 1 << 9
EFER_NXE, EFER_LMA, EFER_LME, EFER_SCE = 1 << 11, 1 << 10, 1 << 8, 1 << 0

STACK_FILL = 0xA5
STACK_FILLED_BYTES = 0x100


@dataclass(frozen=True, slots=True)
class Page:
    """The bits of one page-table entry. `accessed` and `dirty` are their values before the run."""

    present: bool = True
    writable: bool = True
    user: bool = False
    no_execute: bool = False
    accessed: bool = False
    dirty: bool = False

    def entry(self, address: int) -> int:
        """The entry that maps the page to physical `address` (SDM 3A table 4-20)."""
        flags = self.present | self.writable << 1 | self.user << 2 | self.accessed << 5 | self.dirty << 6
        return address | flags | self.no_execute << 63


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A descriptor of 8 bytes, or of 16 where `wide` (TSS and LDT in long mode). `limit` is the raw 20-bit field."""

    type: int
    system: bool = False
    dpl: int = 0
    present: bool = True
    long: bool = False
    default: bool = False
    granularity: bool = False
    base: int = 0
    limit: int = 0
    wide: bool = False

    @property
    def attributes(self) -> int:
        """Bits 8-15 and 20-23 of the high doubleword, in their places."""
        access = self.type | (not self.system) << 4 | self.dpl << 5 | self.present << 7
        return access << 8 | self.long << 21 | self.default << 22 | self.granularity << 23

    @property
    def last_offset(self) -> int:
        """The last valid offset, granularity applied."""
        return self.limit << 12 | 0xFFF if self.granularity else self.limit

    def encode(self) -> bytes:
        low = self.limit & 0xFFFF | (self.base & 0xFFFF) << 16
        high = self.attributes | self.base >> 16 & 0xFF | self.limit & 0xF0000 | self.base & 0xFF000000
        data = low.to_bytes(4, "little") + high.to_bytes(4, "little")
        return data + (self.base >> 32).to_bytes(8, "little") if self.wide else data

    def segment(self, selector: int) -> Segment:
        """The register that this descriptor makes when it is loaded through `selector`."""
        return Segment(selector, self.base, self.last_offset, self.attributes, usable=True)


def code_segment(dpl: int = 0, **changes: object) -> Descriptor:
    """A 64-bit code segment: execute/read, accessed."""
    return replace(Descriptor(0xB, dpl=dpl, long=True, granularity=True, limit=0xFFFFF), **changes)  # type: ignore[arg-type]


def data_segment(dpl: int = 0, **changes: object) -> Descriptor:
    """A writable data segment of 4 GiB, accessed."""
    return replace(Descriptor(0x3, dpl=dpl, default=True, granularity=True, limit=0xFFFFF), **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Gate:
    """A 64-bit gate of 16 bytes. `offset` None means the vector's own handler in the handlers' page."""

    selector: int = KERNEL_CODE
    offset: int | None = None
    ist: int = 0
    type: int = 0xE
    system: bool = True
    dpl: int = 0
    present: bool = True
    reserved: int = 0
    """The whole last doubleword."""

    def encode(self, vector: int) -> bytes:
        offset = handler(vector) if self.offset is None else self.offset
        access = self.type | (not self.system) << 4 | self.dpl << 5 | self.present << 7
        words = (
            offset & 0xFFFF | self.selector << 16,
            self.ist | access << 8 | offset & 0xFFFF0000,
            offset >> 32 & 0xFFFFFFFF,
            self.reserved,
        )
        return b"".join(word.to_bytes(4, "little") for word in words)


@dataclass(frozen=True, slots=True)
class TaskState:
    """The 64-bit TSS: stack pointers, and the limit that the task register gives (offset of the last byte)."""

    rsp: tuple[int, int, int] = tuple(page + PAGE for page in RSP_STACKS)  # type: ignore[assignment]
    ist: tuple[int, int, int, int, int, int, int] = tuple(page + PAGE for page in IST_STACKS)  # type: ignore[assignment]
    limit: int = 0x67
    base: int = TSS
    usable: bool = True

    def encode(self) -> bytes:
        data = bytearray(0x68)
        for index, value in enumerate(self.rsp):
            data[4 + 8 * index : 12 + 8 * index] = value.to_bytes(8, "little")
        for index, value in enumerate(self.ist):
            data[0x24 + 8 * index : 0x2C + 8 * index] = value.to_bytes(8, "little")
        data[0x66:0x68] = (0x68).to_bytes(2, "little")
        return bytes(data)


def handler(vector: int) -> int:
    """Linear address of the handler that a vector has unless its gate says otherwise."""
    return HANDLERS + 16 * vector


def default_gdt() -> dict[int, Descriptor]:
    """The descriptors at the start, by selector without its RPL."""
    return {
        KERNEL_CODE: code_segment(),
        KERNEL_DATA: data_segment(),
        USER_CODE & ~3: code_segment(3),
        USER_DATA & ~3: data_segment(3),
        TSS_SELECTOR: Descriptor(0xB, system=True, base=TSS, limit=0x67, wide=True),
        LDT_SELECTOR: Descriptor(0x2, system=True, base=LDT, limit=0x1F, wide=True),
        CONFORMING_CODE: code_segment(type=0xF),
        RING1_CODE & ~3: code_segment(1),
        RING1_DATA & ~3: data_segment(1),
        RING2_CODE & ~3: code_segment(2),
        RING2_DATA & ~3: data_segment(2),
    }


def default_pages() -> dict[int, Page]:
    """The mapping at the start. Code, the first stack and data are open to ring 3; everything else is the kernel's.

    The pages of code and handlers are marked accessed, so that no answer depends on what was already fetched.
    """
    kernel = (GDT, LDT, IDT, TSS, *RSP_STACKS, *IST_STACKS)
    pages = dict.fromkeys(kernel, Page()) | dict.fromkeys((STACK, DATA), Page(user=True))
    return pages | {CODE: Page(user=True, accessed=True), HANDLERS: Page(accessed=True)}


DEFAULT_GATES: Mapping[int, Gate] = dict.fromkeys(range(256), Gate())
_DEFAULT_IDT = b"".join(gate.encode(vector) for vector, gate in DEFAULT_GATES.items())

_CODE_BY_RING = (KERNEL_CODE, RING1_CODE, RING2_CODE, USER_CODE)
_DATA_BY_RING = (KERNEL_DATA, RING1_DATA, RING2_DATA, USER_DATA)


@dataclass(frozen=True, slots=True)
class LongModeWorld:
    """The knobs. Change any with `dataclasses.replace` or `with_`, then ask for the `case`.

    `gates` holds every gate of the IDT by vector; the other entries are zero. `frame` are words that lie on the stack
    at `rsp` before the run, lowest address first. `registers` overrides any field of the `State` at the very end.
    """

    cpl: int = 0
    code: bytes = b"\x0f\x0b"
    rip: int = CODE
    rsp: int = STACK + 0xFE8
    rflags: int = 0x2
    frame: tuple[int, ...] = ()
    cs: int | None = None
    ss: int | None = None
    data_selectors: Mapping[str, int] = field(default_factory=dict)
    """ds, es, fs, gs: the selectors loaded at the start (ds and es: the ring's data segment; fs and gs: null)."""
    gdt: Mapping[int, Descriptor] = field(default_factory=default_gdt)
    gdt_limit: int = GDT_LIMIT
    ldt: Mapping[int, Descriptor] = field(default_factory=lambda: {LDT_CODE & ~7: code_segment()})
    ldt_limit: int = 0x1F
    ldt_usable: bool = True
    gates: Mapping[int, Gate] = field(default_factory=lambda: DEFAULT_GATES)
    idt_base: int = IDT
    idt_limit: int = 0xFFF
    tss: TaskState = TaskState()
    pages: Mapping[int, Page] = field(default_factory=default_pages)
    extra_memory: tuple[tuple[int, bytes], ...] = ()
    registers: Mapping[str, int | Segment | TableRegister] = field(default_factory=dict)
    instructions: int = 1
    inject: Injection | None = None

    def with_(self, **changes: object) -> LongModeWorld:
        """The same world with other knobs."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def with_gate(self, vector: int, **changes: object) -> LongModeWorld:
        """The same world with one gate changed."""
        gate = replace(self.gates.get(vector, Gate()), **changes)  # type: ignore[arg-type]
        return replace(self, gates={**self.gates, vector: gate})

    def with_descriptor(self, selector: int, descriptor: Descriptor) -> LongModeWorld:
        """The same world with one descriptor of the GDT, or of the LDT where the selector's TI bit says so, changed."""
        if selector & 4:
            return replace(self, ldt={**self.ldt, selector & ~7: descriptor})
        return replace(self, gdt={**self.gdt, selector & ~7: descriptor})

    def with_page(self, address: int, **changes: object) -> LongModeWorld:
        """The same world with one page mapped differently."""
        page = replace(self.pages.get(address & -PAGE, Page()), **changes)  # type: ignore[arg-type]
        return replace(self, pages={**self.pages, address & -PAGE: page})

    def case(self, name: str) -> Case:
        """The processor's and the memory's state for these knobs."""
        return Case(name, self._state(), self._memory(), self.instructions, self.inject)

    def _segment(self, selector: int) -> Segment:
        """The register after a successful load of `selector`."""
        if selector & ~3 == 0:
            return Segment(selector)
        table = self.ldt if selector & 4 else self.gdt
        return table[selector & ~7].segment(selector)

    def _state(self) -> State:
        ring_data = _DATA_BY_RING[self.cpl]
        selectors = {"ds": ring_data, "es": ring_data, "fs": 0, "gs": 0, **self.data_selectors}
        segments = {name: self._segment(selector) for name, selector in selectors.items()}
        segments["cs"] = self._segment(_CODE_BY_RING[self.cpl] if self.cs is None else self.cs)
        segments["ss"] = self._segment(ring_data if self.ss is None else self.ss)
        task = Descriptor(0xB, system=True, base=self.tss.base, limit=self.tss.limit)
        local = Descriptor(0x2, system=True, base=LDT, limit=self.ldt_limit)
        state = State(
            rip=self.rip,
            rsp=self.rsp,
            rflags=self.rflags,
            cr0=CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE,
            cr3=PML4,
            cr4=CR4_PAE | CR4_OSFXSR,
            efer=EFER_NXE | EFER_LMA | EFER_LME | EFER_SCE,
            gdtr=TableRegister(GDT, self.gdt_limit),
            idtr=TableRegister(self.idt_base, self.idt_limit),
            tr=task.segment(TSS_SELECTOR) if self.tss.usable else Segment(),
            ldtr=local.segment(LDT_SELECTOR) if self.ldt_usable else Segment(),
        )
        return replace(state, **segments, **self.registers)  # type: ignore[arg-type]

    def _idt(self) -> bytes:
        whole = len(self.gates) == len(DEFAULT_GATES)
        table = bytearray(_DEFAULT_IDT if whole else 256 * 16)
        for vector, gate in self.gates.items():
            if not whole or gate is not DEFAULT_GATES[vector]:
                table[16 * vector : 16 * vector + 16] = gate.encode(vector)
        return bytes(table)

    def _memory(self) -> tuple[tuple[int, bytes], ...]:
        image: dict[int, bytearray] = {}

        def put(address: int, data: bytes) -> None:
            store(image, address, data)

        upper = Page(user=True, accessed=True)
        put(PML4, upper.entry(PDPT).to_bytes(8, "little"))
        put(PML4 + 8 * 256, upper.entry(PDPT).to_bytes(8, "little"))
        put(PDPT, upper.entry(PD).to_bytes(8, "little"))
        put(PD, upper.entry(PT).to_bytes(8, "little"))
        for address, page in self.pages.items():
            put(PT + address // PAGE * 8, page.entry(address).to_bytes(8, "little"))
            put(address, b"\0")
        for selector, descriptor in self.gdt.items():
            put(GDT + selector, descriptor.encode())
        for selector, descriptor in self.ldt.items():
            put(LDT + selector, descriptor.encode())
        put(self.idt_base & WRAP, self._idt())
        put(TSS, self.tss.encode())
        put(HANDLERS, b"\xf4" * PAGE)
        for stack in (STACK, *RSP_STACKS, *IST_STACKS):
            put(stack + PAGE - STACK_FILLED_BYTES, bytes([STACK_FILL]) * STACK_FILLED_BYTES)
        put(self.rip & WRAP, self.code)
        put(self.rsp & WRAP, b"".join(word.to_bytes(8, "little") for word in self.frame))
        for address, data in self.extra_memory:
            put(address, data)
        return tuple(piece for page in sorted(image) for piece in pieces(page, bytes(image[page])))


def pieces(page: int, data: bytes) -> list[tuple[int, bytes]]:
    """One page as its runs without 16 zero bytes in a row; a page of zeros as one zero byte."""
    if data in _PIECES:
        return [(page + at, run) for at, run in _PIECES[data]]
    runs: list[tuple[int, bytes]] = []
    for at in range(0, PAGE, 16):
        line = data[at : at + 16]
        if line == _ZEROS:
            continue
        if runs and runs[-1][0] + len(runs[-1][1]) == at:
            runs[-1] = (runs[-1][0], runs[-1][1] + line)
        else:
            runs.append((at, line))
    _PIECES[data] = runs or [(0, b"\0")]
    return [(page + at, run) for at, run in _PIECES[data]]


_ZEROS = bytes(16)
_PIECES: dict[bytes, list[tuple[int, bytes]]] = {}
"""The runs of each page seen so far: most pages of most cases are the same."""
