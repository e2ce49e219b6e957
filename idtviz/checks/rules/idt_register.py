"""Bugs in what IDTR says: the limit of the IDT, and where it lies."""

from __future__ import annotations

from idtviz.checks.finding import Note, Severity
from idtviz.checks.rule import Findings, Rule
from idtviz.checks.rules.failures import (
    LONG_GATES,
    failed_check,
    gates,
    halted_at,
    interrupt_lines,
    number,
    raised,
    vector_name,
)
from idtviz.checks.scene import Scene
from idtviz.debugger.observing import Situation, Tables, interrupted_at
from idtviz.machine.delivery import rules as check
from idtviz.machine.delivery.event import Source
from idtviz.machine.events import Delivered, Halted, Happened
from idtviz.x86 import flags
from idtviz.x86.gates import Gate32, Gate64, IvtEntry
from idtviz.x86.vectors import VECTORS

_LEFT_BY_REAL_MODE = (0x3FF, 0xFFFF)
"""Limits of the IDTR with base 0 that a BIOS or a reset leaves (SDM 3A table 9-1)."""


class IdtLimit(Rule):
    id = "IDT001"
    title = "The limit of the IDT is not that of the table"
    bug_class = 15
    severity = Severity.ERROR
    why = (
        "LIDT takes a limit and a base. The limit is the offset of the table's last byte: a vector whose gate does not "
        "lie wholly within it does not exist, and its delivery ends in #GP with the vector in the error code. Where "
        "the limit was computed from the size of a pointer, or from the number of gates, that is so for all vectors "
        "or most of them, and also for #GP and #DF: the processor shuts down. A limit that is one too large (the size "
        "itself) breaks nothing, but the byte behind the table is none of it."
    )
    fix = (
        "Make the limit the table's size minus 1: 256 * 16 - 1 = 0xfff in long mode, 256 * 8 - 1 = 0x7ff in protected "
        "mode. In C that is `sizeof(idt) - 1` where `idt` is the array and not a pointer to it."
    )
    source = "SDM 3A 6.10, 6.14.1; SDM 2A LIDT"

    def __init__(self) -> None:
        self._told = False

    def happened(self, scene: Scene, event: Happened) -> Findings:
        if self._told or not isinstance(event, Delivered | Halted) or not own_idt(scene.now):
            return
        idt = scene.now.tables.idt
        rest = (idt.limit + 1) % idt.entry_size
        if not rest or (isinstance(event, Delivered) and event.fault is not None):
            return
        self._told = True
        whole = idt.limit + 1 - rest
        says = f"the limit of the IDT is {idt.limit:#x}, so it has {idt.limit + 1} bytes: that is no multiple of "
        says += f"{idt.entry_size}, the size of a gate"
        if rest == 1 and whole:
            says += (
                f". {idt.limit:#x} is the size of the table; the limit of {whole // idt.entry_size} gates is one less"
            )
        yield self.found(scene, says, idt.base, severity=Severity.WARNING)

    def failed(self, scene: Scene, delivered: Delivered) -> Findings:
        if self._told or failed_check(delivered) is not check.IDT_LIMIT or not own_idt(scene.now):
            return
        wrong = wrong_limit(scene.now, delivered.event.vector)
        if wrong is None:
            return
        assert delivered.fault is not None
        self._told = True
        idt, vector = scene.now.tables.idt, delivered.event.vector
        last = vector * idt.entry_size + idt.entry_size - 1
        yield self.found(
            scene,
            f"the limit of the IDT is {idt.limit:#x}: {wrong}. The gate of {vector_name(vector)} reaches to offset "
            f"{last:#x}, beyond the limit: {raised(delivered.fault)}",
            idt.base,
            Note(f"{delivered.event.name} came here", interrupted_at(delivered, scene.now.tables)),
        )


class NoIdt(Rule):
    id = "IDT008"
    title = "No IDT has been loaded"
    bug_class = None
    severity = Severity.ERROR
    why = (
        "Protected and long mode take their gates from where IDTR points. Until LIDT has been executed that is what "
        "real mode or the loader left: the interrupt vector table at address 0, whose entries are no gates, or a limit "
        "of 0 and no table at all. The first event (it may be the first interrupt after STI) cannot be delivered, nor "
        "can the #GP that this raises, nor the #DF: the processor shuts down."
    )
    fix = "Load an IDT of your own with LIDT, in front of the first STI, INT n or instruction that may fault."
    source = "SDM 3A 6.10, 9.8.2"

    def __init__(self) -> None:
        self._told = False
        self._had_one = False

    def tables(self, scene: Scene, tables: Tables) -> Findings:  # noqa: ARG002
        self._had_one |= _has_gates(tables)
        yield from ()

    def happened(self, scene: Scene, event: Happened) -> Findings:
        if scene.now.tables.idt.kind is IvtEntry:
            return
        waits = isinstance(event, Halted) and scene.now.registers.rflags & flags.IF
        if waits and not self._told and not own_idt(scene.now) and interrupt_lines(scene.now.pic):
            self._told = True
            yield self.found(
                scene,
                f"HLT waits for an interrupt with IF=1, but {_idtr(scene.now)}",
                halted_at(scene.now),
                severity=Severity.WARNING,
            )

    def failed(self, scene: Scene, delivered: Delivered) -> Findings:
        if self._told or own_idt(scene.now) or scene.now.tables.idt.kind is IvtEntry:
            return
        if self._had_one and delivered.event.source is not Source.EXTERNAL:
            return  # LIDT with limit 0 and a fault is how kernels reset a PC
        assert delivered.fault is not None
        self._told = True
        name = delivered.event.name
        yield self.found(
            scene,
            f"{name} cannot be delivered: {_idtr(scene.now)}",
            interrupted_at(delivered, scene.now.tables),
        )


class IdtNotMapped(Rule):
    id = "IDT010"
    title = "The IDT is not mapped"
    bug_class = None
    severity = Severity.ERROR
    why = (
        "IDTR holds a linear address, and it is translated by the page tables in use when an event comes, not by those "
        "in use at LIDT. When the page that holds the gate is not mapped, reading it is a page fault, whose own gate "
        "lies in the same table: #DF, and the shutdown. It happens when the IDT was loaded by its physical address and "
        "the identity mapping was taken away, or when a new CR3 does not map the kernel's data."
    )
    fix = "Load IDTR with an address that is mapped in every address space, behind the switch to the final page tables."
    source = "SDM 3A 6.10, 4.6.1"

    def failed(self, scene: Scene, delivered: Delivered) -> Findings:
        fault = delivered.fault
        if failed_check(delivered) is not check.IDT_READ or fault is None or not own_idt(scene.now):
            return
        idt = scene.now.tables.idt
        where = "not mapped" if fault.cr2 is not None else "not canonical"
        yield self.found(
            scene,
            f"IDTR points to {idt.base:#x}, and the gate of {vector_name(delivered.event.vector)} at "
            f"{idt.address(delivered.event.vector):#x} is {where}: {raised(fault)}",
            idt.base,
            Note(f"{delivered.event.name} came here", interrupted_at(delivered, scene.now.tables)),
        )


def own_idt(now: Situation) -> bool:
    """Whether IDTR holds a table that someone may have made for the processor's mode."""
    idt = now.tables.idt
    if idt.kind is IvtEntry:
        return False
    return bool(idt.limit) and (idt.base != 0 or idt.limit not in _LEFT_BY_REAL_MODE or _has_gates(now.tables))


def _has_gates(tables: Tables) -> bool:
    return any(True for _ in gates(tables))


def _idtr(now: Situation) -> str:
    idt = now.tables.idt
    if not idt.limit:
        return f"IDTR has limit 0 (base {idt.base:#x}): there is no IDT"
    return f"IDTR still holds base 0 and limit {idt.limit:#x}, the interrupt vector table of real mode"


def wrong_limit(now: Situation, vector: int) -> str | None:
    """Why the limit cannot be what was meant, where `vector` lies beyond it."""
    idt = now.tables.idt
    size, room = idt.entry_size, idt.limit + 1
    if room < size:
        pointer = ", the size of a pointer" if room in (4, 8) else ""
        pointer = ", the size of a pointer plus 1" if room in (5, 9) else pointer
        return f"{room} byte{'s' * (room != 1)}{pointer}, and one gate has {size}"
    if isinstance(gate := _missed(now), Gate32 | Gate64) and gate.present and not gate.s:
        valid = gate.type in (LONG_GATES if isinstance(gate, Gate64) else (0x5, 0x6, 0x7, 0xE, 0xF))
        if valid and gate.selector:
            there = f"a gate for vector {number(vector)} is there"
            return f"there is room for {room // size} gates, but the table goes on: {there}"
    if room == len(VECTORS) * Gate32.SIZE and size == Gate64.SIZE:
        return "there is room for 256 gates of 8 bytes, but for 128 of 16 bytes, as 64-bit mode has them"
    return f"{room} bytes are no multiple of {size}, the size of a gate" if room % size else None


def _missed(now: Situation) -> Gate32 | Gate64 | IvtEntry | None:
    kind = now.tables.idt.kind
    return kind.decode(now.missed) if len(now.missed) == kind.SIZE else None


RULES: tuple[type[Rule], ...] = (IdtLimit, NoIdt, IdtNotMapped)
