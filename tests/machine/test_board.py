"""The board: A20 with its two gates, the ways to end a run, and what a probe finds where nothing is."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from idtviz.machine.board import Board
from idtviz.machine.chips.drive import SECTOR
from idtviz.machine.clock import Clock
from idtviz.machine.signals import Signals

FLOPPY, DISK = b"floppy" * 100, b"disk" * 1000


@dataclass
class Bench:
    gates: list[bool] = field(default_factory=list)
    off: list[str] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)
    lines: list[tuple[int, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = Clock(1_000_000)
        signals = Signals(
            on_line=lambda irq, level: self.lines.append((irq, level)),
            on_a20=self.gates.append,
            on_off=self.off.append,
            on_empty=lambda _kind, port: self.empty.append(port),
        )
        self.board = Board(self.clock, signals, memory=16 << 20, drives={0x80: DISK, 0x00: FLOPPY})

    def out(self, port: int, value: int, size: int = 1) -> None:
        self.board.write(port, size, value)

    def inp(self, port: int, size: int = 1) -> int:
        return self.board.read(port, size)

    def by_keyboard(self, output_port: int) -> None:
        self.out(0x64, 0xD1)
        self.out(0x60, output_port)


def test_a20_is_open_at_power_on() -> None:
    assert Bench().board.a20


def test_either_gate_opens_a20_and_only_both_close_it() -> None:
    bench = Bench()
    bench.out(0x92, 0x02)
    bench.by_keyboard(0xDD)
    assert bench.board.a20
    assert bench.gates == []
    bench.out(0x92, 0x00)
    assert not bench.board.a20
    bench.by_keyboard(0xDF)
    assert bench.board.a20
    assert bench.gates == [False, True]


def test_the_fast_gate_alone_opens_a20_again() -> None:
    bench = Bench()
    bench.out(0x64, 0xDD)
    assert bench.inp(0x92) == 0x00
    bench.out(0x92, 0x02)
    assert bench.inp(0x92) == 0x02
    assert bench.gates == [False, True]


def test_a_restore_puts_a20_back_without_telling() -> None:
    bench = Bench()
    before = bench.board.snapshot()
    bench.out(0x64, 0xDD)
    bench.board.restore(before)
    assert bench.board.a20
    assert bench.gates == [False]


@pytest.mark.parametrize(
    "port, value",
    [(0x64, 0xFE), (0x92, 0x01), (0xCF9, 0x06), (0xCF9, 0x04), (0xF4, 0x10), (0x501, 0x31)],
)
def test_a_write_of_one_byte_ends_the_run(port: int, value: int) -> None:
    bench = Bench()
    bench.out(port, value)
    assert len(bench.off) == 1


@pytest.mark.parametrize("port, value", [(0x604, 0x2000), (0xB004, 0x2000), (0x4004, 0x3400)])
def test_a_word_that_asks_for_sleep_state_s5_switches_the_machine_off(port: int, value: int) -> None:
    bench = Bench()
    bench.out(port, 0x0001, 2)
    bench.out(port, value & 0xFF, 1)
    assert bench.off == []
    bench.out(port, value, 2)
    assert bench.off == [f"power off, by a write of {value:#x} to port {port:#x}"]


def test_a_driver_that_keeps_the_other_bits_of_pm1a_cnt_switches_the_machine_off() -> None:
    """As an ACPI driver does: SLP_TYP first, then the same with SLP_EN."""
    bench = Bench()
    control = bench.inp(0x604, 2)
    assert control == 0x0001  # SCI_EN
    bench.out(0x604, control & ~0x3C00, 2)
    assert bench.off == []
    bench.out(0x604, control & ~0x3C00 | 0x2000, 2)
    assert len(bench.off) == 1


def test_another_sleep_type_does_not_switch_the_machine_off() -> None:
    bench = Bench()
    bench.out(0x604, 0x3401, 2)
    assert bench.off == []
    assert bench.inp(0x604, 2) == 0x1401


def test_the_events_of_power_management_are_enabled_and_never_come() -> None:
    bench = Bench()
    bench.out(0x602, 0xFFFF, 2)
    bench.out(0x600, 0xFFFF, 2)
    assert bench.inp(0x600, 4) == 0x0721_0000


def test_the_word_shutdown_switches_the_machine_off() -> None:
    bench = Bench()
    for letter in b"ShutShutdow":
        bench.out(0x8900, letter)
    assert bench.off == []
    bench.out(0x8900, ord("n"))
    assert bench.off == ['power off, by "Shutdown" at port 0x8900']


def test_the_debug_exit_tells_the_status_that_qemu_would_end_with() -> None:
    bench = Bench()
    bench.out(0xF4, 0x10, 4)
    assert bench.off == ["a write of 0x10 to the debug exit port 0xf4 (QEMU would exit with 33)"]


def test_the_reset_control_register_resets_on_the_edge_of_its_bit_2() -> None:
    bench = Bench()
    bench.out(0xCF9, 0x02)
    assert bench.off == []
    bench.out(0xCF9, 0x06)
    bench.out(0xCF9, 0x06)
    assert len(bench.off) == 1
    assert bench.inp(0xCF9) == 0x06


def test_config_address_is_a_register_of_32_bits_and_finds_no_device() -> None:
    bench = Bench()
    bench.out(0xCF8, 0x8000_0000, 4)
    assert bench.inp(0xCF8, 4) == 0x8000_0000
    bench.out(0xCFB, 0x01)
    assert bench.inp(0xCF8, 4) == 0x8000_0000
    assert bench.inp(0xCFC, 4) == 0xFFFF_FFFF
    assert bench.inp(0xCFE, 2) == 0xFFFF
    assert bench.empty == []


@pytest.mark.parametrize("port", [0x02, 0x22, 0x23, 0x80, 0x8B, 0xC6])
def test_a_latch_keeps_what_it_is_written_with(port: int) -> None:
    bench = Bench()
    bench.out(port, 0xA5)
    assert bench.inp(port) == 0xA5
    assert bench.inp(port + 1 if port != 0x23 else 0x22) == 0x00
    assert bench.empty == []


def test_no_dma_channel_has_finished_or_asks() -> None:
    bench = Bench()
    bench.out(0x08, 0xFF)
    assert (bench.inp(0x08), bench.inp(0xD0)) == (0, 0)


def test_a_write_to_a_delay_port_is_not_worth_a_word() -> None:
    bench = Bench()
    bench.out(0xED, 0xFF)
    bench.out(0x80, 0xFF)
    assert bench.empty == []


@pytest.mark.parametrize("port", [0x3F0, 0x3F4, 0x3F7, 0x2F8, 0x3E8, 0x2E8, 0x378, 0x278, 0x201, 0x72, 0x177, 0x376])
def test_hardware_that_is_not_there_reads_as_all_ones(port: int) -> None:
    bench = Bench()
    bench.out(port, 0x00)
    assert bench.inp(port) == 0xFF


def test_drives_are_known_by_their_bios_numbers_and_a_hard_disk_is_on_the_ata_channel() -> None:
    bench = Bench()
    board = bench.board
    assert list(board.drives) == [0x00, 0x80]
    assert (board.drives[0x00].floppy, board.drives[0x80].floppy) == (True, False)
    bench.out(0x1F6, 0xA0)
    assert bench.inp(0x1F7) == 0x50
    bench.out(0x1F6, 0xB0)
    assert bench.inp(0x1F7) == 0x00
    assert bench.inp(0x177) == 0xFF


def test_a_floppy_alone_leaves_the_ata_channel_empty() -> None:
    board = Board(Clock(1_000_000), Signals(), memory=0, drives={0x00: FLOPPY})
    assert board.read(0x1F7, 1) == 0xFF


def test_the_boards_snapshot_holds_what_was_written_to_a_drive() -> None:
    bench = Bench()
    drive = bench.board.drives[0x80]
    before = bench.board.snapshot()
    drive.write(0, b"x" * SECTOR)
    after = bench.board.snapshot()
    bench.board.restore(before)
    assert drive.read(0) == DISK[:SECTOR]
    bench.board.restore(after)
    assert drive.read(0) == b"x" * SECTOR


def test_the_disks_interrupt_is_irq14_and_the_clocks_is_irq8() -> None:
    bench = Bench()
    bench.out(0x1F6, 0xE0)
    bench.out(0x1F7, 0xEC)
    bench.out(0x70, 0x0B)
    bench.out(0x71, 0x12)
    for _ in range(2):
        bench.clock.instructions = bench.board.deadline()
        bench.board.advance(bench.clock.now)
    assert bench.lines == [(14, True), (8, True)]


def test_cmos_knows_the_memory_and_the_drives() -> None:
    bench = Bench()
    found = []
    for index in (0x10, 0x12, 0x17, 0x18):
        bench.out(0x70, index)
        found.append(bench.inp(0x71))
    assert found == [0x40, 0xF0, 0x00, 0x3C]


def test_the_serial_ports_interrupt_is_irq4() -> None:
    bench = Bench()
    bench.out(0x3FC, 0x08)
    bench.out(0x3F9, 0x02)
    assert bench.inp(0x3FA) == 0x02
    bench.board.com1.receive(b"x")
    bench.out(0x3F9, 0x01)
    assert bench.inp(0x3F8) == ord("x")
    assert bench.lines == [(4, True), (4, False)] * 2


def test_a_kernel_that_asks_for_a_floppy_controller_finds_an_empty_bus_and_is_told_so() -> None:
    bench = Bench()
    assert bench.inp(0x3F4) == 0xFF
    assert bench.empty == [0x3F4]
