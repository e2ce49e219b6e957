"""Bugs in what the gates of the IDT lead to: a code segment, a handler's address, and for #DF a stack."""

from __future__ import annotations

from idtviz.checks.finding import Note, Severity
from idtviz.checks.rule import Findings, Rule
from idtviz.checks.rules.failures import (
    EXCEPTIONS,
    SettledRule,
    beyond,
    descriptor,
    failed_check,
    gate_list,
    gates,
    interrupt_lines,
    raised,
    vector_name,
)
from idtviz.checks.scene import Scene
from idtviz.debugger.observing import Tables, interrupted_at
from idtviz.debugger.tables import Descriptor
from idtviz.machine.delivery import rules as check
from idtviz.machine.delivery.event import DOUBLE_FAULT, PAGE_FAULT, Source
from idtviz.machine.events import Delivered, Happened
from idtviz.machine.registers import Registers, Segment
from idtviz.x86.addresses import MASK32
from idtviz.x86.gates import TASK_GATE, Gate32, Gate64
from idtviz.x86.selectors import Selector

_RAISED = frozenset((*range(9), *range(10, 15), 16, 17, 18, 19))
"""The vectors for which a kernel that has filled its table has a gate, that of #DF included (SDM 3A table 6-1)."""
_UPPER_HALF = 0xFFFF_8000_0000_0000
_AT_THE_SEGMENT = (
    check.SELECTOR_NULL,
    check.SELECTOR_LIMIT,
    check.DESCRIPTOR_CODE,
    check.DESCRIPTOR_LONG,
    check.DESCRIPTOR_PRESENT,
)


class GateSelector(SettledRule):
    id = "IDT003"
    title = "A gate's selector names no code segment of the GDT in use"
    bug_class = 17
    severity = Severity.ERROR
    why = (
        "A gate names its handler's code segment by a selector, and the processor looks it up at every delivery, in "
        "the GDT that is loaded then. CS, which the kernel runs with, is looked up only when it is loaded: behind "
        "LGDT it goes on with what the loader's GDT said. So a kernel with a GDT of its own whose gates name the "
        "loader's CS runs well until the first interrupt, which is #GP with the selector as error code. The gates of "
        "#GP and #DF name the same one: the processor shuts down. In long mode the segment has to have L=1 and D=0."
    )
    fix = (
        "Write the selector of your own GDT's code segment into the gates, and load CS with it (far JMP, or RETFQ) "
        "behind LGDT."
    )
    source = "SDM 3A 6.12.1, 6.14.1, 3.4.3"

    def __init__(self) -> None:
        super().__init__()
        self._told: set[int] = set()

    def settled(self, scene: Scene, tables: Tables) -> Findings:
        for selector, vectors in _by_selector(tables).items():
            wrong = _no_code_segment(Selector(selector), tables, scene.now.registers)
            if wrong is not None:
                yield from self._tell(scene, selector, vectors, wrong, "")

    def failed(self, scene: Scene, delivered: Delivered) -> Findings:
        gate, fault, tables = delivered.gate, delivered.fault, scene.now.tables
        if failed_check(delivered) not in _AT_THE_SEGMENT or not isinstance(gate, Gate32 | Gate64) or fault is None:
            return
        if gate.type == TASK_GATE and isinstance(gate, Gate32):
            return
        wrong = _no_code_segment(Selector(gate.selector), tables, scene.now.registers)
        if wrong is not None:
            vectors = _by_selector(tables).get(gate.selector & ~3, [delivered.event.vector])
            ended = f": {delivered.event.name} ended in {raised(fault)}"
            yield from self._tell(scene, gate.selector & ~3, vectors, wrong, ended)

    def _tell(self, scene: Scene, selector: int, vectors: list[int], wrong: str, ended: str) -> Findings:
        if selector in self._told:
            return
        self._told.add(selector)
        tables, cs = scene.now.tables, scene.now.registers.cs.selector
        says = f"{gate_list(vectors)} selector {selector:#x}, {wrong}{ended}"
        notes = [Note(_code_segments(tables), tables.gdt.base)]
        if cs & ~3 == selector:
            notes.append(Note(f"CS itself still holds {cs:#x}: it was loaded from another GDT, and not after LGDT"))
        yield self.found(scene, says, tables.idt.address(vectors[0]), *notes)


class HandlerRing(SettledRule):
    id = "IDT006"
    title = "A gate leads to a code segment of an outer ring"
    bug_class = 21
    severity = Severity.ERROR
    why = (
        "A delivery goes to the same ring or inward, never outward: the DPL of the handler's code segment may not be "
        "greater than CPL, or it ends in #GP with the selector as error code. The DPL of the gate is another matter: "
        "it says who may use INT n. To let ring 3 use a gate set that one, and leave the selector alone."
    )
    fix = "Let the gate name the code segment of ring 0 (0x08 in most kernels), whatever the gate's own DPL is."
    source = "SDM 3A 6.12.1"

    def __init__(self) -> None:
        super().__init__()
        self._told: set[int] = set()

    def settled(self, scene: Scene, tables: Tables) -> Findings:
        lines = interrupt_lines(scene.now.pic)
        for selector, vectors in _by_selector(tables).items():
            found = descriptor(tables, Selector(selector))
            by_hardware = [vector for vector in vectors if vector < EXCEPTIONS or vector in lines]
            if by_hardware and found is not None and found.is_code and not found.conforming and found.dpl:
                yield from self._tell(scene, selector, by_hardware, found, "which cannot be entered from ring 0")

    def failed(self, scene: Scene, delivered: Delivered) -> Findings:
        gate, fault, tables = delivered.gate, delivered.fault, scene.now.tables
        if failed_check(delivered) is not check.DESCRIPTOR_DPL or not isinstance(gate, Gate32 | Gate64):
            return
        found = descriptor(tables, Selector(gate.selector))
        if found is None or fault is None:
            return
        vectors = _by_selector(tables).get(gate.selector & ~3, [delivered.event.vector])
        ended = f"but {delivered.event.name} came in ring {delivered.origin.cpl}: {raised(fault)}"
        yield from self._tell(scene, gate.selector & ~3, vectors, found, ended)

    def _tell(self, scene: Scene, selector: int, vectors: list[int], found: Descriptor, ended: str) -> Findings:
        if selector in self._told:
            return
        self._told.add(selector)
        tables = scene.now.tables
        named = sorted({gate.selector for vector, gate in gates(tables) if vector in vectors} or {selector})
        selectors = " or ".join(f"{value:#x}" for value in named)
        yield self.found(
            scene,
            f"{gate_list(vectors)} selector {selectors}, a code segment with DPL {found.dpl}, {ended}",
            tables.idt.address(vectors[0]),
            Note(_code_segments(tables), tables.gdt.base),
        )


class DoubleFaultStack(SettledRule):
    id = "IDT007"
    title = "A double fault has no gate, or no stack of its own"
    bug_class = 22
    severity = Severity.ERROR
    why = (
        "When a stack has run out, the processor cannot push the frame of the page fault: that is #DF. Its frame "
        "would go to the same stack, and a fault in delivering #DF shuts the processor down: a PC resets, and nobody "
        "can tell why. A gate with an IST index in long mode, or a task gate in protected mode, makes the processor "
        "change to a good stack first."
    )
    fix = (
        "In long mode: put the top of a stack that nothing else uses into TSS.IST1, and 1 into the IST field of gate "
        "8. In protected mode: a task gate for vector 8 to a TSS with a stack of its own."
    )
    source = "SDM 3A 6.14.5, 6.15 (Interrupt 8), 7.3"

    def __init__(self) -> None:
        super().__init__()
        self._told = False

    def settled(self, scene: Scene, tables: Tables) -> Findings:
        """A kernel of 64-bit mode with a gate for every exception means to handle them."""
        if self._told or tables.idt.kind is not Gate64:
            return
        present = dict(gates(tables))
        if not present.keys() >= _RAISED - {DOUBLE_FAULT}:
            return
        gate = present.get(DOUBLE_FAULT)
        if gate is not None and isinstance(gate, Gate64) and gate.ist:
            return
        self._told = True
        lacks = "there is no gate for it" if gate is None else "its gate has IST 0"
        yield self.found(
            scene,
            f"every exception but #DF is looked after; {lacks}, so that a stack of ring 0 that runs out shuts the "
            "processor down",
            tables.idt.address(DOUBLE_FAULT),
            severity=Severity.WARNING,
        )

    def failed(self, scene: Scene, delivered: Delivered) -> Findings:
        event, fault, tables = delivered.event, delivered.fault, scene.now.tables
        if event.vector != DOUBLE_FAULT or event.source is not Source.EXCEPTION or fault is None or self._told:
            return
        first = self._first(scene, delivered)
        if first is None or delivered.origin.cpl:
            return
        gate = delivered.gate
        if not isinstance(gate, Gate32 | Gate64) or not gate.present:
            lacks = "there is no gate for #DF"
        elif not _on_the_stack(delivered) or (isinstance(gate, Gate64) and gate.ist):
            return
        elif isinstance(gate, Gate64):
            lacks = "the gate of #DF has IST 0: its frame goes to the same stack"
        elif gate.type == TASK_GATE:
            return
        else:
            lacks = "the gate of #DF is no task gate: its frame goes to the same stack"
        self._told = True
        assert first.fault is not None
        yield self.found(
            scene,
            f"the stack has run out: the frame of {first.event.name} could not be pushed, which is #DF. But {lacks}. "
            "The processor shuts down",
            tables.idt.address(DOUBLE_FAULT),
            Note(
                f"{first.event.name} came here; its push ended in {raised(first.fault)}", interrupted_at(first, tables)
            ),
        )

    def _first(self, scene: Scene, delivered: Delivered) -> Delivered | None:
        """The delivery that could not push its frame."""
        by = delivered.event.caused_by
        first = scene.deliveries[by] if by is not None and by < len(scene.deliveries) else None
        return first if first is not None and _on_the_stack(first) else None


class HandlerAddress(Rule):
    id = "IDT009"
    title = "A gate leads to an address where there is no code"
    bug_class = None
    severity = Severity.ERROR
    why = (
        "A gate holds its handler's address in pieces: bits 15:0, 31:16 and, in 64-bit mode, 63:32. A piece that was "
        "left out or put in the wrong place makes an address that is not canonical (#GP), that lies beyond the code "
        "segment (#GP), or where no page is mapped that may be executed: #PF at the handler's first instruction, with "
        "CR2 = RIP."
    )
    fix = "Write all pieces of the offset into the gate, and map the handler's page in every address space."
    source = "SDM 3A 6.11, 6.14.1; SDM 1 3.3.7.1"

    def __init__(self) -> None:
        self._told = False

    def happened(self, scene: Scene, event: Happened) -> Findings:
        if self._told or not isinstance(event, Delivered) or event.event.vector != PAGE_FAULT or not scene.passages:
            return
        passage = scene.passages[-1]
        delivered, gate, cause = passage.delivered, passage.delivered.gate, event.event
        at = interrupted_at(event, scene.now.tables)
        if cause.cr2 is None or not cause.cr2 == passage.handler == at or not isinstance(gate, Gate32 | Gate64):
            return
        self._told = True
        error = cause.error_code or 0
        why = "that page may not be executed" if error & 1 else "no page is mapped there"
        yield self.found(
            scene,
            f"the gate of {vector_name(delivered.event.vector)} leads to {scene.name(passage.handler)}, but {why}: "
            f"#PF at its first instruction{_upper_half(gate, scene.now.registers, delivered.origin.rip)}",
            delivered.gate_address,
        )

    def failed(self, scene: Scene, delivered: Delivered) -> Findings:
        gate, fault, place = delivered.gate, delivered.fault, failed_check(delivered)
        if self._told or fault is None or not isinstance(gate, Gate32 | Gate64):
            return
        if place is check.HANDLER_CANONICAL:
            why = "is not canonical: bits 63:47 have to be alike"
        elif place is check.HANDLER_LIMIT:
            why = "lies beyond the limit of its code segment"
        else:
            return
        self._told = True
        yield self.found(
            scene,
            f"the offset in the gate of {vector_name(delivered.event.vector)}, {gate.offset:#x}, {why}: "
            f"{raised(fault)}",
            delivered.gate_address,
        )


def _by_selector(tables: Tables) -> dict[int, list[int]]:
    """The vectors of the present gates, by the selector that they name, RPL left out."""
    found: dict[int, list[int]] = {}
    for vector, gate in gates(tables):
        found.setdefault(gate.selector & ~3, []).append(vector)
    return found


def _no_code_segment(selector: Selector, tables: Tables, at: Registers) -> str | None:
    """What is wrong with the segment of a handler; None: nothing, or it is not known."""
    if selector.null:
        return "the null selector"
    if beyond(tables, selector):
        table = tables.ldt if selector.ti else tables.gdt
        if table is None:
            return "one of the LDT, and no LDT is loaded"
        return f"which lies beyond the end of the {table.name} (limit {table.limit:#x})"
    found = descriptor(tables, selector)
    if found is None:
        return None
    what = f"where the {selector.table} has"
    if not found.is_code:
        return f"{what} {_what(found)}, not a code segment"
    if tables.idt.kind is Gate64 and not (found.l and not found.db):
        return f"{what} a code segment with L={int(found.l)} D={int(found.db)}; 64-bit mode takes L=1 D=0"
    if not found.present:
        return f"{what} a code segment with P=0"
    if tables.idt.kind is Gate32 and not found.db and _in_32_bits(at):
        return f"{what} a 16-bit code segment (D=0)"
    return None


def _in_32_bits(at: Registers) -> bool:
    return at.mode == "protected" and bool(at.cs.flags & Segment.CODE_32)


def _what(found: Descriptor) -> str:
    if not found.value:
        return "a null descriptor"
    return "a data segment" if found.s else f"a system descriptor ({found.kind})"


def _code_segments(tables: Tables) -> str:
    """Which selectors would do."""
    long = tables.idt.kind is Gate64
    found = [
        f"{entry.offset:#x}"
        for entry in tables.gdt.entries
        if entry.descriptor.is_code and entry.descriptor.present and not entry.descriptor.dpl
        if not long or (entry.descriptor.l and not entry.descriptor.db)
    ]
    width = 64 if long else 32
    if not found:
        return f"the GDT has no {width}-bit code segment of ring 0"
    return f"the {width}-bit code segment of ring 0 in the GDT is {' or '.join(found)}"


def _on_the_stack(delivered: Delivered) -> bool:
    """Whether a delivery failed because of its stack."""
    place = failed_check(delivered)
    return place is not None and (place.on_stack or place is check.STACK_SELECT)


def _upper_half(gate: Gate32 | Gate64, at: Registers, origin: int) -> str:
    """A hint for a kernel of the upper half with a gate whose third doubleword was left out."""
    higher = max(origin, at.gdtr.base, at.idtr.base)
    if isinstance(gate, Gate64) and gate.offset <= MASK32 and higher >= _UPPER_HALF:
        return f". Bits 63:32 of the offset are 0, and the kernel runs at {higher & ~0xFFF:#x}"
    return ""


RULES: tuple[type[Rule], ...] = (GateSelector, HandlerRing, DoubleFaultStack, HandlerAddress)
