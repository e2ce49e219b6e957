"""Bugs in the TSS, where the processor finds the stack of a handler."""

from __future__ import annotations

from typing import NamedTuple

from idtviz.checks.finding import Note, Severity
from idtviz.checks.rule import Findings, Rule
from idtviz.checks.rules.failures import SettledRule, descriptor, failed_check, gate_list, gates, raised
from idtviz.checks.scene import Scene
from idtviz.debugger.observing import Situation, Tables, interrupted_at
from idtviz.machine.delivery import rules as check
from idtviz.machine.events import Delivered
from idtviz.x86.addresses import MASK32, is_canonical
from idtviz.x86.gates import Gate32, Gate64
from idtviz.x86.selectors import Selector
from idtviz.x86.tss import Tss32, Tss64, ist_offset, rsp_offset

_FULL_LIMIT = 0x67
_PAGE = 0x1000
_UPPER = 0xFFFF_0000
"""Least upper doubleword of an address in the upper half."""
_UPPER_HALF = 0xFFFF_8000_0000_0000
_SELECTED = (
    *(check.STACK_SELECT, check.STACK_CANONICAL, check.STACK_NULL, check.STACK_LIMIT, check.STACK_RPL),
    *(check.STACK_DPL, check.STACK_DATA, check.STACK_PRESENT),
)


class Slot(NamedTuple):
    """The field of the TSS that a delivery takes its stack from; `ist` is 0 for RSP0 and the like."""

    name: str
    offset: int
    ist: int


class TssNotReady(SettledRule):
    id = "TSS001"
    title = "An interrupt of ring 3 has no stack to go to"
    bug_class = 24
    severity = Severity.ERROR
    why = (
        "When an event leads from ring 3 to ring 0, the processor takes the stack of ring 0 from the TSS that TR "
        "names: RSP0 in long mode, SS0:ESP0 in protected mode. If LTR was never executed, or the field is 0 or points "
        "where nothing is mapped, the push fails. The exception for that wants the same stack: #DF, and mostly the "
        "shutdown. As long as only ring 0 runs nobody misses it."
    )
    fix = (
        "Put the top of a mapped stack into RSP0 (ESP0, with the ring-0 data selector in SS0), and load TR with LTR, "
        "before ring 3 runs."
    )
    source = "SDM 3A 6.12.1, 6.14.4, 7.7"

    def __init__(self) -> None:
        super().__init__()
        self._told: set[str] = set()

    def settled(self, scene: Scene, tables: Tables) -> Findings:
        """TR was never loaded, and there are gates that need it."""
        if not _no_task_register(scene.now) or tables.idt.kind is not Gate64:
            return
        using = [vector for vector, gate in gates(tables) if isinstance(gate, Gate64) and gate.ist]
        if using and "tr" not in self._told:
            self._told.add("tr")
            stacks = "an interrupt stack" if len(using) == 1 else "interrupt stacks"
            says = f"TR is null: LTR was never executed. But {gate_list(using)} {stacks} (IST) of the TSS"
            yield self.found(scene, says, tables.idt.address(using[0]))

    def entered(self, scene: Scene, delivered: Delivered) -> Findings:
        if delivered.stack in (None, "same", "task") or not _no_task_register(scene.now):
            return
        yield from self._no_tr(scene, delivered, "")

    def failed(self, scene: Scene, delivered: Delivered) -> Findings:
        slot, fault, place = _slot(scene.now, delivered), delivered.fault, failed_check(delivered)
        if slot is None or fault is None or not _about_the_stack(delivered):
            return
        if _no_task_register(scene.now):
            yield from self._no_tr(scene, delivered, f": {raised(fault)}")
            return
        tss = scene.now.tables.tss
        if slot.ist or place is check.STACK_SELECT or slot.name in self._told or tss.tss is None:
            return
        if _misplaced(tss.tss, slot) is not None:
            return
        self._told.add(slot.name)
        why = _wrong_field(scene.now.tables, slot, place)
        yield self.found(
            scene,
            f"{delivered.event.name} comes in ring {delivered.origin.cpl} and takes its stack from the TSS, {why}: "
            f"{raised(fault)}",
            tss.base + slot.offset,
            Note(f"{delivered.event.name} came here", interrupted_at(delivered, scene.now.tables)),
        )

    def _no_tr(self, scene: Scene, delivered: Delivered, ended: str) -> Findings:
        if "tr" in self._told:
            return
        self._told.add("tr")
        slot = _slot(scene.now, delivered)
        field = "a stack pointer" if slot is None else slot.name
        tr = scene.now.registers.tr
        place = "" if slot is None else f" (linear address {tr.base + slot.offset:#x})"
        yield self.found(
            scene,
            f"{delivered.event.name} comes in ring {delivered.origin.cpl} and needs {field} of the TSS, but TR is "
            f"null: LTR was never executed, and the processor reads at the base that TR has since reset{place}{ended}",
            interrupted_at(delivered, scene.now.tables),
        )


class TssLayout(SettledRule):
    id = "TSS002"
    title = "The TSS is not where, or not what, the processor takes it for"
    bug_class = 25
    severity = Severity.ERROR
    why = (
        "The descriptor of a TSS holds a limit of at least 0x67 and the base in three pieces; in long mode bits 63:32 "
        "of the base stand in eight bytes more. In a TSS of 64-bit mode RSP0 stands at offset 0x4 and IST1 at 0x24: "
        "these quadwords are not aligned to 8 bytes, so that a C structure needs `packed`. The interrupt stacks count "
        "from IST1, and 0 in "
        "a gate means none: an array's element 0 is IST1. If the kernel is off by one, the gate takes its stack from a "
        "field that is 0, and the push goes to the end of the address space."
    )
    fix = (
        "Compare the TSS with SDM 3A figure 7-11: a reserved doubleword, RSP0 to RSP2, 8 reserved bytes, IST1 to IST7. "
        "Give its descriptor a limit of 0x67 or more and all pieces of the base."
    )
    source = "SDM 3A 7.2.2, 7.2.3, 7.7, 6.14.5"

    def __init__(self) -> None:
        super().__init__()
        self._told: set[str] = set()

    def settled(self, scene: Scene, tables: Tables) -> Findings:
        if tables.idt.kind is not Gate64 or _no_task_register(scene.now):
            return
        tss = tables.tss
        if tss.limit < _FULL_LIMIT:
            if "limit" not in self._told:
                self._told.add("limit")
                says = f"the limit of the TSS is {tss.limit:#x}; the TSS of 64-bit mode has 104 bytes, limit 0x67"
                yield self.found(scene, says, tables.gdt.base + (tss.selector & ~7), severity=Severity.WARNING)
            return
        if not isinstance(tss.tss, Tss64):
            return
        using: dict[int, list[int]] = {}
        for vector, gate in gates(tables):
            if isinstance(gate, Gate64) and gate.ist:
                using.setdefault(gate.ist, []).append(vector)
        for ist, vectors in using.items():
            pointer = tss.tss.ist[ist - 1]
            name = f"IST{ist}"
            slot = Slot(name, ist_offset(ist), ist)
            key = _key(tss.tss, slot)
            if key in self._told or (pointer and is_canonical(pointer)):
                continue
            self._told.add(key)
            says = f"{gate_list(vectors)} {name}, but {name} in the TSS is {pointer:#x}".removesuffix("x0")
            says += " and not canonical" * bool(pointer) + _hint(tss.tss, slot)
            yield self.found(scene, says, tss.base + slot.offset)

    def failed(self, scene: Scene, delivered: Delivered) -> Findings:
        slot, fault, tables = _slot(scene.now, delivered), delivered.fault, scene.now.tables
        if slot is None or fault is None or not _about_the_stack(delivered) or _no_task_register(scene.now):
            return
        tss, place = tables.tss, failed_check(delivered)
        if place is check.STACK_SELECT:
            key = "limit" if fault.cr2 is None else "base"
            why = (
                f"but {slot.name} reaches beyond the limit of the TSS, {tss.limit:#x}"
                if fault.cr2 is None
                else f"but the TSS at {tss.base:#x} is not mapped{_upper_half(scene.now, tss.base)}"
            )
            address = tables.gdt.base + (tss.selector & ~7)
        elif tss.tss is None or (not slot.ist and _misplaced(tss.tss, slot) is None):
            return
        else:
            key, address = _key(tss.tss, slot), tss.base + slot.offset
            why = _wrong_field(tables, slot, place)
        if key in self._told:
            return
        self._told.add(key)
        hint = "" if place is check.STACK_SELECT else _hint(tss.tss, slot)
        yield self.found(
            scene,
            f"{delivered.event.name} takes its stack from the TSS, {why}: {raised(fault)}{hint}",
            address,
            Note(f"{delivered.event.name} came here", interrupted_at(delivered, tables)),
        )


def _no_task_register(now: Situation) -> bool:
    return not now.registers.tr.selector & ~3


def _slot(now: Situation, delivered: Delivered) -> Slot | None:
    """The field that a delivery takes its stack from; None where it stays on the same one, or that is not known."""
    gate, tables, ring = delivered.gate, now.tables, delivered.origin.cpl
    if isinstance(gate, Gate64) and gate.ist:
        return Slot(f"IST{gate.ist}", ist_offset(gate.ist), gate.ist)
    if not isinstance(gate, Gate32 | Gate64):
        return None
    found = descriptor(tables, Selector(gate.selector))
    if found is None or not found.is_code or found.conforming or found.dpl >= ring or found.dpl > 2:
        return None
    if isinstance(gate, Gate64):
        return Slot(f"RSP{found.dpl}", rsp_offset(found.dpl), 0)
    if tables.tss.kind is not Tss32:
        return None
    return Slot(f"SS{found.dpl}:ESP{found.dpl}", 4 + 8 * found.dpl, 0)


def _about_the_stack(delivered: Delivered) -> bool:
    place = failed_check(delivered)
    return place is not None and (place.on_stack or place in _SELECTED)


def _wrong_field(tables: Tables, slot: Slot, place: check.Rule | None) -> str:
    """What stands in the field, and what is wrong with it."""
    tss = tables.tss.tss
    assert tss is not None
    if isinstance(tss, Tss64):
        pointer = _quad(tss, slot.offset)
        if not pointer:
            return f"but {slot.name} is 0"
        if not is_canonical(pointer):
            return f"but {slot.name} is {pointer:#x} and not canonical"
        return f"but {slot.name} is {pointer:#x}, where the frame cannot be written"
    esp, ss = _double(tss, slot.offset), _double(tss, slot.offset + 4) & 0xFFFF
    pair = f"but {slot.name} is {ss:#x}:{esp:#x}"
    if place is check.STACK_NULL:
        return f"{pair}, and SS0 must not be null"
    if place in _SELECTED:
        return f"{pair}, and {ss:#x} names no writable data segment of that ring in the GDT"
    return pair if not esp else f"{pair}, where the frame cannot be written"


def _misplaced(tss: object, slot: Slot) -> int | None:
    """How many bytes off the field a stack pointer lies that was meant for it; None: none does."""
    if isinstance(tss, Tss32):
        # A selector where a stack pointer should be, and what looks like one where the link should be.
        here, before = _double(tss, slot.offset), _double(tss, slot.offset - 4)
        return -4 if slot.offset == 4 and before >= _PAGE and here and here < _PAGE else None
    if not isinstance(tss, Tss64):
        return None
    pointer = _quad(tss, slot.offset)
    if pointer and is_canonical(pointer) and pointer & MASK32 >= _PAGE:
        return None
    halves = (8, -8) if _PAGE <= pointer & MASK32 < _UPPER else (-4, 4, 8, -8)
    for distance in halves:
        if slot.offset + distance >= 0 and _is_stack(_quad(tss, slot.offset + distance)):
            return distance
    return None


def _key(tss: object, slot: Slot) -> str:
    """What is told once: a field, or that all fields are some bytes off."""
    return "layout" if _misplaced(tss, slot) in (-4, 4) else slot.name


def _hint(tss: object, slot: Slot) -> str:
    """Where the stack pointer lies that was meant for the field."""
    distance = _misplaced(tss, slot)
    if distance is None or not isinstance(tss, Tss64 | Tss32):
        return ""
    offset = slot.offset + distance
    if isinstance(tss, Tss32):
        return f". {_double(tss, offset):#x} at offset {offset:#x} looks like it: is the link at offset 0 left out?"
    value = _quad(tss, offset)
    if slot.ist and distance in (8, -8):
        neighbour = slot.ist + distance // 8
        if 1 <= neighbour <= 7:
            return f". IST{neighbour} is {value:#x}: the interrupt stacks count from IST1, at offset 0x24"
    return (
        f". {value:#x} stands at offset {offset:#x} instead of {slot.offset:#x}: the fields are {distance:+} bytes off"
    )


def _is_stack(value: int) -> bool:
    """Whether a number looks like the top of a stack."""
    return is_canonical(value) and value & MASK32 >= _PAGE and not value & 7


def _quad(tss: Tss64, offset: int) -> int:
    return int.from_bytes(tss.encode()[offset : offset + 8], "little")


def _double(tss: object, offset: int) -> int:
    return int.from_bytes(tss.encode()[offset : offset + 4], "little") if isinstance(tss, Tss64 | Tss32) else 0


def _upper_half(now: Situation, base: int) -> str:
    """A hint for a kernel of the upper half whose TSS descriptor lacks its second half."""
    if base <= MASK32 and max(now.registers.gdtr.base, now.registers.idtr.base) >= _UPPER_HALF:
        return " (bits 63:32 of the base are 0, and the kernel's tables lie in the upper half)"
    return ""


RULES: tuple[type[Rule], ...] = (TssNotReady, TssLayout)
