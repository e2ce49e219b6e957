"""Segment registers that hold paragraphs: those of real-address and virtual-8086 mode (SDM 3B 20.1.1, 20.2.1)."""

from __future__ import annotations

from dataclasses import replace

from idtviz.machine.registers import Registers, Segment

VIRTUAL_LIMIT = 0xFFFF
"""The limit of every segment of virtual-8086 mode."""
_VIRTUAL_FLAGS = 0xF300


def paragraph(at: Registers, found: Segment, selector: int) -> Segment:
    """The register `found` when `selector` is loaded into it in the mode of `at`, real or virtual-8086.

    Real mode changes the base and leaves the limit as it was (SDM 3A 9.9.2); virtual-8086 mode has it always 64 KiB.
    """
    if at.mode == "vm86":
        return virtual_segment(selector)
    return replace(found, selector=selector, base=selector << 4)


def virtual_segment(selector: int) -> Segment:
    """A segment register of virtual-8086 mode: 64 KiB from sixteen times the selector, writable, DPL 3."""
    return Segment(selector, selector << 4, VIRTUAL_LIMIT, _VIRTUAL_FLAGS)
