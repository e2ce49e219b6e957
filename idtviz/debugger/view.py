"""Everything there is to see at one moment, as a value that stays as it is when the session moves on.

Bytes are copied when the view is made and decoded when they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from idtviz.debugger.disassembly import LONGEST, Instruction, Operand, disassemble, memory_operand
from idtviz.debugger.moment import Moment
from idtviz.debugger.procedures import ProcedureView, at_rest, under_way
from idtviz.debugger.recording import Recording
from idtviz.debugger.symbols import Line, Symbols
from idtviz.machine.chips.keyboard import KeyboardState
from idtviz.machine.chips.pic import PicPairState
from idtviz.machine.chips.pit import PitState
from idtviz.machine.chips.text_screen import Screen
from idtviz.machine.chips.uart import UartState
from idtviz.machine.chips.vga import TEXT_MEMORY, TEXT_MEMORY_SIZE, VgaState
from idtviz.machine.delivery.iret import LongReturn
from idtviz.machine.memory import LinearMemory
from idtviz.machine.pc import Machine
from idtviz.machine.registers import Registers
from idtviz.x86.addresses import MASK64
from idtviz.x86.descriptors import TableEntry, decode_table
from idtviz.x86.frames import InterruptFrame64
from idtviz.x86.gates import Gate64
from idtviz.x86.paging import Walk
from idtviz.x86.tss import Tss64

_GDT_BYTES = 4096  # of the 64 KiB that a GDT may have: more than a person can read
_STACK_BELOW, _STACK_ABOVE = 128, 512
_CODE_BEFORE, _CODE_AFTER = 512, 384


@dataclass(frozen=True)
class IdtView:
    """The IDT: linear base, inclusive limit, and its bytes (None where it is not mapped)."""

    base: int
    limit: int
    raw: bytes | None

    @cached_property
    def gates(self) -> tuple[Gate64, ...]:
        """The gates that lie wholly within the limit."""
        raw = self.raw or b""
        return tuple(Gate64.decode(raw[at : at + 16]) for at in range(0, len(raw) - 15, 16))

    def address(self, vector: int) -> int:
        """Linear address of a gate."""
        return (self.base + vector * 16) & MASK64


@dataclass(frozen=True)
class GdtView:
    """The GDT: linear base, inclusive limit, and its first bytes."""

    base: int
    limit: int
    raw: bytes | None

    @cached_property
    def entries(self) -> tuple[TableEntry, ...]:
        """The descriptors, as long mode reads them: system descriptors take 16 bytes."""
        return decode_table(self.raw or b"", long=True)


@dataclass(frozen=True)
class TssView:
    """The TSS that TR names: selector, base, limit, and its contents where all 104 bytes are there."""

    selector: int
    base: int
    limit: int
    tss: Tss64 | None


@dataclass(frozen=True)
class StackView:
    """Memory around RSP: `words[i]` is the quadword at `start + 8 * i`, None where no page is mapped."""

    pointer: int
    start: int
    words: tuple[int | None, ...]

    def word(self, address: int) -> int | None:
        """The quadword at `address`, if it lies in the window."""
        place, rest = divmod(address - self.start, 8)
        return self.words[place] if not rest and 0 <= place < len(self.words) else None


@dataclass(frozen=True)
class FrameView:
    """The frame of a handler that is running: as it was pushed, and as it is now (None: no longer mapped)."""

    delivery: int
    name: str
    pushed: InterruptFrame64
    now: InterruptFrame64 | None


@dataclass(frozen=True)
class CodeView:
    """The code around RIP. `before` ends where RIP begins; `here` is None where RIP cannot be read."""

    rip: int
    before: tuple[Instruction, ...]
    here: Instruction | None
    after: tuple[Instruction, ...]
    operand: Operand | None
    operand_walk: Walk | None

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """All of them, in order."""
        return (*self.before, *((self.here,) if self.here else ()), *self.after)


@dataclass(frozen=True)
class View:
    """The machine at `moment`."""

    moment: Moment
    ticks: int
    hertz: int
    registers: Registers
    halted: bool
    shut_down: bool
    idt: IdtView
    gdt: GdtView
    tss: TssView
    stack: StackView
    frames: tuple[FrameView, ...]
    code: CodeView
    procedure: ProcedureView | None
    """The delivery or return that is under way, has just ended, or comes next."""
    pic: PicPairState
    pit: PitState
    keyboard: KeyboardState
    com1: UartState
    vga: VgaState
    screen: Screen
    paging: tuple[Walk, ...]
    """The page walks of RIP, of RSP, and of CR2 where it is not zero."""
    symbols: Symbols
    events: int
    """How many events have happened."""

    @property
    def mode(self) -> str:
        """`long`, `compatibility`, `protected`, `vm86`, `real`."""
        return self.registers.mode

    @property
    def frame(self) -> InterruptFrame64 | None:
        """The innermost interrupt frame: that of the delivery under way, or of the handler that is running."""
        if self.procedure is not None and self.procedure.active and self.procedure.frame is not None:
            return self.procedure.frame
        return self.frames[-1].pushed if self.frames else None

    def name(self, address: int) -> str | None:
        """`symbol+0x12`."""
        return self.symbols.name(address)

    def line(self, address: int) -> Line | None:
        """The source line of an instruction."""
        return self.symbols.line(address)


def look(machine: Machine, symbols: Symbols, moment: Moment, recording: Recording) -> View:
    """See everything at the present moment of `machine`."""
    registers = machine.cpu.registers()
    memory = LinearMemory(machine.memory, registers)
    board = machine.board
    code = _code(memory, registers, symbols)
    text = machine.memory.read(TEXT_MEMORY, TEXT_MEMORY_SIZE)
    return View(
        moment=moment,
        ticks=machine.clock.now,
        hertz=machine.clock.hertz,
        registers=registers,
        halted=machine.halted,
        shut_down=machine.shut_down,
        idt=_idt(memory, registers),
        gdt=GdtView(
            registers.gdtr.base, registers.gdtr.limit, _table(memory, registers.gdtr.base, registers.gdtr.limit)
        ),
        tss=_tss(memory, registers),
        stack=_stack(memory, registers.rsp),
        frames=_frames(memory, machine, recording),
        code=code,
        procedure=_procedure(machine, registers, code, recording, moment),
        pic=board.pic.state,
        pit=board.pit.state,
        keyboard=board.keyboard.state,
        com1=board.com1.state,
        vga=board.vga.state,
        screen=board.vga.screen(text),
        paging=_walks(memory, registers),
        symbols=symbols,
        events=machine.events,
    )


def _procedure(
    machine: Machine, registers: Registers, code: CodeView, recording: Recording, moment: Moment
) -> ProcedureView | None:
    """What the moment is about. A return that has ended yields to a delivery that is known to come next."""
    known = recording.event_at(moment) is not None and machine.activity is None
    returned = isinstance(machine.finished, LongReturn)
    now = None if known and returned else under_way(machine, recording)
    return now or at_rest(machine, registers, code.here, code.operand_walk, recording, moment)


def call_return_address(machine: Machine, registers: Registers) -> int | None:
    """Where execution goes on behind the call or repeated string instruction at RIP; None for any other instruction."""
    raw = _readable(LinearMemory(machine.memory, registers), registers.cs.base + registers.rip, LONGEST)
    if not raw:
        return None
    here = disassemble(raw, registers.rip, registers.mode)[0]
    return here.end if here.is_call or here.repeats else None


def _idt(memory: LinearMemory, registers: Registers) -> IdtView:
    base, limit = registers.idtr.base, min(registers.idtr.limit, 4095)
    return IdtView(base, registers.idtr.limit, _table(memory, base, limit))


def _table(memory: LinearMemory, base: int, limit: int) -> bytes | None:
    return memory.peek(base, min(limit + 1, _GDT_BYTES)) if limit else b""


def _tss(memory: LinearMemory, registers: Registers) -> TssView:
    tr = registers.tr
    raw = memory.peek(tr.base, Tss64.SIZE) if tr.selector & ~3 and tr.limit + 1 >= Tss64.SIZE else None
    return TssView(tr.selector, tr.base, tr.limit, Tss64.decode(raw) if raw else None)


def _stack(memory: LinearMemory, pointer: int) -> StackView:
    start = (pointer & ~7) - _STACK_BELOW
    words = []
    for page_start in range(start, start + _STACK_BELOW + _STACK_ABOVE, 64):
        raw = memory.peek(page_start & MASK64, 64)
        if raw is None:
            words += [_word(memory, page_start + offset) for offset in range(0, 64, 8)]
        else:
            words += [int.from_bytes(raw[at : at + 8], "little") for at in range(0, 64, 8)]
    return StackView(pointer, start, tuple(words))


def _word(memory: LinearMemory, address: int) -> int | None:
    raw = memory.peek(address & MASK64, 8)
    return None if raw is None else int.from_bytes(raw, "little")


def _frames(memory: LinearMemory, machine: Machine, recording: Recording) -> tuple[FrameView, ...]:
    found = []
    for live in machine.live:
        record = recording.deliveries[live.delivery]
        pushed = record.frame
        if pushed is not None:
            raw = memory.peek(pushed.address, pushed.size)
            now = None if raw is None else InterruptFrame64.decode(pushed.address, raw, pushed.error_code is not None)
            found.append(FrameView(live.delivery, record.event.name, pushed, now))
    return tuple(found)


def _code(memory: LinearMemory, registers: Registers, symbols: Symbols) -> CodeView:
    rip, base, mode = registers.rip, registers.cs.base, registers.mode
    raw = _readable(memory, base + rip, _CODE_AFTER)
    if not raw:
        return CodeView(rip, (), None, (), None, None)
    onward = disassemble(raw[: len(raw) if len(raw) < _CODE_AFTER else _CODE_AFTER], rip, mode)
    operand = memory_operand(raw[:LONGEST], registers) if mode == "long" else None
    walk = None
    if operand is not None:
        walk = memory.walk(operand.address, write=operand.write, user=registers.cpl == 3)
    return CodeView(rip, _before(memory, registers, symbols), onward[0], onward[1:], operand, walk)


def _before(memory: LinearMemory, registers: Registers, symbols: Symbols) -> tuple[Instruction, ...]:
    """The instructions from the start of the symbol that RIP lies in, if they meet RIP."""
    rip = registers.rip
    symbol = symbols.at(rip)
    if symbol is None or not 0 < rip - symbol.address <= _CODE_BEFORE:
        return ()
    raw = memory.peek(registers.cs.base + symbol.address, rip - symbol.address)
    found = disassemble(raw, symbol.address, registers.mode) if raw else ()
    return found if found and found[-1].end == rip else ()


def _readable(memory: LinearMemory, address: int, size: int) -> bytes:
    """Up to `size` bytes, as far as they are mapped."""
    raw = memory.peek(address & MASK64, size)
    while raw is None and size > 1:
        size = min(size - 1, 4096 - address % 4096) if address % 4096 + size > 4096 else 1
        raw = memory.peek(address & MASK64, size)
    return raw or b""


def _walks(memory: LinearMemory, registers: Registers) -> tuple[Walk, ...]:
    addresses = [registers.rip, registers.rsp, *([registers.cr2] if registers.cr2 else [])]
    return tuple(memory.walk(address) for address in addresses)
