"""Bugs in the IDT: gates that are missing, of the wrong kind, or not for everyone who uses them."""

from __future__ import annotations

from idtviz.checks.finding import Note, Severity
from idtviz.checks.rule import Findings, Rule
from idtviz.checks.rules import idt_register, targets
from idtviz.checks.rules.failures import (
    EXCEPTIONS,
    SettledRule,
    failed_check,
    gates,
    interrupt_lines,
    number,
    raised,
    vector_list,
    vector_name,
)
from idtviz.checks.rules.idt_register import own_idt, wrong_limit
from idtviz.checks.scene import Scene
from idtviz.debugger.observing import Tables, interrupted_at
from idtviz.machine.delivery import rules as check
from idtviz.machine.delivery.event import Event, Source
from idtviz.machine.events import Delivered
from idtviz.x86.gates import INTERRUPT_GATE_16, TRAP_GATE, TRAP_GATE_16, Gate32, Gate64, IvtEntry
from idtviz.x86.selectors import Selector
from idtviz.x86.vectors import VECTORS

_BREAKPOINT, _OVERFLOW = 3, 4


class GateAbsent(Rule):
    id = "IDT002"
    title = "There is no gate for what came"
    bug_class = 16
    severity = Severity.ERROR
    why = (
        "A gate with P=0 leads nowhere: a delivery through it ends in #NP. An entry that is all zeros has no valid "
        "type either, and that is looked at first: #GP. A vector beyond the limit is #GP as well. The error code "
        "names the gate: vector × 8 + 2, where the 2 (the IDT bit) says that the index is one into the IDT, and 1 more "
        "(EXT) that the event came from outside the program. If there is no gate for #NP or #GP, the next is #DF, and "
        "then the shutdown."
    )
    fix = (
        "Fill in the gate of this vector with P=1 (attributes 0x8e, not 0x0e; 0xee if ring 3 may use it), and load an "
        "IDT that reaches to it."
    )
    source = "SDM 3A 6.11, 6.13; 6.15, Interrupts 11 and 13"

    def failed(self, scene: Scene, delivered: Delivered) -> Findings:
        event, fault, place = delivered.event, delivered.fault, failed_check(delivered)
        if fault is None or event.caused_by is not None or not own_idt(scene.now):
            return
        if event.source is Source.EXTERNAL and event.vector < EXCEPTIONS:
            return  # the controllers' vectors are wrong
        gate, idt = delivered.gate, scene.now.tables.idt
        if place is check.IDT_LIMIT:
            if wrong_limit(scene.now, event.vector) is not None:
                return
            count = (idt.limit + 1) // idt.entry_size
            why = f"the IDT has {count} gates, of vectors 0 to {number(count - 1)} (limit {idt.limit:#x})"
        elif gate is None or isinstance(gate, IvtEntry) or gate.present or place not in _AT_THE_GATE:
            return
        elif not gate.value:
            why = "its gate is all zeros, as if it had never been filled in"
        else:
            why = "its gate has P=0" + (f" (type {gate.type:#x}, {gate.kind})" if not gate.s else "")
        yield self.found(
            scene,
            f"{_came(event)}, but {why}: {raised(fault)}",
            idt.address(event.vector),
            Note(f"{event.name} came here", interrupted_at(delivered, scene.now.tables)),
        )


class GateType(SettledRule):
    id = "IDT004"
    title = "A gate is of the wrong type for what comes through it"
    bug_class = 19
    severity = Severity.ERROR
    again_with_controllers = True
    why = (
        "An interrupt gate (type 0xe) clears IF, a trap gate (0xf) does not. Behind a trap gate the handler of a "
        "hardware interrupt can be interrupted at its first instruction, before it has saved anything, and as soon as "
        "it has sent its EOI by the same line again: with interrupts that come fast enough, until the stack is full. "
        "The 16-bit gates of the 80286 (0x6 and 0x7) push words of two bytes and take 16 bits of the handler's "
        "offset; long mode knows only 0xe and 0xf, and with any other type the delivery ends in #GP."
    )
    fix = "Make it an interrupt gate: attributes 0x8e. Trap gates (0x8f) are for exceptions and system calls alone."
    source = "SDM 3A 6.11, 6.12.1.3, 6.14.1"

    def __init__(self) -> None:
        super().__init__()
        self._told: set[int] = set()

    def settled(self, scene: Scene, tables: Tables) -> Findings:
        lines = interrupt_lines(scene.now.pic)
        trapped = [
            vector
            for vector, gate in gates(tables)
            if vector in lines and vector >= EXCEPTIONS and gate.type in (TRAP_GATE, TRAP_GATE_16)
        ]
        yield from self._trap(scene, trapped, {vector: f"IRQ{lines[vector]}" for vector in trapped})
        yield from self._narrow(scene, tables)

    def entered(self, scene: Scene, delivered: Delivered) -> Findings:
        event, gate = delivered.event, delivered.gate
        if not isinstance(gate, Gate32 | Gate64):
            return
        if event.source is Source.EXTERNAL and event.vector >= EXCEPTIONS and gate.type in (TRAP_GATE, TRAP_GATE_16):
            yield from self._trap(scene, [event.vector], {event.vector: event.name})
        if gate.type in _NARROW and _leads_to_32_bits(gate, scene.now.tables):
            yield from self._narrow(scene, scene.now.tables)

    def failed(self, scene: Scene, delivered: Delivered) -> Findings:
        gate, fault, place = delivered.gate, delivered.fault, failed_check(delivered)
        vector = delivered.event.vector
        if fault is None or not isinstance(gate, Gate32 | Gate64) or not gate.present or not own_idt(scene.now):
            return
        if place not in (check.GATE_TYPE, check.GATE_RESERVED) or self._told:
            return
        self._told.add(vector)
        address = scene.now.tables.idt.address(vector)
        if isinstance(gate, Gate64) and place is check.GATE_RESERVED:
            yield self.found(
                scene,
                f"the gate of {vector_name(vector)} is no gate of 64-bit mode: bits 12:8 of its fourth doubleword are "
                f"{gate.must_be_zero:#x} and have to be 0, {raised(fault)}. A table of 8-byte gates looks like that; "
                "64-bit mode has gates of 16 bytes",
                address,
            )
            return
        valid = "0xe or 0xf" if isinstance(gate, Gate64) else "0xe, 0xf, 0x6, 0x7 or 0x5"
        kind = "S=1" if gate.s else f"type {gate.type:#x} ({gate.kind})"
        yield self.found(
            scene,
            f"the gate of {vector_name(vector)} has {kind}, where the processor takes type {valid} with S=0: "
            f"{raised(fault)}",
            address,
        )

    def _trap(self, scene: Scene, vectors: list[int], names: dict[int, str]) -> Findings:
        fresh = [vector for vector in vectors if vector not in self._told]
        self._told.update(fresh)
        for vector in fresh:
            yield self.found(
                scene,
                f"{names[vector]} comes through vector {vector:#x}, whose gate is a trap gate: IF stays 1, and the "
                "next interrupt can come before the handler has saved a register",
                scene.now.tables.idt.address(vector),
                severity=Severity.WARNING,
            )

    def _narrow(self, scene: Scene, tables: Tables) -> Findings:
        """16-bit gates: in a long-mode table always wrong, in protected mode where the handler is 32-bit code."""
        narrow = [
            vector
            for vector, gate in enumerate(tables.idt.gates[: len(VECTORS)])
            if isinstance(gate, Gate32 | Gate64) and gate.present and not gate.s and gate.type in _NARROW
            if isinstance(gate, Gate64) or _leads_to_32_bits(gate, tables)
        ]
        fresh = [vector for vector in narrow if vector not in self._told]
        if not fresh:
            return
        self._told.update(fresh)
        kind = "the gate is a 16-bit gate" if len(fresh) == 1 else "the gates are 16-bit gates"
        if tables.idt.kind is Gate64:
            what = "64-bit mode has none, and a delivery ends in #GP"
        else:
            what = "the frame is pushed in words of two bytes, and the handler's offset is cut to 16 bits"
        says = f"{vector_list(fresh)}: {kind} (type 0x6 or 0x7). {what[0].upper()}{what[1:]}"
        yield self.found(scene, says, tables.idt.address(fresh[0]))


class GateDpl(Rule):
    id = "IDT005"
    title = "Ring 3 may not use the gate of a system call or breakpoint"
    bug_class = 20
    severity = Severity.ERROR
    why = (
        "For INT n, INT3 and INTO the processor compares the gate's DPL with CPL, so that a program cannot call the "
        "handlers of exceptions and devices. A gate that ring 3 is meant to use needs DPL 3. With DPL 0 the delivery "
        "ends in #GP, whose error code names the gate: 0x402 is vector 0x80 × 8 + 2 (the IDT bit)."
    )
    fix = "Give the gate DPL 3: attributes 0xee for an interrupt gate, 0xef for a trap gate."
    source = "SDM 3A 6.12.1.2"

    def failed(self, scene: Scene, delivered: Delivered) -> Findings:
        event, gate, fault = delivered.event, delivered.gate, delivered.fault
        if failed_check(delivered) is not check.GATE_DPL or not isinstance(gate, Gate32 | Gate64) or not gate.present:
            return
        assert fault is not None
        meant = event.vector in (_BREAKPOINT, _OVERFLOW) or event.vector >= EXCEPTIONS
        if not meant or event.vector in interrupt_lines(scene.now.pic):
            return  # a program that calls a handler of the kernel's own: that it may not is right
        yield self.found(
            scene,
            f"ring {delivered.origin.cpl} executes {_instruction(event.name)}, but the gate of vector "
            f"{number(event.vector)} has DPL {gate.dpl}: {raised(fault)}",
            scene.now.tables.idt.address(event.vector),
            Note(f"{_instruction(event.name)} is here", interrupted_at(delivered, scene.now.tables)),
        )


def _leads_to_32_bits(gate: Gate32 | Gate64, tables: Tables) -> bool:
    selector = Selector(gate.selector)
    table = tables.ldt if selector.ti else tables.gdt
    found = None if table is None or selector.null else table.find(selector)
    return found is not None and found.is_code and bool(found.db)


def _instruction(name: str) -> str:
    return {"#BP": "INT3", "#OF": "INTO"}.get(name, name)


def _came(event: Event) -> str:
    """What came, with its vector where its name does not tell that."""
    named = event.name.startswith("INT ")
    return f"{event.name} came" if named else f"{event.name} came through vector {number(event.vector)}"


_NARROW = (INTERRUPT_GATE_16, TRAP_GATE_16)
_AT_THE_GATE = (check.GATE_PRESENT, check.GATE_TYPE, check.GATE_RESERVED, check.GATE_DPL)

RULES: tuple[type[Rule], ...] = (
    GateAbsent,
    GateType,
    GateDpl,
    *idt_register.RULES,
    *targets.RULES,
)
