"""What the rules over tables share: why a delivery failed, when tables have to be right, and lists in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from idtviz.checks.rule import Findings, Rule
from idtviz.checks.scene import Scene
from idtviz.debugger.observing import Situation, Tables
from idtviz.debugger.tables import Descriptor
from idtviz.machine.chips.pic import CASCADE, PicPairState
from idtviz.machine.chips.pic8259 import InitState, Pic8259State
from idtviz.machine.delivery.event import Fault, Source
from idtviz.machine.delivery.rules import Rule as Check
from idtviz.machine.events import Delivered, Halted, Happened
from idtviz.x86 import flags
from idtviz.x86.descriptors import SegmentDescriptor
from idtviz.x86.error_codes import SelectorErrorCode
from idtviz.x86.gates import Gate32, Gate64, IvtEntry
from idtviz.x86.selectors import Selector
from idtviz.x86.vectors import VECTORS

EXCEPTIONS = 32
"""Vectors below this belong to exceptions and NMI (SDM 3A 6.3)."""

PROTECTED_GATES = (0x6, 0x7, 0xE, 0xF)
"""Types of gates that lead to a handler in protected mode; a task gate leads to a task."""
LONG_GATES = (0xE, 0xF)


class SettledRule(Rule):
    """A rule that looks at tables once they have to be right.

    Kernels fill their tables in some order, and try out the first gates before the last ones are filled. So a table as
    a whole is looked at when an interrupt comes from outside, when ring 3 has been running, or when HLT waits with
    IF=1.
    """

    again_with_controllers: ClassVar[bool] = False
    """Whether it also depends on the interrupt controllers."""

    def __init__(self) -> None:
        self._seen: tuple[Tables, PicPairState | None] | None = None

    def happened(self, scene: Scene, event: Happened) -> Findings:
        if not isinstance(event, Delivered | Halted) or scene.now.tables.idt.kind is IvtEntry:
            return
        if not _settled(scene, event):
            return
        tables, pic = scene.now.tables, scene.now.pic if self.again_with_controllers else None
        if self._seen is None or self._seen[0] is not tables or self._seen[1] != pic:
            self._seen = tables, pic
            yield from self.settled(scene, tables)

    def settled(self, scene: Scene, tables: Tables) -> Findings:
        """The tables have to be right by now."""
        raise NotImplementedError


def _settled(scene: Scene, event: Delivered | Halted) -> bool:
    if isinstance(event, Halted):
        return bool(scene.now.registers.rflags & flags.IF)
    # Where a delivery fails, `failed` says what it met; that is the better place.
    return event.fault is None and (event.event.source is Source.EXTERNAL or event.origin.cpl == 3)


def halted_at(now: Situation) -> int:
    """The HLT that the processor has just executed: one byte, behind any prefixes."""
    return now.registers.linear_rip - 1


def failed_check(delivered: Delivered) -> Check | None:
    """The check of a delivery that failed; None where it is not known."""
    return delivered.steps[-1].rule if delivered.fault is not None and delivered.steps else None


def raised(fault: Fault) -> str:
    """What a delivery ended in, with the error code in words: `#GP(0x402), that is vector 0x80 × 8 + 2 (IDT)`."""
    code = SelectorErrorCode(fault.error_code)
    if fault.cr2 is not None:
        return f"{fault.name} at {fault.cr2:#x}"
    if not fault.error_code:
        return f"{fault.name}(0)"
    bits = " + 1 (EXT)" if code.ext else ""
    if code.idt:
        return f"{fault.name}({fault.error_code:#x}), that is vector {number(code.index)} × 8 + 2 (IDT){bits}"
    return f"{fault.name}({fault.error_code:#x})" + (f", that is selector {code.selector.value:#x}{bits}" * code.ext)


def number(vector: int) -> str:
    """A vector as one speaks of it: exceptions in decimal, the others in hexadecimal."""
    return str(vector) if vector < EXCEPTIONS else f"{vector:#x}"


def vector_name(vector: int) -> str:
    """`#PF (vector 14)`, `vector 0x80`."""
    return f"{VECTORS[vector].mnemonic} (vector {vector})" if vector < EXCEPTIONS else f"vector {vector:#x}"


def vector_list(vectors: Iterable[int]) -> str:
    """`vector 0x80`, `vectors 0 to 14, 0x20 and 0x80`."""
    found = sorted(vectors)
    runs: list[list[int]] = []
    for vector in found:
        if runs and vector == runs[-1][-1] + 1:
            runs[-1].append(vector)
        else:
            runs.append([vector])
    texts: list[str] = []
    for run in runs:
        texts += [f"{number(run[0])} to {number(run[-1])}"] if len(run) > 2 else map(number, run)
    words = texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
    return f"vector{'s' * (len(found) > 1)} {words}"


def gate_list(vectors: Iterable[int]) -> str:
    """`the gate of vector 0x80 names`, `the gates of vectors 0 to 31 name`."""
    found = list(vectors)
    return f"the gate of {vector_list(found)} names" if len(found) == 1 else f"the gates of {vector_list(found)} name"


def gates(tables: Tables) -> Iterator[tuple[int, Gate32 | Gate64]]:
    """Each present gate that leads to a handler, with its vector."""
    for vector, gate in enumerate(tables.idt.gates[: len(VECTORS)]):
        if isinstance(gate, IvtEntry) or not gate.present or gate.s:
            continue
        if gate.type in (LONG_GATES if isinstance(gate, Gate64) else PROTECTED_GATES):
            yield vector, gate


def descriptor(tables: Tables, selector: Selector) -> Descriptor | None:
    """What the processor finds where `selector` points; None: not within the table, or not known.

    It takes the eight bytes there, whether they are a descriptor's first or last ones.
    """
    table = tables.ldt if selector.ti else tables.gdt
    if table is None or table.raw is None or selector.null or selector.offset + 7 > table.limit:
        return None
    found = table.find(selector)
    if found is not None:
        return found
    raw = table.raw[selector.offset : selector.offset + SegmentDescriptor.SIZE]
    return SegmentDescriptor.decode(raw) if len(raw) == SegmentDescriptor.SIZE else None


def code_segment(kind: str) -> str:
    """The kind of a descriptor of code in words: `a 64-bit code segment`."""
    bits = kind.removeprefix("code")
    return (
        f"a {bits}-bit code segment" if bits.isdigit() else f"a code segment with {bits.partition('(')[2].rstrip(')')}"
    )


def beyond(tables: Tables, selector: Selector) -> bool:
    """Whether `selector` lies beyond the limit of its table, or its table is not loaded."""
    table = tables.ldt if selector.ti else tables.gdt
    return table is None or selector.offset + 7 > table.limit


def interrupt_lines(pic: PicPairState) -> Mapping[int, int]:
    """The vectors that the two 8259s answer with as they are programmed, and the IRQ of each that is not masked."""
    found: dict[int, int] = {}
    master, slave = pic.master, pic.slave
    if _ready(master):
        for line in range(8):
            if not master.slaves >> line & 1 and not master.imr >> line & 1:
                found[master.vector(line)] = line
    cascaded = master.slaves >> CASCADE & 1 and not master.imr >> CASCADE & 1
    if _ready(master) and _ready(slave) and cascaded:
        for line in range(8):
            if not slave.imr >> line & 1:
                found.setdefault(slave.vector(line), 8 + line)
    return found


def _ready(chip: Pic8259State) -> bool:
    return chip.init_state is InitState.READY
