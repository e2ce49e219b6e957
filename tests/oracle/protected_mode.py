"""A small protected-mode world, 16-bit and 32-bit, composed from knobs into a `Case`; virtual-8086 mode is in it too.

Linear and physical addresses are the same. Paging is off unless asked for; then only the pages in `pages` are mapped,
each by its own 4 KiB entry (with PSE, one page of 4 MiB maps everything). Code and data segments have base 0 and 4 GiB;
the stack segment of each ring has base `STACK`, so no stack pointer is a linear address. Equal knobs give equal cases.

| page | holds | page | holds |
|--|--|--|--|
| 0x1000-0x3fff | page tables, for whichever paging there is | 0xc000 | code |
| 0x8000 | GDT | 0xd000 | 256 handlers of 16 bytes (`hlt`) |
| 0x9000 | LDT, and the LDT of the other task | 0xe000 | the TSSs of other tasks |
| 0xa000 | IDT | 0x10000 | the stack at the start, for every ring |
| 0xb000 | the current TSS | 0xf000 | the TSS of a task that handles faults |
| | | 0x11000-0x13fff | the stacks of ring 0, 1, 2 in the TSS |
| | | 0x14000, 0x15000 | stacks of the other tasks, and of the one for faults |
| 0x20000 | data | 0x21000-0x22fff | a second place for tables that cross pages |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from .case import PAGE, Case, Injection, Segment, State, TableRegister, store
from .long_mode import CR0_ET, CR0_NE, CR0_PE, CR0_PG, CR0_WP, CR4_PAE, VM, Descriptor, Page, data_segment, pieces

PAGE_TABLES = 0x1000
GDT, LDT, TASK_LDT, IDT, TSS = 0x8000, 0x9000, 0x9800, 0xA000, 0xB000
CODE, HANDLERS = 0xC000, 0xD000
TASK_TSS, TASK16_TSS, OUTER_TSS, OUTER16_TSS, RESCUE_TSS = 0xE000, 0xE100, 0xE200, 0xE300, 0xF000
STACK = 0x10000
RING_STACKS = (0x1000, 0x2000, 0x3000)
"""Offsets in the stack segments of the pages that the TSS's stack pointers lie above."""
TASK_STACK, SPARE_STACK = 0x4000, 0x5000
UNMAPPED, DATA, TWO_PAGES = 0x1F000, 0x20000, 0x21000
RSP = 0xFE0
"""The stack pointer at the start."""
TASK_EIP = CODE + 0x200

KERNEL_CODE, KERNEL_DATA = 0x08, 0x10
USER_CODE, USER_DATA = 0x1B, 0x23
TSS_SELECTOR, TSS16_SELECTOR, LDT_SELECTOR = 0x28, 0x30, 0x38
KERNEL_STACK, RING1_STACK, RING2_STACK, USER_STACK = 0x40, 0x81, 0x8A, 0x93
CONFORMING_CODE = 0x48
RING1_CODE, RING1_DATA = 0x51, 0x59
RING2_CODE, RING2_DATA = 0x62, 0x6A
SPARE, SPARE2 = 0x70, 0x78
TASK, TASK16 = 0x98, 0xA0
KERNEL_CODE16, USER_CODE16 = 0xA8, 0xB3
CALL_GATE, TASK_GATE, TASK_LDT_SELECTOR = 0xB8, 0xC0, 0xC8
OUTER, OUTER16, RESCUE, KERNEL_STACK16 = 0xD0, 0xD8, 0xE0, 0xE8
GDT_LIMIT = 0xEF
"""The whole table and no more: the selector behind `KERNEL_STACK16` is the first outside it."""
BEYOND_GDT = 0xF0
LDT_CODE, LDT_STACK, LDT_LIMIT = 0x0C, 0x14, 0x1F

AVAILABLE_TSS16, BUSY_TSS16, AVAILABLE_TSS, BUSY_TSS = 0x1, 0x3, 0x9, 0xB
TASK_GATE_TYPE, INTERRUPT_GATE16, TRAP_GATE16, CALL_GATE16 = 0x5, 0x6, 0x7, 0x4
INTERRUPT_GATE, TRAP_GATE, CALL_GATE_TYPE = 0xE, 0xF, 0xC

CR0_MP, CR0_TS, CR4_VME, CR4_PSE, CR4_OSFXSR = 1 << 1, 1 << 3, 1 << 0, 1 << 4, 1 << 9
EFER_NXE = 1 << 11
STACK_FILL, STACK_FILLED_BYTES = 0xA5, 0x100

Paging = Literal["32-bit", "PSE", "PAE"]


def code_segment(dpl: int = 0, **changes: object) -> Descriptor:
    """A 32-bit code segment of 4 GiB: execute/read, accessed."""
    flat = Descriptor(0xB, dpl=dpl, default=True, granularity=True, limit=0xFFFFF)
    return replace(flat, **changes)  # type: ignore[arg-type]


def stack_segment(dpl: int = 0, **changes: object) -> Descriptor:
    """A 32-bit stack segment that holds the stacks of every page from `STACK` on."""
    stack = Descriptor(0x3, dpl=dpl, default=True, base=STACK, limit=SPARE_STACK + PAGE - 1)
    return replace(stack, **changes)  # type: ignore[arg-type]


def real_segment(selector: int) -> Segment:
    """A segment register as virtual-8086 mode has it (SDM 3B 20.2.1): 64 KiB from sixteen times the selector on."""
    return Segment(selector, selector << 4, 0xFFFF, 0xF300, usable=True)


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate of 8 bytes, in the IDT or (call and task gates) in the GDT or an LDT.

    `offset` None means the vector's own handler. `parameters` is the whole byte of the parameter count.
    """

    selector: int = KERNEL_CODE
    offset: int | None = None
    type: int = INTERRUPT_GATE
    system: bool = True
    dpl: int = 0
    present: bool = True
    parameters: int = 0

    def encode(self, vector: int = 0) -> bytes:
        offset = handler(vector) if self.offset is None else self.offset
        access = self.type | (not self.system) << 4 | self.dpl << 5 | self.present << 7
        low = offset & 0xFFFF | self.selector << 16
        high = self.parameters | access << 8 | offset & 0xFFFF0000
        return low.to_bytes(4, "little") + high.to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class TaskState:
    """A TSS of 104 bytes, or of 44 where `narrow` (a 286's)."""

    link: int = 0
    esp: tuple[int, int, int] = tuple(page + PAGE for page in RING_STACKS)  # type: ignore[assignment]
    ss: tuple[int, int, int] = (KERNEL_STACK, RING1_STACK, RING2_STACK)
    cr3: int = PAGE_TABLES
    eip: int = TASK_EIP
    eflags: int = 0x2
    general: tuple[int, ...] = (0xA1, 0xC1, 0xD1, 0xB1, TASK_STACK + PAGE, 0xB2, 0x51, 0xD2)
    """EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI."""
    es: int = KERNEL_DATA
    cs: int = KERNEL_CODE
    task_ss: int = KERNEL_STACK
    ds: int = KERNEL_DATA
    fs: int = 0
    gs: int = 0
    ldt: int = 0
    trap: bool = False
    narrow: bool = False

    def encode(self) -> bytes:
        rings = [word for pair in zip(self.esp, self.ss, strict=True) for word in pair]
        if self.narrow:
            words = (self.link, *rings, self.eip, self.eflags, *self.general, self.es, self.cs, self.task_ss, self.ds,
                     self.ldt)  # fmt: skip
            return b"".join((word & 0xFFFF).to_bytes(2, "little") for word in words)
        words = (self.link, *rings, self.cr3, self.eip, self.eflags, *self.general, self.es, self.cs, self.task_ss,
                 self.ds, self.fs, self.gs, self.ldt, self.trap | 0x68 << 16)  # fmt: skip
        return b"".join(word.to_bytes(4, "little") for word in words)


def handler(vector: int) -> int:
    """Linear address of the handler that a vector has unless its gate says otherwise."""
    return HANDLERS + 16 * vector


def task_segment(base: int, type_: int = AVAILABLE_TSS, **changes: object) -> Descriptor:
    """A TSS descriptor, with the smallest limit that its kind may have unless told otherwise."""
    narrow = type_ in (AVAILABLE_TSS16, BUSY_TSS16)
    descriptor = Descriptor(type_, system=True, base=base, limit=0x2B if narrow else 0x67)
    return replace(descriptor, **changes)  # type: ignore[arg-type]


def default_gdt() -> dict[int, Descriptor | Gate]:
    """The descriptors at the start, by selector without its RPL."""
    return {
        KERNEL_CODE: code_segment(),
        KERNEL_DATA: data_segment(),
        USER_CODE & ~3: code_segment(3),
        USER_DATA & ~3: data_segment(3),
        TSS_SELECTOR: task_segment(TSS, BUSY_TSS),
        TSS16_SELECTOR: task_segment(TSS, BUSY_TSS16),
        LDT_SELECTOR: Descriptor(0x2, system=True, base=LDT, limit=LDT_LIMIT),
        KERNEL_STACK: stack_segment(),
        CONFORMING_CODE: code_segment(type=0xF),
        RING1_CODE & ~3: code_segment(1),
        RING1_DATA & ~3: data_segment(1),
        RING2_CODE & ~3: code_segment(2),
        RING2_DATA & ~3: data_segment(2),
        RING1_STACK & ~3: stack_segment(1),
        RING2_STACK & ~3: stack_segment(2),
        USER_STACK & ~3: stack_segment(3),
        TASK: task_segment(TASK_TSS),
        TASK16: task_segment(TASK16_TSS, AVAILABLE_TSS16),
        KERNEL_CODE16: code_segment(default=False, granularity=False, limit=0xFFFF),
        USER_CODE16 & ~3: code_segment(3, default=False, granularity=False, limit=0xFFFF),
        CALL_GATE: Gate(KERNEL_CODE, TASK_EIP, CALL_GATE_TYPE, dpl=3),
        TASK_GATE: Gate(TASK, 0, TASK_GATE_TYPE, dpl=3),
        TASK_LDT_SELECTOR: Descriptor(0x2, system=True, base=TASK_LDT, limit=LDT_LIMIT),
        OUTER: task_segment(OUTER_TSS, BUSY_TSS),
        OUTER16: task_segment(OUTER16_TSS, BUSY_TSS16),
        RESCUE: task_segment(RESCUE_TSS),
        KERNEL_STACK16: stack_segment(default=False, limit=0xFFFF),
    }


def default_ldt() -> dict[int, Descriptor | Gate]:
    """The descriptors of the LDT by selector without RPL and TI."""
    return {LDT_CODE & ~7: code_segment(), LDT_STACK & ~7: stack_segment()}


def default_tasks() -> dict[int, TaskState]:
    """The TSSs of other tasks, by address: two to enter, two to return to, one to handle faults on the way there.

    Those of 286s have a 16-bit stack: what a 16-bit TSS puts into the high half of ESP is not said by the manual.
    """
    wide = TaskState()
    narrow = TaskState(narrow=True, task_ss=KERNEL_STACK16)
    rescue = replace(wide, general=(0, 0, 0, 0, SPARE_STACK + PAGE, 0, 0, 0))
    return {TASK_TSS: wide, TASK16_TSS: narrow, OUTER_TSS: wide, OUTER16_TSS: narrow, RESCUE_TSS: rescue}


def default_pages() -> dict[int, Page]:
    """The mapping at the start where paging is on. Code, data, and the first stack are open to ring 3."""
    stacks = [STACK + offset for offset in (*RING_STACKS, TASK_STACK, SPARE_STACK)]
    pages = dict.fromkeys((GDT, LDT, IDT, TSS, TASK_TSS, RESCUE_TSS, *stacks), Page())
    pages |= dict.fromkeys((STACK, DATA), Page(user=True))
    return pages | {CODE: Page(user=True, accessed=True), HANDLERS: Page(accessed=True)}


DEFAULT_GATES: Mapping[int, Gate] = dict.fromkeys(range(256), Gate())
_DEFAULT_IDT = b"".join(gate.encode(vector) for vector, gate in DEFAULT_GATES.items())

CODE_BY_RING = (KERNEL_CODE, RING1_CODE, RING2_CODE, USER_CODE)
DATA_BY_RING = (KERNEL_DATA, RING1_DATA, RING2_DATA, USER_DATA)
STACK_BY_RING = (KERNEL_STACK, RING1_STACK, RING2_STACK, USER_STACK)
MEMORY_END = 0x23000


@dataclass(frozen=True, slots=True)
class ProtectedModeWorld:
    """The knobs. Change any with `dataclasses.replace` or `with_`, then ask for the `case`.

    `gates` holds every gate of the IDT by vector. `frame` are words of `frame_word` bytes that lie on the stack at
    `rsp` before the run, lowest address first. With `vm86` the processor starts in virtual-8086 mode, in the same code
    and stack pages; `cpl` is then 3 whatever it says, and `cs`, `ss` and `data_selectors` are paragraphs. `registers`
    overrides any field of the `State` at the very end.
    """

    cpl: int = 0
    code: bytes = b"\x0f\x0b"
    rip: int | None = None
    """EIP at the start (the first byte of the code page unless told otherwise)."""
    rsp: int = RSP
    rflags: int = 0x2
    frame: tuple[int, ...] = ()
    frame_word: int = 4
    cs: int | None = None
    ss: int | None = None
    data_selectors: Mapping[str, int] = field(default_factory=dict)
    """ds, es, fs, gs: the selectors loaded at the start (ds and es: the ring's data segment; fs and gs: null)."""
    vm86: bool = False
    gdt: Mapping[int, Descriptor | Gate] = field(default_factory=default_gdt)
    gdt_base: int = GDT
    gdt_limit: int = GDT_LIMIT
    ldt: Mapping[int, Descriptor | Gate] = field(default_factory=default_ldt)
    ldt_limit: int = LDT_LIMIT
    ldt_usable: bool = True
    gates: Mapping[int, Gate] = field(default_factory=lambda: DEFAULT_GATES)
    idt_base: int = IDT
    idt_limit: int = 0x7FF
    tss: TaskState = TaskState()
    tss_limit: int | None = None
    """What the task register holds; the smallest of its kind unless told otherwise."""
    tss_usable: bool = True
    tasks: Mapping[int, TaskState] = field(default_factory=default_tasks)
    paging: Paging | None = None
    pages: Mapping[int, Page] = field(default_factory=default_pages)
    extra_memory: tuple[tuple[int, bytes], ...] = ()
    registers: Mapping[str, int | Segment | TableRegister] = field(default_factory=dict)
    instructions: int = 1
    inject: Injection | None = None

    def with_(self, **changes: object) -> ProtectedModeWorld:
        """The same world with other knobs."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def with_gate(self, vector: int, **changes: object) -> ProtectedModeWorld:
        """The same world with one gate changed."""
        gate = replace(self.gates.get(vector, Gate()), **changes)  # type: ignore[arg-type]
        return replace(self, gates={**self.gates, vector: gate})

    def with_descriptor(self, selector: int, descriptor: Descriptor | Gate) -> ProtectedModeWorld:
        """The same world with one descriptor of the GDT, or of the LDT where the selector's TI bit says so, changed."""
        if selector & 4:
            return replace(self, ldt={**self.ldt, selector & ~7: descriptor})
        return replace(self, gdt={**self.gdt, selector & ~7: descriptor})

    def with_page(self, address: int, **changes: object) -> ProtectedModeWorld:
        """The same world, with paging on, and one page mapped differently."""
        page = replace(self.pages.get(address & -PAGE, Page()), **changes)  # type: ignore[arg-type]
        paging = self.paging or "32-bit"
        return replace(self, paging=paging, pages={**self.pages, address & -PAGE: page})

    def with_tss(self, **changes: object) -> ProtectedModeWorld:
        """The same world with fields of the current TSS changed."""
        return replace(self, tss=replace(self.tss, **changes))  # type: ignore[arg-type]

    def with_task(self, address: int, **changes: object) -> ProtectedModeWorld:
        """The same world with fields of another task's TSS changed."""
        task = replace(self.tasks[address], **changes)  # type: ignore[arg-type]
        return replace(self, tasks={**self.tasks, address: task})

    def with_rescue(self, *vectors: int) -> ProtectedModeWorld:
        """The same world with these vectors handled by a task of its own: it needs nothing of what was broken."""
        world = self
        for vector in vectors:
            world = world.with_gate(vector, type=TASK_GATE_TYPE, selector=RESCUE, offset=0)
        return world

    def case(self, name: str) -> Case:
        """The processor's and the memory's state for these knobs."""
        state = self._state()
        return Case(name, state, self._memory(state), self.instructions, self.inject, mode="protected")

    def _segment(self, selector: int) -> Segment:
        """The register after a successful load of `selector`."""
        if self.vm86:
            return real_segment(selector)
        if selector & ~3 == 0:
            return Segment(selector)
        found = (self.ldt if selector & 4 else self.gdt)[selector & ~7]
        assert isinstance(found, Descriptor)
        return found.segment(selector)

    def _segments(self) -> dict[str, Segment]:
        if self.vm86:
            selectors = {"cs": CODE >> 4, "ss": STACK >> 4, "ds": DATA >> 4, "es": 0x1111, "fs": 0x2222, "gs": 0x3333}
        else:
            data = DATA_BY_RING[self.cpl]
            ring = {"cs": CODE_BY_RING[self.cpl], "ss": STACK_BY_RING[self.cpl]}
            selectors = {**ring, "ds": data, "es": data, "fs": 0, "gs": 0}
        chosen = {"cs": self.cs, "ss": self.ss, **self.data_selectors}
        selectors |= {name: selector for name, selector in chosen.items() if selector is not None}
        return {name: self._segment(selector) for name, selector in selectors.items()}

    def _state(self) -> State:
        segments = self._segments()
        kind, selector = (BUSY_TSS16, TSS16_SELECTOR) if self.tss.narrow else (BUSY_TSS, TSS_SELECTOR)
        task = task_segment(TSS, kind)
        if self.tss_limit is not None:
            task = replace(task, limit=self.tss_limit)
        local = Descriptor(0x2, system=True, base=LDT, limit=self.ldt_limit)
        cr4 = {None: 0, "32-bit": 0, "PSE": CR4_PSE, "PAE": CR4_PAE}[self.paging]
        paged = CR0_PG | CR0_WP if self.paging else 0
        state = State(
            rip=CODE - segments["cs"].base if self.rip is None else self.rip,
            rsp=self.rsp,
            rflags=self.rflags | VM if self.vm86 else self.rflags,
            cr0=CR0_NE | CR0_ET | CR0_PE | paged,
            cr3=PAGE_TABLES if self.paging else 0,
            cr4=cr4 | CR4_OSFXSR,
            efer=EFER_NXE if self.paging == "PAE" else 0,
            gdtr=TableRegister(self.gdt_base, self.gdt_limit),
            idtr=TableRegister(self.idt_base, self.idt_limit),
            tr=task.segment(selector) if self.tss_usable else Segment(),
            ldtr=local.segment(LDT_SELECTOR) if self.ldt_usable else Segment(),
        )
        return replace(state, **{**segments, **self.registers})  # type: ignore[arg-type]

    def _memory(self, state: State) -> tuple[tuple[int, bytes], ...]:
        image = {page: bytearray(PAGE) for page in range(PAGE_TABLES, MEMORY_END, PAGE)}

        def put(address: int, data: bytes) -> None:
            store(image, address, data)

        for address, data in self._page_tables():
            put(address, data)
        for selector, descriptor in self.gdt.items():
            put(self.gdt_base + selector, descriptor.encode())
        for selector, descriptor in self.ldt.items():
            put(LDT + selector, descriptor.encode())
        put(self.idt_base, self._idt())
        put(TSS, self.tss.encode())
        for address, task in self.tasks.items():
            put(address, task.encode())
        put(HANDLERS, b"\xf4" * PAGE)
        for offset in (0, *RING_STACKS, TASK_STACK, SPARE_STACK):
            put(STACK + offset + PAGE - STACK_FILLED_BYTES, bytes([STACK_FILL]) * STACK_FILLED_BYTES)
        put(TASK_EIP, b"\x90\x90\xf4")
        put(state.cs.base + state.rip, self.code)
        words = (word.to_bytes(self.frame_word, "little") for word in self.frame)
        put(state.ss.base + state.rsp, b"".join(words))
        for address, data in self.extra_memory:
            put(address, data)
        return tuple(piece for page in sorted(image) for piece in pieces(page, bytes(image[page])))

    def _idt(self) -> bytes:
        whole = len(self.gates) == len(DEFAULT_GATES)
        table = bytearray(_DEFAULT_IDT if whole else 256 * 8)
        for vector, gate in self.gates.items():
            if not whole or gate is not DEFAULT_GATES[vector]:
                table[8 * vector : 8 * vector + 8] = gate.encode(vector)
        return bytes(table)

    def _page_tables(self) -> list[tuple[int, bytes]]:
        """The structures of the chosen paging, which all begin at `PAGE_TABLES` (SDM 3A 4.3 and 4.4)."""
        if self.paging is None:
            return []
        if self.paging == "PSE":
            return [(PAGE_TABLES, (1 << 7 | 7).to_bytes(4, "little"))]
        size, tables = (8, PAGE_TABLES + 2 * PAGE) if self.paging == "PAE" else (4, PAGE_TABLES + PAGE)
        user = Page(user=True, accessed=True)
        made = [(PAGE_TABLES, user.entry(tables).to_bytes(4, "little"))]
        if self.paging == "PAE":
            directory = PAGE_TABLES + PAGE
            made = [(PAGE_TABLES, (directory | 1).to_bytes(8, "little"))]
            made.append((directory, user.entry(tables).to_bytes(8, "little")))
        for address, page in self.pages.items():
            made.append((tables + address // PAGE * size, page.entry(address).to_bytes(size, "little")))
        return made
