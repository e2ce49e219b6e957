"""A chip's state is all that it remembers: put back, it makes the same future."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from idtviz.machine.chips.ata import Ata
from idtviz.machine.chips.chip import Chip
from idtviz.machine.chips.debugcon import DebugConsole
from idtviz.machine.chips.drive import SECTOR, Drive
from idtviz.machine.chips.keyboard import Keyboard
from idtviz.machine.chips.latches import Latches
from idtviz.machine.chips.pci import Pci
from idtviz.machine.chips.pic import PicPair
from idtviz.machine.chips.pit import Pit
from idtviz.machine.chips.power_management import PowerManagement
from idtviz.machine.chips.power_off import PowerOff
from idtviz.machine.chips.rtc import Rtc
from idtviz.machine.chips.system_control import SystemControl
from idtviz.machine.chips.uart import Uart
from idtviz.machine.chips.vga import Vga


@dataclass
class Time:
    now: int = 0
    hertz: int = 1_000_000


@dataclass
class Board:
    """All chips, their lines wired to the interrupt controllers, and a log of everything that can be seen outside."""

    time: Time = field(default_factory=Time)
    log: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pic = PicPair(on_eoi=lambda controller, irq: self.log.append((controller, irq)))
        self.keyboard = Keyboard(self.time, lambda level: self.line(1, level), self.gate, self.log.append)
        self.uart = Uart(lambda level: self.line(4, level))
        self.drives = Drive(bytes(range(256)) * 8), Drive(bytes(9 * SECTOR))
        self.chips: tuple[Chip, ...] = (
            self.pic,
            Pit(self.time, lambda level: self.line(0, level)),
            self.keyboard,
            Vga(self.time),
            self.uart,
            DebugConsole(),
            SystemControl(self.gate, self.log.append),
            Rtc(self.time, lambda level: self.line(8, level)),
            Ata(self.time, lambda level: self.line(14, level), self.drives),
            Pci(self.log.append),
            Latches(),
            PowerManagement(self.log.append),
            PowerOff(self.log.append),
        )

    def gate(self, level: bool) -> None:
        self.log.append(("gate", level))

    def line(self, irq: int, level: bool) -> None:
        self.log.append(("line", irq, level))
        self.pic.set_line(irq, level)

    def snapshot(self) -> tuple[object, ...]:
        return (self.time.now, *(part.state for part in (*self.chips, *self.drives)))

    def restore(self, snapshot: tuple[object, ...]) -> None:
        now, *states = snapshot
        assert isinstance(now, int)
        self.time.now = now
        for part, state in zip((*self.chips, *self.drives), states, strict=True):
            part.state = state

    def wait(self, ticks: int) -> None:
        end = self.time.now + ticks
        while True:
            dues = [due for chip in self.chips if (due := chip.deadline()) is not None and due <= end]
            if not dues:
                break
            self.time.now = max(min(dues), self.time.now)
            for chip in self.chips:
                due = chip.deadline()
                if due is not None and due <= self.time.now:
                    chip.advance()
        self.time.now = end

    def do(self, action: tuple[str, int, int, int]) -> None:
        kind, port, size, value = action
        chip = next(chip for chip in self.chips if port in chip.ports)
        match kind:
            case "write":
                chip.write(port, size, value & (1 << 8 * size) - 1)
            case "read":
                self.log.append(chip.read(port, size))
            case "wait":
                self.wait(value % 3000 * (1 if size < 4 else 400))
            case "type":
                self.keyboard.type_scancodes(bytes((value & 0xFF,)))
            case "receive":
                self.uart.receive(bytes((value & 0xFF,)) * size)
            case "disk":
                self.disk(value)
            case "pulse":
                self.pic.set_line(3 + port % 13, bool(value & 1))
            case _:
                if self.pic.intr:
                    self.log.append(self.pic.acknowledge())
        self.log.append(self.pic.intr)

    def disk(self, value: int) -> None:
        """A command to the first drive, and the sector that it may want."""
        for port, byte in ((0x1F6, 0xE0), (0x1F2, 1 + (value & 1)), (0x1F3, value >> 1 & 3), (0x1F4, 0), (0x1F5, 0)):
            self.do(("write", port, 1, byte))
        self.do(("write", 0x1F7, 1, (0x20, 0x30, 0xEC, 0xC4)[value >> 3 & 3]))
        self.wait(100)
        for _ in range(SECTOR // 4):
            self.do(("write" if value >> 3 & 3 == 1 else "read", 0x1F0, 4, value))


PORTS = sorted({port for chip in Board().chips for port in chip.ports})
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["write", "write", "write", "read", "read", "wait", "type", "receive", "disk", "pulse", "acknowledge"]
        ),
        st.sampled_from(PORTS),
        st.sampled_from([1, 1, 1, 2, 4]),
        st.one_of(
            st.sampled_from([0xD0, 0x26, 0x72, 0x0A, 0x0B, 0x0C, 0x11, 0x20, 0x01, 0x36, 0x34, 0xD4, 0x60, 0xA0]),
            st.integers(0, 0xFFFFFFFF),
        ),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(before=ACTIONS, after=ACTIONS)
def test_a_restored_board_behaves_as_it_did(
    before: list[tuple[str, int, int, int]], after: list[tuple[str, int, int, int]]
) -> None:
    board = Board()
    for action in before:
        board.do(action)
    snapshot = board.snapshot()
    board.log.clear()
    for action in after:
        board.do(action)
    first, end = list(board.log), board.snapshot()

    board.log.clear()
    board.restore(snapshot)
    assert board.log == []  # a restore drives no line
    for action in after:
        board.do(action)
    assert (board.log, board.snapshot()) == (first, end)

    fresh = Board()
    fresh.restore(snapshot)
    for action in after:
        fresh.do(action)
    assert (fresh.log, fresh.snapshot()) == (first, end)


@settings(max_examples=100, deadline=None)
@given(ACTIONS)
def test_a_line_is_driven_only_when_its_level_changes(actions: list[tuple[str, int, int, int]]) -> None:
    board = Board()
    for action in actions:
        board.do(action)
    levels = {0: True, 1: False, 4: False, 8: False, 14: False}  # the timer's OUT is high after the BIOS
    for entry in board.log:
        if isinstance(entry, tuple) and entry[0] == "line":
            assert levels[entry[1]] != entry[2]
            levels[entry[1]] = entry[2]


def test_every_state_is_made_of_frozen_values() -> None:
    def check(value: object) -> None:
        if is_dataclass(value):
            assert value.__hash__ is not None
            for part in fields(value):
                check(getattr(value, part.name))
        elif isinstance(value, tuple):
            for part in value:
                check(part)
        else:
            assert value is None or isinstance(value, int | bytes)

    board = Board()
    for part in (*board.chips, *board.drives):
        check(part.state)
        hash(part.state)
        assert not hasattr(part.state, "__dict__")
