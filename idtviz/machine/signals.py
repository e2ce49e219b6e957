"""Whom the board tells what: the processor's pins, and what a person would want to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def ignore(*_what: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Signals:
    """The wires that leave the board. One that is not given leads nowhere."""

    on_line: Callable[[int, bool], None] = ignore
    """Each edge of an interrupt request line: IRQ, level."""
    on_eoi: Callable[[str, int], None] = ignore
    """Each EOI of an 8259: its name, and the IRQ that it ended (-1: none)."""
    on_lapic_eoi: Callable[[int | None, int | None], None] = ignore
    """Each EOI of the local APIC: the vector and the IRQ that it ended, as far as there were any."""
    on_empty: Callable[[str, int], None] = ignore
    """An access that no chip answers: "port" or "memory", and the port or physical address."""
    on_note: Callable[[str], None] = ignore
    """What the running code wanted, and cannot have here."""
    on_nmi: Callable[[], None] = ignore
    on_a20: Callable[[bool], None] = ignore
    """The level of A20."""
    on_off: Callable[[str], None] = ignore
    """The guest has reset the machine or switched it off: how, as a sentence."""
