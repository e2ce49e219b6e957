"""Bugs in what a handler does to DS, ES, FS and GS, and to the base of GS."""

from __future__ import annotations

from collections.abc import Iterator

from idtviz.checks.finding import Note, Severity
from idtviz.checks.rule import Findings, Rule
from idtviz.checks.scene import Passage, Scene
from idtviz.checks.trail import asked_for, changer, executed, listed, on_its_stack, same_context
from idtviz.debugger.observing import Instant
from idtviz.machine.registers import Registers, Segment
from idtviz.x86 import control
from idtviz.x86.selectors import Selector

_USER = 3


class SegmentNotSaved(Rule):
    id = "REG003"
    title = "A handler does not give back a data segment register"
    bug_class = 28
    severity = Severity.ERROR
    why = (
        "The frame holds CS and SS; DS, ES, FS and GS are as the handler leaves them. Where IRET goes to an outer "
        "ring, it makes null each of them that holds a segment of an inner one (DPL less than the new CPL), and the "
        "next access through it is #GP(0). In 64-bit mode only FS and GS matter, by their bases: a thread looks for "
        "its local storage somewhere else. One sees the fault far from any interrupt."
    )
    fix = (
        "Push the segment register before the handler loads it, and pop it in front of IRET. In 64-bit mode do not "
        "load FS or GS at all, for that changes their bases: use SWAPGS for GS, and if FS.base has to change read "
        "IA32_FS_BASE first and write it back."
    )
    source = "SDM 2A IRET; SDM 3A 3.4.4, 6.12.1"

    def __init__(self) -> None:
        self._told: set[tuple[int, str]] = set()

    def left(self, scene: Scene, passage: Passage) -> Findings:
        if not same_context(passage) or "vm86" in (passage.delivered.origin.mode, _behind(passage).mode):
            return
        loads: dict[str, Instant | None] = {}
        for name in _changed_segments(passage):
            if (passage.handler, name) in self._told or (asked_for(passage) and not _made_null(passage, name)):
                continue
            load = changer(passage, lambda at, name=name: _segment_identity(at, name), before_iret=True)  # type: ignore[misc]
            if load is not None or not passage.whole:
                loads[name] = load
        if not loads:
            return
        self._told |= {(passage.handler, name) for name in loads}
        first = next(iter(loads))
        yield self.found(
            scene,
            f"the handler of {passage.delivered.event.name} does not give back "
            f"{listed(name.upper() for name in loads)}: {_segment_change(passage, first)}",
            next((load.address for load in loads.values() if load is not None), passage.handler),
            *(
                Note(f"{name.upper()} is changed here", load.address)
                for name, load in loads.items()
                if load is not None
            ),
        )


def _changed_segments(passage: Passage) -> Iterator[str]:
    """The data segment registers that a program finds changed, in a way that matters to it."""
    before, behind = passage.entry.registers, _behind(passage)
    for name in ("ds", "es", "fs", "gs"):
        exchanged = name == "gs" and _exchanged(passage)  # by SWAPGS: REG004
        matters = behind.mode != "long" or name in ("fs", "gs")
        if matters and not exchanged and _segment_identity(before, name, behind) != _segment_identity(behind, name):
            yield name


def _segment_identity(at: Registers, name: str, seen_by: Registers | None = None) -> tuple[int, int]:
    """What counts of a segment register: in 64-bit mode its base, else what it names and, in real mode, where."""
    segment: Segment = getattr(at, name)
    if (seen_by or at).mode == "long":
        return 0, segment.base
    return segment.selector, segment.base if at.efer & control.EFER_LMA else 0


def _made_null(passage: Passage, name: str) -> bool:
    """Whether the IRET has made the register null, for it held a segment of an inner ring."""
    if not passage.instants or not passage.whole or passage.returned is None:
        return False
    held: Segment = getattr(passage.instants[-1].registers, name)
    after: Segment = getattr(_behind(passage), name)
    outward = passage.returned.to.cpl > passage.returned.origin.cpl
    return outward and Selector(after.selector).null and not Selector(held.selector).null


def _segment_change(passage: Passage, name: str) -> str:
    before: Segment = getattr(passage.entry.registers, name)
    after: Segment = getattr(_behind(passage), name)
    title = name.upper()
    if _made_null(passage, name):
        held: Segment = getattr(passage.instants[-1].registers, name)
        cpl = _behind(passage).cpl
        return (
            f"{title} was {before.selector:#x}; the handler leaves {held.selector:#x}, a segment of DPL {held.dpl}, "
            f"and IRET to ring {cpl} makes that null"
        )
    if _behind(passage).mode == "long" or before.selector == after.selector:
        return f"{title}.base was {before.base:#x} and is {after.base:#x} behind IRET"
    return f"{title} was {before.selector:#x} and is {after.selector:#x} behind IRET"


class SwapGs(Rule):
    id = "REG004"
    title = "SWAPGS missing, or one too many"
    bug_class = 29
    severity = Severity.ERROR
    why = (
        "SWAPGS exchanges GS.base and IA32_KERNEL_GS_BASE, and nothing tells which of the two is the kernel's. A "
        "handler that was entered from ring 3 has to execute it once on its way in and once on its way out; a handler "
        "that was entered from ring 0 finds the kernel's GS.base in place and has to leave it there. With one too many "
        "or one too few the kernel looks for its data at ring 3's GS.base, often 0, and ring 3 gets the kernel's."
    )
    fix = (
        "Execute SWAPGS on the way in and in front of IRET, each time only if the RPL of the saved CS is 3: `test byte "
        "ptr [rsp + 8], 3` (`rsp + 16` above an error code, further up once registers are pushed). NMI and #MC can "
        "come in ring 0 in front of the kernel's own SWAPGS: their handlers have to look at GS.base (MSR 0xc0000101) "
        "instead."
    )
    source = "SDM 2B SWAPGS; SDM 3A 3.4.4"

    def __init__(self) -> None:
        self._kernel: set[int] = set()
        """Values of GS.base that are the kernel's: what SWAPGS brought into handlers entered from ring 3."""
        self._exchanging: set[int] = set()
        """The deliveries in whose handlers SWAPGS was seen."""
        self._told: set[int] = set()

    def instant(self, scene: Scene, instant: Instant) -> Findings:
        passage = scene.passages[-1] if scene.passages else None
        if passage is None or instant.decoded is None or instant.registers.mode != "long":
            return
        if not on_its_stack(passage, instant):
            return
        index, outer = passage.delivered.index, passage.delivered.origin.cpl == _USER
        base = instant.registers.gs.base
        if instant.decoded.mnemonic == "swapgs":
            if outer and index not in self._exchanging and passage.entry.kernel_gs_base != base:
                self._kernel.add(passage.entry.kernel_gs_base)
            if not outer and index not in self._exchanging and base in self._kernel:
                yield from self._one_too_many(scene, passage, instant)
            self._exchanging.add(index)
        elif outer and index not in self._exchanging and any(it.segment == "gs" for it in instant.operands):
            kernel = passage.entry.kernel_gs_base
            if kernel and base == passage.entry.registers.gs.base != kernel:
                self._told.add(passage.handler)
                yield self.found(
                    scene,
                    f"the handler of {passage.delivered.event.name} was entered from ring 3 and uses GS before SWAPGS: "
                    f"GS.base is ring 3's, {base:#x}, and the kernel's, {kernel:#x}, is still in IA32_KERNEL_GS_BASE",
                    instant.address,
                    Note("the handler begins here", passage.handler),
                )

    def _one_too_many(self, scene: Scene, passage: Passage, instant: Instant) -> Findings:
        self._told.add(passage.handler)
        ring = passage.delivered.origin.cpl
        yield self.found(
            scene,
            f"the handler of {passage.delivered.event.name} executes SWAPGS although it was entered from ring {ring}: "
            f"GS.base was the kernel's, {instant.registers.gs.base:#x}, and becomes ring 3's",
            instant.address,
            Note(f"the saved CS is {passage.delivered.origin.cs:#x}, RPL {ring}", passage.handler),
        )

    def left(self, scene: Scene, passage: Passage) -> Findings:
        returned = passage.returned
        if passage.handler in self._told or returned is None or _behind(passage).mode != "long":
            return
        if returned.to.cpl != passage.delivered.origin.cpl or not same_context(passage):
            return
        swaps = [it for it in executed(passage) if it.decoded is not None and it.decoded.mnemonic == "swapgs"]
        if not (len(swaps) % 2 if passage.whole else _exchanged(passage)):
            return
        self._told.add(passage.handler)
        before, behind = passage.entry.registers, _behind(passage)
        times = {0: "an odd number of times", 1: "once"}.get(len(swaps), f"{len(swaps)} times")
        yield self.found(
            scene,
            f"the handler of {passage.delivered.event.name} executes SWAPGS {times} between its entry from ring "
            f"{passage.delivered.origin.cpl} and its IRET back there, which takes an even number: GS.base was "
            f"{before.gs.base:#x} and is {behind.gs.base:#x}",
            swaps[-1].address if swaps else passage.handler,
        )


def _exchanged(passage: Passage) -> bool:
    """Whether GS.base and IA32_KERNEL_GS_BASE are the other way round behind the handler."""
    entry, after = passage.entry, passage.exit
    if after is None or entry.registers.gs.base == entry.kernel_gs_base:
        return False
    return (after.registers.gs.base, after.kernel_gs_base) == (entry.kernel_gs_base, entry.registers.gs.base)


def _behind(passage: Passage) -> Registers:
    """The registers behind the handler's IRET."""
    assert passage.exit is not None
    return passage.exit.registers


RULES: tuple[type[Rule], ...] = (SegmentNotSaved, SwapGs)
