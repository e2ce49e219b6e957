"""Everything there is to see at one moment, as a value that stays as it is when the session moves on.

Bytes are copied when the view is made and decoded when they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.debugger.code import CodeView, code_view
from idtviz.debugger.moment import Moment
from idtviz.debugger.procedures import ProcedureView, at_rest, under_way
from idtviz.debugger.recording import Recording
from idtviz.debugger.stack import FrameView, StackView, frame_views, stack_view
from idtviz.debugger.symbols import Line, Symbols
from idtviz.debugger.tables import (
    Descriptor,
    DescriptorTableView,
    IdtView,
    TssView,
    gdt_view,
    idt_view,
    ldt_view,
    other_tss_view,
    tss_view,
)
from idtviz.machine.chips.ata_state import AtaState
from idtviz.machine.chips.ioapic_state import IoApicState
from idtviz.machine.chips.keyboard import KeyboardState
from idtviz.machine.chips.lapic_state import LapicState
from idtviz.machine.chips.pic import PicPairState
from idtviz.machine.chips.pit import PitState
from idtviz.machine.chips.rtc import RtcState
from idtviz.machine.chips.text_screen import Screen
from idtviz.machine.chips.uart import UartState
from idtviz.machine.chips.vga import TEXT_MEMORY, TEXT_MEMORY_SIZE, VgaState
from idtviz.machine.delivery.returns import Return
from idtviz.machine.delivery.transfer import Transfer
from idtviz.machine.memory import LinearMemory
from idtviz.machine.pc import Machine
from idtviz.machine.registers import Registers
from idtviz.x86.frames import InterruptFrame
from idtviz.x86.paging import Walk
from idtviz.x86.selectors import Selector


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
    gdt: DescriptorTableView
    ldt: DescriptorTableView | None
    tss: TssView
    other_tss: TssView | None
    """In a procedure that switches tasks: the TSS of the task that is not the present one."""
    stack: StackView
    frames: tuple[FrameView, ...]
    code: CodeView
    procedure: ProcedureView | None
    """The delivery or return that is under way, has just ended, or comes next."""
    pic: PicPairState
    lapic: LapicState | None
    ioapic: IoApicState | None
    """None on a machine that has the 8259 pair alone."""
    pit: PitState
    keyboard: KeyboardState
    com1: UartState
    rtc: RtcState
    disks: tuple[AtaState, AtaState]
    """The primary and the secondary channel."""
    a20: bool
    vga: VgaState
    screen: Screen
    paging: tuple[Walk, ...]
    """The page walks of CS:RIP, of SS:RSP, and of CR2 where it is not zero; `linear` is the address."""
    symbols: Symbols
    events: int
    """How many events have happened."""

    @property
    def mode(self) -> str:
        """`long`, `compatibility`, `protected`, `vm86`, `real`."""
        return self.registers.mode

    @property
    def frame(self) -> InterruptFrame | None:
        """The innermost interrupt frame: that of the delivery under way, or of the handler that is running."""
        if self.procedure is not None and self.procedure.active and self.procedure.frame is not None:
            return self.procedure.frame
        return self.frames[-1].pushed if self.frames else None

    def find(self, selector: Selector) -> Descriptor | None:
        """The descriptor that `selector` names, in the GDT or the LDT; None if null, or beyond the limit."""
        table = self.ldt if selector.ti else self.gdt
        return None if table is None or selector.null else table.find(selector)

    def name(self, address: int) -> str | None:
        """`symbol+0x12` for a linear address."""
        return self.symbols.name(address)

    def line(self, address: int) -> Line | None:
        """The source line of the instruction at a linear address."""
        return self.symbols.line(address)


def look(machine: Machine, symbols: Symbols, moment: Moment, recording: Recording) -> View:
    """See everything at the present moment of `machine`."""
    registers = machine.cpu.registers()
    memory = LinearMemory(machine.memory, registers)
    board = machine.board
    code = code_view(memory, registers, symbols)
    stack = stack_view(memory, registers)
    procedure = _procedure(machine, registers, code, recording, moment)
    text = machine.memory.read(TEXT_MEMORY, TEXT_MEMORY_SIZE)
    return View(
        moment=moment,
        ticks=machine.clock.now,
        hertz=machine.clock.hertz,
        registers=registers,
        halted=machine.halted,
        shut_down=machine.shut_down,
        idt=idt_view(memory, registers),
        gdt=gdt_view(memory, registers),
        ldt=ldt_view(memory, registers),
        tss=tss_view(memory, registers),
        other_tss=_other_tss(memory, registers, procedure),
        stack=stack,
        frames=frame_views(memory, machine.live, recording),
        code=code,
        procedure=procedure,
        pic=board.pic.state,
        lapic=None if board.lapic is None else board.lapic.state,
        ioapic=None if board.ioapic is None else board.ioapic.state,
        pit=board.pit.state,
        keyboard=board.keyboard.state,
        com1=board.com1.state,
        rtc=board.rtc.state,
        disks=(board.ata.state, board.ata_secondary.state),
        a20=board.a20,
        vga=board.vga.state,
        screen=board.vga.screen(text),
        paging=_walks(memory, registers, code, stack),
        symbols=symbols,
        events=machine.events,
    )


def _procedure(
    machine: Machine, registers: Registers, code: CodeView, recording: Recording, moment: Moment
) -> ProcedureView | None:
    """What the moment is about. A return or transfer that has ended yields to a delivery that is known to come next."""
    known = recording.event_at(moment) is not None and machine.activity is None
    left = isinstance(machine.finished, Return | Transfer)
    now = None if known and left else under_way(machine, recording)
    return now or at_rest(machine, registers, code, recording, moment)


def _other_tss(memory: LinearMemory, registers: Registers, found: ProcedureView | None) -> TssView | None:
    """The TSS that is left, or the one that is gone to."""
    if found is None or found.task is None:
        return None
    arrived = registers.tr.selector == found.task.selector
    return other_tss_view(memory, registers, found.before.tr if arrived else found.task)


def _walks(memory: LinearMemory, registers: Registers, code: CodeView, stack: StackView) -> tuple[Walk, ...]:
    addresses = [code.linear(registers.rip), stack.linear, *([registers.cr2] if registers.cr2 else [])]
    return tuple(memory.walk(address) for address in addresses)
