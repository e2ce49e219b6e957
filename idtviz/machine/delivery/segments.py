"""Descriptor tables and segment registers, as every delivery, return, far transfer and task switch uses them."""

from __future__ import annotations

from idtviz.machine.delivery.procedure import Procedure
from idtviz.machine.delivery.rules import Rule
from idtviz.machine.registers import Registers, Segment
from idtviz.x86.addresses import MASK64
from idtviz.x86.descriptors import SegmentDescriptor
from idtviz.x86.selectors import Selector


def descriptor_table(at: Registers, selector: Selector) -> tuple[int, int | None, str]:
    """Base, limit (None: no LDT is loaded) and name of the table that `selector` names."""
    if not selector.ti:
        return at.gdtr.base, at.gdtr.limit, "GDT"
    usable = at.ldtr.selector & ~3 and at.ldtr.present
    return at.ldtr.base, at.ldtr.limit if usable else None, "LDT"


def segment(selector: int, descriptor: SegmentDescriptor) -> Segment:
    """The segment register that loading `descriptor` leaves, accessed bit set."""
    high = (descriptor.value | _ACCESSED) >> 32 & 0x00F0FF00
    return Segment(selector, descriptor.base, descriptor.byte_limit, high)


def mark_accessed(procedure: Procedure, rule: Rule, text: str, descriptor: SegmentDescriptor, address: int) -> None:
    """Set the accessed bit of the descriptor in its table, if it is clear (SDM 3A 3.4.5.1)."""
    if not descriptor.accessed:
        procedure.write(rule, text, (address + 5) & MASK64, (descriptor.value | _ACCESSED) >> 40 & 0xFF, 1)


def is_inner(found: Segment, cpl: int) -> bool:
    """Whether a data-segment register may not be kept at `cpl`: its DPL is lower, and it is not conforming code."""
    conforming = found.flags & 0x1C00 == 0x1C00
    return found.dpl < cpl and not conforming


def compare(left: int, relation: str, right: int) -> str:
    """`left` against `right` in words: the relation that holds, `≤` or `≥` where it is that one, else its opposite."""
    holds = left <= right if relation == "≤" else left >= right
    opposite = {"≤": ">", "≥": "<"}[relation]
    return f"{left:#x} {relation if holds else opposite} {right:#x}"


DATA_SEGMENTS = ("es", "ds", "fs", "gs")
_ACCESSED = 1 << 40
