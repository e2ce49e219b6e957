"""The rules over a run in the harness's world: it is known there what is not in the file, and who it was."""

from __future__ import annotations

from collections.abc import Iterator

from idtviz.checks.examination import Examination
from idtviz.checks.finding import Finding
from idtviz.checks.rule import Rule
from idtviz.checks.rules.segment_registers import SwapGs
from idtviz.checks.scene import Passage
from idtviz.debugger.observing import Instant, Observations
from idtviz.debugger.symbols import Symbols
from idtviz.lab.harness.standing_in import moved_to_calls
from idtviz.lab.harness.world import KERNEL_GS
from idtviz.machine.events import Delivered
from idtviz.machine.objects import LoadedObject

_LEFT_TO_CALLEES = frozenset(("PIC001", "PIC002", "PIC006", "DEV001"))
"""What a function that is not there may have done: to send EOI, to read the device."""
_LAPIC_EOI = 0xFEE0_00B0


class HandlerExamination(Examination):
    """What stands in for a function is blamed on the call of it, and what such a function may have done on nobody."""

    def __init__(self, loaded: LoadedObject, observations: Observations, symbols: Symbols, *more: Rule) -> None:
        super().__init__(observations, symbols, (*more, _SwapGs()), frozenset(loaded.slots))
        self._loaded = loaded
        self._passage: Passage | None = None
        """The way through the handler that is tried."""
        self._passed_on = False

    def _instant(self, instant: Instant) -> None:
        self._passed_on |= instant.address in self._loaded.slots or _tells_local_apic(instant)
        super()._instant(instant)

    def _delivered(self, event: Delivered) -> None:
        super()._delivered(event)
        if self._passage is None and self._scene.passages:
            self._passage = self._scene.passages[0]

    def _gather(self, findings: Iterator[Finding]) -> None:
        kept = (each for each in findings if not (self._passed_on and each.rule in _LEFT_TO_CALLEES))
        super()._gather(moved_to_calls(each, self._passage, self._loaded) for each in kept)


class _SwapGs(SwapGs):
    """The rule that learns which GS.base is the kernel's knows it from the start."""

    def __init__(self) -> None:
        super().__init__()
        self._kernel.add(KERNEL_GS)


def _tells_local_apic(instant: Instant) -> bool:
    """Whether it writes to the local APIC: the handler is not one of the 8259 pair, which it is tried on."""
    return any(operand.write and operand.address & ~0xF == _LAPIC_EOI for operand in instant.operands)
