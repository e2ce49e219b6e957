"""Bugs in what a handler does to the registers of the interrupted program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from idtviz.checks.finding import Finding, Note, Severity
from idtviz.checks.rule import Findings, Rule
from idtviz.checks.rules import segment_registers, stubs, vector_registers
from idtviz.checks.scene import Passage, Scene
from idtviz.checks.stub import Stub
from idtviz.checks.trail import (
    Fate,
    Trail,
    asked_for,
    general_name,
    listed_registers,
    on_its_stack,
    registers_in,
    same_context,
    trail,
)
from idtviz.debugger.observing import Instant
from idtviz.machine.decoding import code_bits
from idtviz.machine.delivery.event import PAGE_FAULT, Source
from idtviz.machine.events import Delivered
from idtviz.machine.registers import RSP, Registers
from idtviz.x86 import flags
from idtviz.x86.addresses import MASK32
from idtviz.x86.vectors import VECTORS, Kind

_SHOWN = 3
"""Notes about registers, at most."""


class RegisterNotSaved(Rule):
    id = "REG001"
    title = "A handler does not give back a general register"
    bug_class = 5
    severity = Severity.ERROR
    why = (
        "The processor saves RIP, CS, RFLAGS and, in 64-bit mode or with a change of ring, RSP and SS; every other "
        "register is as the handler leaves it. A program that is interrupted has called nobody and expects nothing to "
        "change: it goes on with another value in the middle of a computation. One sees wrong results now and then, "
        "for it depends on where the interrupt came."
    )
    fix = (
        "Push each register that the handler or what it calls may change, at its beginning, and pop them in the "
        "opposite order in front of IRET. A compiled function may change RAX, RCX, RDX, RSI, RDI and R8 to R11 (in "
        "32-bit code EAX, ECX and EDX): save all of those if the handler calls one."
    )
    source = "SDM 3A 6.12.1, 6.14.2; System V ABI 3.2.1 (i386: 2.2.1)"

    def __init__(self) -> None:
        self._judged: set[tuple[int, int]] = set()
        """Handlers, by address, and the registers that have been judged of them."""

    def left(self, scene: Scene, passage: Passage) -> Findings:
        if asked_for(passage) or not same_context(passage):
            return
        changed = [number for number in _changed_general(passage) if (passage.handler, number) not in self._judged]
        found: dict[int, Trail | None] = {}
        if passage.whole:
            found = {number: way for number in changed if (way := trail(passage, number)) is not None}
        elif passage.delivered.event.source in (Source.EXTERNAL, Source.NMI):
            found = dict.fromkeys(changed)
        self._judged |= {(passage.handler, number) for number in found}
        # What is written where a register was saved is meant for that register; STK005 sees where it is not.
        found = {number: way for number, way in found.items() if way is None or way.fate is not Fate.REWRITTEN}
        if found and not _repairs(passage, found):
            yield self._finding(scene, passage, found)

    def _finding(self, scene: Scene, passage: Passage, found: Mapping[int, Trail | None]) -> Finding:
        before, behind = passage.entry.registers, _behind(passage)
        names = {number: general_name(number, behind.mode) for number in found}
        ways = {number: way for number, way in found.items() if way is not None}
        mixed_up = len(found) > 1 and all(way is not None and way.other is not None for way in found.values())
        does = "restores" if mixed_up else "does not give back"
        order = " in the wrong order" * mixed_up
        first = next(iter(found))
        return self.found(
            scene,
            f"the handler of {passage.delivered.event.name} {does} {listed_registers(names.values())}{order}: "
            f"{names[first]} was {_general(before, first):#x} and is {_general(behind, first):#x} behind IRET",
            next((way.at.address for way in ways.values()), passage.handler),
            *_notes(ways, names, behind.mode)[:_SHOWN],
        )


def _notes(ways: Mapping[int, Trail], names: Mapping[int, str], mode: str) -> list[Note]:
    """What has become of each register, those that one instruction changes together."""
    changed: dict[int, list[str]] = {}
    notes: dict[int, Note] = {}
    for number, way in ways.items():
        at = way.at.address
        if way.other is not None:
            notes[at] = Note(f"{names[number]} is given the value of {general_name(way.other, mode)} here", at)
            continue
        together = changed.setdefault(at, [])
        together.append(names[number])
        whose = "its value" if len(together) == 1 else "their values"
        are = "is" if len(together) == 1 else "are"
        text = f"{listed_registers(together)} {are} changed here, and nothing brings {whose} back"
        notes[at] = Note(text, at)
    return list(notes.values())


def _changed_general(passage: Passage) -> Iterator[int]:
    """The general registers that a program finds changed. RSP is none of them: IRET loads it or moves it."""
    before, behind = passage.entry.registers, _behind(passage)
    for number in range(16 if behind.mode == "long" else 8):
        if number != RSP and _general(before, number, behind) != _general(behind, number):
            yield number


def _general(at: Registers, number: int, seen_by: Registers | None = None) -> int:
    """A general register, as wide as code of that mode sees it."""
    value = at.general[number]
    return value if (seen_by or at).mode == "long" else value & MASK32


def _repairs(passage: Passage, found: Mapping[int, Trail | None]) -> bool:
    """Whether the handler of a fault has changed nothing but operands of the instruction that is done again.

    With a page fault only those that make up an address: what is repaired else is the page tables.
    """
    event = passage.delivered.event
    if event.source is not Source.EXCEPTION or VECTORS[event.vector].kind is not Kind.FAULT:
        return False
    bits = code_bits(_behind(passage))
    return set(found) <= registers_in(passage.entry.code, bits, addresses=event.vector == PAGE_FAULT)


class DirectionFlag(Rule):
    id = "REG002"
    title = "A handler takes over the direction flag of the interrupted program"
    bug_class = 27
    severity = Severity.ERROR
    why = (
        "Delivery does not change RFLAGS.DF. Where the interrupted program has set it, for a copy from high addresses "
        "to low ones, MOVS, STOS, LODS, SCAS, CMPS, INS and OUTS run backwards in the handler too: REP STOSB clears "
        "what lies below the buffer. Compiled functions rely on DF=0 at every call. One sees memory overwritten that "
        "the handler has nothing to do with, and only where the interrupt came during such a copy."
    )
    fix = "Put CLD at the beginning of the handler, in front of its first string instruction and its first call."
    source = "SDM 1 3.4.3.2; SDM 2A INT n; System V ABI 3.2.1"

    def __init__(self) -> None:
        self._inherited: dict[int, Instant | None] = {}
        """The deliveries whose handlers still have the interrupted program's DF=1, each with its first CALL."""
        self._told: set[int] = set()

    def entered(self, scene: Scene, delivered: Delivered) -> Findings:
        if scene.now.registers.rflags & flags.DF and delivered.frame is not None:
            self._inherited[delivered.index] = None
        yield from ()

    def instant(self, scene: Scene, instant: Instant) -> Findings:
        passage = scene.passages[-1] if scene.passages and self._inherited else None
        if passage is None or instant.decoded is None or passage.delivered.index not in self._inherited:
            return
        index, mnemonic = passage.delivered.index, instant.decoded.mnemonic
        if not instant.registers.rflags & flags.DF or mnemonic == "std" or not on_its_stack(passage, instant):
            del self._inherited[index]
        elif _is_string(instant) and instant.operands:
            del self._inherited[index]
            self._told.add(passage.handler)
            what = f"{'REP ' if instant.decoded.repeats else ''}{mnemonic.upper()}"
            yield self.found(
                scene,
                f"the handler of {passage.delivered.event.name} executes {what} with the interrupted program's DF=1: "
                "it runs from high addresses to low ones",
                instant.address,
                Note(f"there is no CLD between here and {what}", passage.handler),
            )
        elif mnemonic.startswith("call"):
            self._inherited[index] = self._inherited[index] or instant

    def left(self, scene: Scene, passage: Passage) -> Findings:
        call = self._inherited.pop(passage.delivered.index, None)
        if call is None or passage.handler in self._told or not passage.whole:
            return
        calls = (made for made in passage.calls if made.at.registers.rflags & flags.DF)
        if scene.is_compiled(call.address) and all(map(scene.is_seen_whole, calls)):
            return  # the compiler knows that what it calls has no use for DF
        self._told.add(passage.handler)
        yield self.found(
            scene,
            f"the handler of {passage.delivered.event.name} makes a call with the interrupted program's DF=1: a "
            "compiled function expects DF=0, and its string instructions would run backwards",
            call.address,
            Note("there is no CLD between here and the call", passage.handler),
            severity=Severity.WARNING,
        )

    def stub(self, stub: Stub) -> Findings:
        yield from stubs.string_without_cld(self, stub)


_STRINGS = frozenset((*range(0xA4, 0xA8), *range(0xAA, 0xB0), *range(0x6C, 0x70)))
"""Opcodes of MOVS, CMPS, STOS, LODS, SCAS, INS and OUTS."""
_PREFIXES = frozenset((0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3))


def _is_string(instant: Instant) -> bool:
    opcode: Sequence[int] = instant.raw
    while opcode and (opcode[0] in _PREFIXES or (instant.registers.mode == "long" and opcode[0] >> 4 == 4)):
        opcode = opcode[1:]
    return bool(opcode) and opcode[0] in _STRINGS


def _behind(passage: Passage) -> Registers:
    """The registers behind the handler's IRET."""
    assert passage.exit is not None
    return passage.exit.registers


RULES: tuple[type[Rule], ...] = (RegisterNotSaved, DirectionFlag, *segment_registers.RULES, *vector_registers.RULES)
