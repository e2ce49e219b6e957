"""What is noted of a run for those who judge it: the machine behind each event, and instructions one by one.

A handler is looked at instruction by instruction the first times that it is entered from a ring, and so is what goes on
behind its IRET: the same in a run and in single steps, for a run then makes single steps.
"""

from __future__ import annotations

import bisect
import copy
from collections import Counter
from dataclasses import dataclass, replace

from idtviz.debugger.moment import Moment
from idtviz.debugger.tables import DescriptorTableView, IdtView, TssView, gdt_view, idt_view, ldt_view, tss_view
from idtviz.machine import instructions
from idtviz.machine.chips.keyboard import KeyboardState
from idtviz.machine.chips.lapic_state import LapicState
from idtviz.machine.chips.pic import PicPairState
from idtviz.machine.decoding import Decoded, code_bits, decode
from idtviz.machine.delivery.rules import IDT_LIMIT
from idtviz.machine.events import Delivered, Halted, Happened, Returned, ShutDown
from idtviz.machine.handlers import Live
from idtviz.machine.memory import LinearMemory
from idtviz.machine.operands import Operand, operands_of
from idtviz.machine.pc import Machine
from idtviz.machine.registers import Registers, VectorRegisters
from idtviz.x86.addresses import MASK32
from idtviz.x86.descriptors import SegmentDescriptor
from idtviz.x86.selectors import Selector

PASSAGES = 2
"""How often a handler is looked at closely, for each vector and each ring that it is entered from."""
CLOSELY = 2000
"""Instructions behind the entry of a handler that are looked at, those of what it calls included."""
BEHIND = 60
"""Instructions behind its IRET that are looked at."""
PATIENCE = 200_000
"""Instructions without an event, after which a handler that is still running is looked at."""
AT_LAST = 600
"""How many of them then."""
_NEVER = 1 << 63
_MOST_INSTANTS = 20_000
_MOST_SITUATIONS = 5000
"""Instants and situations are not kept beyond these: what is wrong with a handler shows by then."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What IDTR, GDTR, LDTR and TR name."""

    idt: IdtView
    gdt: DescriptorTableView
    ldt: DescriptorTableView | None
    tss: TssView


@dataclass(frozen=True, slots=True)
class Situation:
    """The machine behind an event.

    `code` is what stands at the instruction that a delivery interrupted; behind any other event, at the next one.
    `vectors` are read where a handler is looked at closely: they take time.
    `missed`: where a delivery failed at the limit of the IDT, the bytes that stand where the vector's gate would be.
    """

    registers: Registers
    vectors: VectorRegisters | None
    kernel_gs_base: int
    tables: Tables
    pic: PicPairState
    lapic: LapicState | None
    keyboard: KeyboardState
    live: tuple[Live, ...]
    code: bytes
    missed: bytes = b""


@dataclass(frozen=True, slots=True)
class Instant:
    """An instruction boundary: the registers there, and the instruction that is next with its operands in memory.

    `stack`: in front of an IRET the bytes at the top of the stack.
    """

    moment: Moment
    registers: Registers
    raw: bytes
    decoded: Decoded | None
    operands: tuple[Operand, ...]
    live: tuple[Live, ...]
    stack: bytes = b""

    @property
    def address(self) -> int:
        """Linear address of the instruction."""
        return self.registers.linear_rip

    @property
    def top(self) -> int:
        """Linear address of the top of the stack."""
        return self.registers.linear_rsp


class Observations:
    """What was noted of one run, in the order of time."""

    def __init__(self) -> None:
        self.events: list[Happened] = []
        """Those up to the first so many: later ones are not noted."""
        self.situations: list[Situation] = []
        """Number n belongs to event n."""
        self.instants: list[Instant] = []
        self._passages: Counter[tuple[int, int, int]] = Counter()
        self._closely: set[int] = set()
        """The deliveries of those passages."""
        self._budget = 0
        """Instructions that are still to be looked at, as things stand."""
        self.due = _NEVER
        """The instruction count at which looking begins anew, if nothing happens until then."""

    @property
    def looking(self) -> bool:
        """Whether the instruction that is next is to be looked at."""
        return self._budget > 0

    def happened(self, event: Happened, machine: Machine) -> None:
        """`event` has just happened for the first time."""
        if len(self.situations) < _MOST_SITUATIONS:
            self.events.append(event)
            self._plan(event, machine.live)
            self.situations.append(self._situation(event, machine))
        else:
            self._look_no_more()

    def _look_no_more(self) -> None:
        """Who was entered and left is no longer noted: nobody could tell whose the instructions are."""
        self._budget, self.due = 0, _NEVER

    def pass_boundary(self, machine: Machine) -> None:
        """The machine stands at a boundary for the first time, and is `looking`, or `due` has come."""
        self._count_down(machine.instructions)
        registers = machine.cpu.registers()
        memory = machine.linear(registers)
        raw = instructions.code_at(registers, memory)
        decoded = decode(raw, code_bits(registers))
        returns = decoded is not None and decoded.mnemonic.startswith("iret")
        self.instants.append(
            Instant(
                Moment(machine.instructions, machine.step),
                registers,
                raw if decoded is None else raw[: decoded.length],
                decoded,
                () if decoded is None else tuple(operands_of(decoded, registers)),
                machine.live,
                memory.peek(registers.linear_rsp, _FRAME) or b"" if returns else b"",
            )
        )

    def _count_down(self, instruction: int) -> None:
        if instruction >= self.due:
            self.due = _NEVER
            self._budget = max(self._budget, min(AT_LAST, _MOST_INSTANTS - len(self.instants)))
        self._budget -= 1

    def _plan(self, event: Happened, live: tuple[Live, ...]) -> None:
        """How many instructions are to be looked at behind `event`."""
        if isinstance(event, Delivered) and event.to is not None:
            handler = event.event.vector, event.to.rip, event.origin.cpl
            self._passages[handler] += 1
            if self._passages[handler] <= PASSAGES:
                self._budget = max(self._budget, CLOSELY)
                self._closely.add(event.index)
        elif isinstance(event, Returned) and not live:
            self._budget = min(self._budget, BEHIND) if event.delivery in self._closely else 0
        self._budget = min(self._budget, _MOST_INSTANTS - len(self.instants))
        self.due = event.instruction + PATIENCE if live else _NEVER

    def _situation(self, event: Happened, machine: Machine) -> Situation:
        last = self.situations[-1] if self.situations else None
        board = machine.board
        lapic = None if board.lapic is None else board.lapic.state
        if last is not None and not isinstance(event, _BETWEEN_INSTRUCTIONS):
            # In the midst of a run the engine has not put its registers in order.
            return replace(last, pic=board.pic.state, lapic=lapic, keyboard=board.keyboard.state, live=machine.live)
        registers = machine.cpu.registers()
        memory = machine.linear(registers)
        tables = Tables(
            idt_view(memory, registers),
            gdt_view(memory, registers),
            ldt_view(memory, registers),
            tss_view(memory, registers),
        )
        at = interrupted_at(event, tables) if isinstance(event, Delivered) else registers.linear_rip
        return Situation(
            registers,
            machine.cpu.vector_registers() if self.looking else None,
            machine.cpu.read_msr(_KERNEL_GS_BASE),
            last.tables if last is not None and last.tables == tables else tables,
            board.pic.state,
            lapic,
            board.keyboard.state,
            machine.live,
            memory.peek(at, instructions.MAXIMUM_LENGTH) or b"",
            _missed(event, tables, memory) if isinstance(event, Delivered) else b"",
        )

    def fork(self, at: Moment, events: int) -> Observations:
        """What was noted of a run that is the same up to `at`, before which `events` events happened."""
        found = copy.copy(self)
        found.truncate(at, events)
        return found

    def truncate(self, at: Moment, events: int) -> None:
        """Forget what lies behind `at`; nothing of it is shared any more."""
        kept = bisect.bisect_right(self.instants, at, key=_moment_of)
        instants, told, situations = self.instants[:kept], self.events[:events], self.situations[:events]
        self.events, self.situations, self.instants = [], [], []
        self._passages, self._closely, self._budget, self.due = Counter(), set(), 0, _NEVER
        place = 0
        for event, situation in zip(told, situations, strict=True):
            happened = Moment(event.instruction, event.step)
            while place < len(instants) and instants[place].moment <= happened:
                self._keep(instants[place])
                place += 1
            self.events.append(event)
            self.situations.append(situation)
            self._plan(event, situation.live)
        for instant in instants[place:]:
            self._keep(instant)
        if events > len(told):
            self._look_no_more()

    def _keep(self, instant: Instant) -> None:
        self._count_down(instant.moment.instruction)
        self.instants.append(instant)


def _missed(delivered: Delivered, tables: Tables, memory: LinearMemory) -> bytes:
    if delivered.fault is None or not delivered.steps or delivered.steps[-1].rule is not IDT_LIMIT:
        return b""
    idt = tables.idt
    return memory.peek(idt.address(delivered.event.vector), idt.entry_size) or b""


def interrupted_at(delivered: Delivered, tables: Tables) -> int:
    """Linear address of the instruction during which, or in front of which, the event came."""
    mode, selector, rip = delivered.origin.mode, Selector(delivered.origin.cs), delivered.event.instruction_rip
    if mode == "long":
        return rip
    if mode in ("real", "vm86"):
        return (delivered.origin.cs << 4) + rip & MASK32
    table = tables.ldt if selector.ti else tables.gdt
    found = table.find(selector) if table is not None and not selector.null else None
    return rip + (found.base if isinstance(found, SegmentDescriptor) else 0) & MASK32


_FRAME = 40
_KERNEL_GS_BASE = 0xC0000102
_BETWEEN_INSTRUCTIONS = Delivered | Returned | Halted | ShutDown


def _moment_of(instant: Instant) -> Moment:
    return instant.moment
