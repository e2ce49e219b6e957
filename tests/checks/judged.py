"""What the rules find when a few instructions run in one of the oracle's worlds."""

from __future__ import annotations

from dataclasses import replace

from idtviz.checks.examination import Examination
from idtviz.checks.finding import Finding
from idtviz.debugger.observing import Observations
from idtviz.debugger.symbols import Symbols
from idtviz.machine.events import Happened
from idtviz.machine.registers import Segment
from tests.machine.bare import Watched, bare, remap
from tests.oracle.long_mode import LongModeWorld
from tests.oracle.protected_mode import ProtectedModeWorld

INT80 = bytes.fromhex("cd80")
INT3 = b"\xcc"
UD2 = bytes.fromhex("0f0b")
PUSH = b"\x50"
WAIT = bytes.fromhex("fb f4")  # sti; hlt
RETURN = bytes.fromhex("48cf")
"""iretq"""

GOOD = LongModeWorld().with_gate(8, ist=1)
"""All 256 gates, a TSS with all its stacks: nothing wrong."""
GOOD32 = ProtectedModeWorld()


def findings(
    world: LongModeWorld | ProtectedModeWorld,
    handlers: dict[int, bytes] | None = None,
    *,
    irq: int | None = None,
    **held: Segment,
) -> list[Finding]:
    """Run 30 instructions of `world`, with the request of IRQ `irq` behind the first one, and all lines of the master
    8259 open. `held`: segment registers that hold something else than the world's tables say.
    """
    watched: Watched = bare(world, handlers)
    watched.machine.cpu.load(replace(watched.machine.cpu.registers(), **held))
    if irq is not None:
        remap(watched, unmasked=0xFB)
    machine, observed = watched.machine, Observations()

    def happened(event: Happened) -> None:
        observed.happened(event, machine)

    machine.on_event = happened
    if irq is not None:
        watched.step_to(1)
        machine.raise_irq(irq)
    watched.step_to(30)
    return list(Examination(observed, Symbols()).go_on())


def said(
    world: LongModeWorld | ProtectedModeWorld,
    handlers: dict[int, bytes] | None = None,
    *,
    irq: int | None = None,
    **held: Segment,
) -> dict[str, str]:
    """The messages of the findings about tables, by rule; a rule that speaks twice is an error."""
    found = [item for item in findings(world, handlers, irq=irq, **held) if item.rule.startswith(("IDT", "GDT", "TSS"))]
    assert len({item.rule for item in found}) == len(found), [item.message for item in found]
    return {item.rule: item.message for item in found}
