"""Bugs in how a handler uses the stack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from idtviz.checks.finding import Finding, Note, Severity
from idtviz.checks.rule import Findings, Rule
from idtviz.checks.rules import callees
from idtviz.checks.scene import Passage, Scene
from idtviz.checks.trail import same_context
from idtviz.debugger.observing import Instant
from idtviz.machine.events import Delivered
from idtviz.x86.frames import InterruptFrame

_STACK = 1 << 16
"""Bytes below a frame that are taken for the stack of its handler."""
_RED_ZONE = 128


class StackReentered(Rule):
    id = "STK008"
    title = "An IST stack is entered while a handler is still on it"
    bug_class = 23
    severity = Severity.ERROR
    why = (
        "A gate with an IST index makes the processor start at the top of that stack each time, even if a handler is "
        "on it: the new frame is written over that of the handler which was interrupted. Its IRET then returns to "
        "the wrong place, again and again. The same happens where the stacks of two IST entries overlap."
    )
    fix = (
        "Give the gate IST index 0 unless the handler must not trust the stack (#DF, NMI, #MC). Give each vector with "
        "an IST index a stack of its own, and let its handler raise nothing that enters the same stack."
    )
    source = "SDM 3A 6.14.5"

    def entered(self, scene: Scene, delivered: Delivered) -> Findings:
        new = delivered.frame
        if new is None or delivered.stack is None or not delivered.stack.startswith("tss.ist"):
            return
        origin = delivered.origin.rsp
        for outer in reversed(scene.passages[:-1]):
            frame = outer.frame
            if frame is None or not frame.address - _STACK < origin <= frame.address or _left_its_stack(outer):
                return  # what is further out is not what was interrupted, or was left without IRET
            if origin < new.address + new.size and new.address < frame.address + frame.size:
                yield self._finding(scene, delivered, new, outer, frame)
                return
            origin = outer.delivered.origin.rsp

    def _finding(
        self, scene: Scene, delivered: Delivered, new: InterruptFrame, outer: Passage, frame: InterruptFrame
    ) -> Finding:
        ist, on = _ist(delivered), _ist(outer.delivered)
        name, interrupted = delivered.event.name, outer.delivered.event.name
        overlap = new.address < frame.address + frame.size and frame.address < new.address + new.size
        first = "the first " * (name == interrupted) + interrupted
        lost = f"the frame of {first}" if overlap else f"what the handler of {interrupted} has on its stack"
        how = (
            f"{name} enters {ist} while the handler of {interrupted} is on it"
            if ist == on
            else f"{name} enters {ist}, which overlaps the stack that the handler of {interrupted} is on ({on})"
        )
        return self.found(
            scene,
            f"{how}: its frame, {new.address:#x} to {new.address + new.size - 1:#x}, overwrites {lost}",
            delivered.gate_address,
            Note(f"{name} came here", delivered.event.instruction_rip),
            Note(f"the handler of {interrupted} has still to return", outer.handler),
        )


def _left_its_stack(passage: Passage) -> bool:
    """Whether the handler was seen to load RSP with a value that RSP never had in it."""
    before: Instant | None = None
    had: set[int] = set()
    for instant in passage.instants:
        rsp = instant.registers.rsp
        mnemonic = "" if before is None or before.decoded is None else before.decoded.mnemonic
        far = before is not None and abs(rsp - before.registers.rsp) > _LOADED
        if far and rsp not in had and mnemonic not in _MOVES_RSP:
            return True
        had.add(rsp)
        before = instant
    return False


_MOVES_RSP = frozenset(("add", "sub", "and", "lea", "enter", "leave", "ret"))
"""What moves RSP on the stack on which it is."""
_LOADED = 128
"""Bytes; PUSHA, POPA and the like move RSP by less."""


def _ist(delivered: Delivered) -> str:
    stack = delivered.stack or "same"
    return stack.removeprefix("tss.").upper() if stack.startswith("tss.") else "the stack"


@dataclass(slots=True)
class _Overwritten:
    """Bytes below the stack pointer of code that was interrupted, and what is still to be seen of that code."""

    passage: Passage
    outer: int
    """How many handlers were running when it was interrupted."""
    seen: int
    """The instruction up to which every one of it was looked at: one that was not may have written anew."""
    by: dict[int, str] = field(default_factory=dict)
    """What overwrote each byte."""


class RedZone(Rule):
    id = "STK009"
    title = "Interrupted kernel code keeps values below its stack pointer"
    bug_class = 26
    severity = Severity.ERROR
    why = (
        "The System V ABI gives a 64-bit function the 128 bytes below RSP, the red zone: one that calls no other keeps "
        "its local variables there without moving RSP. An interrupt in ring 0 pushes its frame onto the same stack, "
        "over them. One sees a local variable change by itself, in a function that nobody else touches."
    )
    fix = 'Compile everything that runs in ring 0 with -mno-red-zone (Rust: "disable-redzone": true in the target).'
    source = "System V ABI 3.2.2; SDM 3A 6.14.2"

    def __init__(self) -> None:
        self._watched: list[_Overwritten] = []

    def left(self, scene: Scene, passage: Passage) -> Findings:
        frame, delivered = passage.frame, passage.delivered
        self._watched = [it for it in self._watched if it.outer <= len(scene.passages)]
        for watched in self._watched:
            if watched.outer == len(scene.passages) and delivered.instruction - watched.seen <= 1:
                watched.seen = scene.moment.instruction
        if frame is None or delivered.stack != "same" or delivered.origin.mode != "long" or not same_context(passage):
            return
        rsp = delivered.origin.rsp
        zone = range(rsp - _RED_ZONE, rsp)
        by: dict[int, str] = {}
        for start, size, what in _written(passage):
            by |= dict.fromkeys(range(max(start, zone.start), min(start + size, zone.stop)), what)
        self._watched.append(_Overwritten(passage, len(scene.passages), scene.moment.instruction, by))
        yield from ()

    def instant(self, scene: Scene, instant: Instant) -> Findings:
        for watched in [it for it in self._watched if it.outer == len(scene.passages)]:
            rsp = instant.registers.rsp
            missed = instant.moment.instruction - watched.seen > 1
            far = not -_STACK < rsp - watched.passage.delivered.origin.rsp < _STACK
            if instant.registers.mode != "long" or missed or far:
                self._watched.remove(watched)
                continue
            watched.seen = instant.moment.instruction
            for operand in instant.operands:
                read = range(operand.address, operand.address + operand.size)
                if (operand.modify or not operand.write) and read.start < rsp:
                    lost = next((address for address in read if address in watched.by and address < rsp), None)
                    if lost is not None:
                        yield self._finding(scene, instant, watched, lost)
                        self._watched.remove(watched)
                        break
                if operand.write:
                    for address in read:
                        watched.by.pop(address, None)

    def _finding(self, scene: Scene, instant: Instant, watched: _Overwritten, lost: int) -> Finding:
        delivered = watched.passage.delivered
        below = instant.registers.rsp - lost
        return self.found(
            scene,
            f"{scene.name(instant.address)} reads a value {below} bytes below RSP, in the red zone, where "
            f"{delivered.event.name} has meanwhile written {watched.by[lost]}: in ring {delivered.origin.cpl} "
            "interrupts use the same stack",
            instant.address,
            Note(f"{delivered.event.name} came here", delivered.event.rip),
        )


def _written(passage: Passage) -> Iterator[tuple[int, int, str]]:
    """What a delivery, its handler and those that interrupted it wrote: address, bytes, in words."""
    for instant in passage.instants:
        for operand in instant.operands:
            if operand.write:
                yield operand.address, operand.size, "what its handler wrote"
    for nested in passage.nested:
        yield from _written(nested)
    frame = passage.frame
    if frame is not None:
        for word in frame.words:
            yield word.address, word.size, f"the {word.name} of its frame"


RULES: tuple[type[Rule], ...] = (*callees.RULES, StackReentered, RedZone)
