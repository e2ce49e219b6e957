"""An ATA channel, spoken to as a driver does."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import pytest

from idtviz.machine.chips.ata import Ata
from idtviz.machine.chips.drive import SECTOR, Drive

BUSY, IDLE, WAITING, FAILED = 0x80, 0x50, 0x58, 0x51
ABORTED, NOT_FOUND = 0x04, 0x10
LATENCY = 100  # ticks


@dataclass
class Time:
    now: int = 0
    hertz: int = 1_000_000


def image(sectors: int) -> bytes:
    """Every sector is full of its own number."""
    return b"".join(struct.pack("<H", lba) * 256 for lba in range(sectors))


@dataclass
class Bench:
    sectors: tuple[int | None, int | None] = (2048, None)
    time: Time = field(default_factory=Time)
    edges: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        first, second = (None if count is None else Drive(image(count), floppy=False) for count in self.sectors)
        self.drives = (first, second)
        self.chip = Ata(self.time, self.edges.append, self.drives)

    @property
    def disk(self) -> Drive:
        assert self.drives[0] is not None
        return self.drives[0]

    def out(self, register: int, value: int) -> None:
        self.chip.write(0x1F0 + register, 1, value)

    def inp(self, register: int) -> int:
        return self.chip.read(0x1F0 + register, 1)

    def alternate(self) -> int:
        return self.chip.read(0x3F6, 1)

    def ask(self, command: int, lba: int = 0, count: int = 1, device: int = 0xE0) -> None:
        """Fill the task file and give a command of 28 bits."""
        self.out(6, device | lba >> 24 & 0x0F)
        for register, value in ((2, count), (3, lba), (4, lba >> 8), (5, lba >> 16)):
            self.out(register, value & 0xFF)
        self.out(7, command)

    def ask_extended(self, command: int, lba: int, count: int = 1) -> None:
        """The same with 48 bits: the upper bytes go first."""
        self.out(6, 0x40)
        for register, upper, lower in (
            (2, count >> 8, count),
            (3, lba >> 24, lba),
            (4, lba >> 32, lba >> 8),
            (5, lba >> 40, lba >> 16),
        ):
            self.out(register, upper & 0xFF)
            self.out(register, lower & 0xFF)
        self.out(7, command)

    def wait(self) -> int:
        """Let the device finish what makes it busy; the status then."""
        due = self.chip.deadline()
        if due is not None:
            self.time.now = due
            self.chip.advance()
        return self.alternate()

    def take(self, size: int = 2) -> bytes:
        """A sector from the data register."""
        return b"".join(self.chip.read(0x1F0, size).to_bytes(size, "little") for _ in range(SECTOR // size))

    def give(self, data: bytes, size: int = 2) -> None:
        for place in range(0, len(data), size):
            self.chip.write(0x1F0, size, int.from_bytes(data[place : place + size], "little"))

    def identify(self, device: int = 0xA0) -> tuple[int, ...]:
        self.ask(0xEC, device=device)
        assert self.wait() == WAITING
        return struct.unpack("<256H", self.take())

    def error(self) -> int:
        assert self.inp(7) == FAILED
        return self.inp(1)


def full_of(lba: int) -> bytes:
    return struct.pack("<H", lba) * 256


def test_a_read_is_busy_then_interrupts_then_gives_the_sector_and_is_done() -> None:
    bench = Bench()
    bench.ask(0x20, 5)
    assert (bench.alternate(), bench.edges) == (BUSY, [])
    assert bench.chip.deadline() == LATENCY
    assert (bench.wait(), bench.edges) == (WAITING, [True])
    assert bench.take() == full_of(5)
    assert bench.inp(7) == IDLE
    assert bench.edges == [True, False]
    assert bench.chip.deadline() is None


def test_a_driver_that_polls_needs_no_one_else_to_move_the_clock() -> None:
    bench = Bench()
    bench.ask(0x20, 5)
    bench.time.now = LATENCY
    assert bench.inp(7) == WAITING
    assert bench.edges == [True, False]


def test_the_alternate_status_leaves_the_interrupt_alone() -> None:
    bench = Bench()
    bench.ask(0x20)
    bench.wait()
    assert bench.alternate() == WAITING
    assert bench.edges == [True]


def test_each_sector_of_a_read_is_announced_by_its_own_interrupt() -> None:
    bench = Bench()
    bench.ask(0x20, 7, count=3)
    for lba in (7, 8, 9):
        assert bench.wait() == WAITING
        assert bench.inp(7) == WAITING
        assert bench.take() == full_of(lba)
        assert bench.alternate() == (IDLE if lba == 9 else BUSY)
    assert bench.edges == [True, False] * 3


@pytest.mark.parametrize("size", [2, 4])
def test_the_data_register_is_as_wide_as_the_access(size: int) -> None:
    bench = Bench()
    bench.ask(0x20, 0x123)
    bench.wait()
    assert bench.take(size) == full_of(0x123)
    assert bench.alternate() == IDLE


def test_a_write_asks_for_its_first_sector_without_an_interrupt_and_confirms_each_with_one() -> None:
    bench = Bench()
    bench.ask(0x30, 100, count=2)
    assert (bench.wait(), bench.edges) == (WAITING, [])
    bench.give(b"a" * SECTOR)
    assert bench.alternate() == BUSY
    assert bench.disk.read(100) == full_of(100)
    assert (bench.wait(), bench.edges) == (WAITING, [True])
    assert bench.disk.read(100) == b"a" * SECTOR
    bench.inp(7)
    bench.give(b"b" * SECTOR, 4)
    assert (bench.wait(), bench.edges) == (IDLE, [True, False, True])
    assert bench.disk.read(99, 4) == full_of(99) + b"a" * SECTOR + b"b" * SECTOR + full_of(102)


def test_a_count_of_zero_is_256_sectors() -> None:
    bench = Bench()
    bench.ask(0x20, 3, count=0)
    for lba in range(3, 259):
        assert bench.wait() == WAITING
        assert bench.take() == full_of(lba)
    assert bench.alternate() == IDLE


def test_a_sector_can_be_named_by_cylinder_head_and_sector() -> None:
    bench = Bench()
    bench.ask(0x20, lba=0x000102, device=0xA3)  # cylinder 1, head 3, sector 2
    bench.wait()
    assert bench.take() == full_of((1 * 16 + 3) * 63 + 1)


def test_initialize_device_parameters_changes_what_a_head_and_a_cylinder_are() -> None:
    bench = Bench()
    bench.ask(0x91, count=17, device=0xA3)
    assert bench.wait() == IDLE
    words = bench.identify()
    assert words[54:59] == (2048 // 68, 4, 17, 2048 // 68 * 68, 0)
    bench.ask(0x20, lba=0x000201, device=0xA1)
    bench.wait()
    assert bench.take() == full_of((2 * 4 + 1) * 17)


def test_commands_of_48_bits_take_two_bytes_of_each_register() -> None:
    bench = Bench()
    bench.ask_extended(0x24, 0x0123, count=0x0001)
    bench.wait()
    assert bench.take() == full_of(0x0123)
    bench.ask_extended(0x34, 0x0200)
    bench.wait()
    bench.give(b"x" * SECTOR)
    assert bench.wait() == IDLE
    assert bench.disk.read(0x0200) == b"x" * SECTOR


def test_hob_shows_the_byte_before_until_a_register_is_written() -> None:
    bench = Bench()
    bench.out(3, 0x12)
    bench.out(3, 0x34)
    assert bench.inp(3) == 0x34
    bench.chip.write(0x3F6, 1, 0x80)
    assert bench.inp(3) == 0x12
    bench.out(4, 0x00)
    assert bench.inp(3) == 0x34


def test_read_multiple_interrupts_once_for_a_block() -> None:
    bench = Bench()
    bench.ask(0xC6, count=4)
    assert bench.wait() == IDLE
    bench.inp(7)
    bench.edges.clear()
    bench.ask(0xC4, 10, count=6)
    for block in ((10, 11, 12, 13), (14, 15)):
        assert bench.wait() == WAITING
        bench.inp(7)
        assert b"".join(bench.take() for _ in block) == b"".join(map(full_of, block))
    assert bench.alternate() == IDLE
    assert bench.edges == [True, False] * 2


def test_write_multiple_takes_a_block_at_a_time() -> None:
    bench = Bench()
    bench.ask(0xC6, count=2)
    bench.wait()
    bench.ask(0xC5, 20, count=3)
    for block in (2, 1):
        assert bench.wait() == WAITING
        bench.give(b"m" * SECTOR * block)
    assert bench.wait() == IDLE
    assert bench.disk.read(20, 4) == b"m" * 3 * SECTOR + full_of(23)


@pytest.mark.parametrize("command", [0xC4, 0xC5, 0x29, 0x39])
def test_multiple_is_aborted_as_long_as_it_is_not_set(command: int) -> None:
    bench = Bench()
    bench.ask(command)
    bench.wait()
    assert bench.error() == ABORTED


@pytest.mark.parametrize("count", [3, 5, 32])
def test_a_block_of_a_size_that_the_drive_does_not_know_is_aborted(count: int) -> None:
    bench = Bench()
    bench.ask(0xC6, count=count)
    bench.wait()
    assert bench.error() == ABORTED


@pytest.mark.parametrize("command", [0x00, 0x08, 0x25, 0xA0, 0xA1, 0xC8, 0xCA, 0xFF])
def test_a_command_that_the_drive_does_not_have_is_aborted_with_an_interrupt(command: int) -> None:
    bench = Bench()
    bench.ask(command)
    bench.wait()
    assert bench.edges == [True]
    assert bench.error() == ABORTED


@pytest.mark.parametrize("command", [0x10, 0x40, 0x41, 0x70, 0xE0, 0xE1, 0xE7, 0xEA])
def test_a_command_without_data_is_done_with_an_interrupt(command: int) -> None:
    bench = Bench()
    bench.ask(command)
    assert (bench.alternate(), bench.edges) == (BUSY, [])
    assert (bench.wait(), bench.edges) == (IDLE, [True])


@pytest.mark.parametrize("command", [0x20, 0x30, 0x40])
def test_a_sector_beyond_the_end_is_not_found_and_named(command: int) -> None:
    bench = Bench()
    bench.ask(command, 0x0ABCDEF)
    bench.wait()
    assert bench.error() == NOT_FOUND
    assert (bench.inp(3), bench.inp(4), bench.inp(5), bench.inp(6) & 0x0F) == (0xEF, 0xCD, 0xAB, 0x00)


def test_a_read_across_the_end_gives_what_there_is_and_then_names_the_first_missing_sector() -> None:
    bench = Bench()
    bench.ask(0x20, 2047, count=2)
    bench.wait()
    assert bench.take() == full_of(2047)
    bench.wait()
    assert bench.error() == NOT_FOUND
    assert bench.inp(4) << 8 | bench.inp(3) == 2048


def test_a_verify_across_the_end_names_the_first_missing_sector() -> None:
    bench = Bench()
    bench.ask_extended(0x42, 2040, count=10)
    bench.wait()
    assert bench.error() == NOT_FOUND
    assert bench.inp(4) << 8 | bench.inp(3) == 2048


@pytest.mark.parametrize("lba", [0x000000, 0x000040, 0x000301])
def test_a_cylinder_head_and_sector_that_do_not_exist_are_not_found(lba: int) -> None:
    bench = Bench()
    bench.ask(0x20, lba, device=0xA0)
    bench.wait()
    assert bench.error() == NOT_FOUND


def test_a_read_only_drive_aborts_a_write() -> None:
    bench = Bench()
    bench.disk.read_only = True
    bench.ask(0x30)
    bench.wait()
    assert bench.error() == ABORTED


def test_a_new_command_clears_the_error_of_the_last() -> None:
    bench = Bench()
    bench.ask(0xFF)
    bench.wait()
    bench.ask(0x20)
    assert bench.wait() == WAITING
    assert bench.inp(1) == 0


def test_a_busy_device_takes_no_command() -> None:
    bench = Bench()
    bench.ask(0x20, 5)
    bench.ask(0x20, 9)
    bench.wait()
    assert bench.take() == full_of(5)


def test_a_new_command_ends_a_transfer_that_is_under_way() -> None:
    bench = Bench()
    bench.ask(0x20, 5)
    bench.wait()
    bench.chip.read(0x1F0, 2)
    bench.ask(0x20, 9)
    bench.wait()
    assert bench.take() == full_of(9)


def test_nien_keeps_the_interrupt_from_the_line_until_it_is_taken_away() -> None:
    bench = Bench()
    bench.chip.write(0x3F6, 1, 0x02)
    bench.ask(0x20)
    assert (bench.wait(), bench.edges) == (WAITING, [])
    bench.chip.write(0x3F6, 1, 0x00)
    assert bench.edges == [True]


def test_a_software_reset_ends_everything_and_leaves_the_signature() -> None:
    bench = Bench((64, 64))
    bench.ask(0x20, 0x3F, device=0xF0)
    bench.wait()
    bench.chip.write(0x3F6, 1, 0x04)
    assert bench.alternate() == BUSY
    assert bench.chip.deadline() is None
    bench.chip.write(0x3F6, 1, 0x00)
    assert bench.alternate() == BUSY
    assert bench.wait() == IDLE
    assert [bench.inp(register) for register in (1, 2, 3, 4, 5)] == [1, 1, 1, 0, 0]
    assert bench.inp(6) & 0x10 == 0
    assert bench.edges == [True, False]


def test_the_diagnostic_leaves_the_signature_and_interrupts() -> None:
    bench = Bench()
    bench.ask(0x90, 0x3F, count=9)
    assert bench.wait() == IDLE
    assert [bench.inp(register) for register in (1, 2, 3, 4, 5)] == [1, 1, 1, 0, 0]
    assert bench.edges == [True]


def test_identify_tells_the_size_the_name_and_what_the_drive_can_do() -> None:
    words = Bench().identify()
    assert (words[1], words[3], words[6]) == (2, 16, 63)
    assert words[60] | words[61] << 16 == 2048
    assert words[100:104] == (2048, 0, 0, 0)
    assert words[49] & 0x0300 == 0x0200  # LBA, and no DMA
    assert words[83] & 0xC400 == 0x4400  # 48 bits
    model = struct.pack(">20H", *words[27:47]).decode("ascii")
    assert model == "IDTVIZ DISK".ljust(40)
    assert sum(struct.pack("<256H", *words)) & 0xFF == 0


def test_a_drive_says_how_many_sectors_a_block_has() -> None:
    bench = Bench()
    assert bench.identify()[59] == 0
    bench.ask(0xC6, count=8)
    bench.wait()
    assert bench.identify()[59] == 0x0108


def test_master_and_slave_are_drives_of_their_own() -> None:
    bench = Bench((64, 128))
    assert bench.identify(0xA0)[60] == 64
    assert bench.identify(0xB0)[60] == 128
    bench.ask(0x30, 9, device=0xF0)
    bench.wait()
    bench.give(b"s" * SECTOR)
    bench.wait()
    assert bench.disk.read(9) == full_of(9)
    assert bench.drives[1] is not None
    assert bench.drives[1].read(9) == b"s" * SECTOR


def test_an_absent_slave_reads_status_0_and_ignores_commands() -> None:
    bench = Bench()
    bench.out(6, 0xB0)
    assert bench.inp(7) == 0
    bench.out(7, 0xEC)
    assert bench.chip.deadline() is None
    assert bench.inp(7) == 0
    bench.out(6, 0xA0)
    assert bench.inp(7) == IDLE


def test_the_diagnostic_runs_whichever_device_is_selected() -> None:
    bench = Bench()
    bench.ask(0x90, device=0xB0)
    assert bench.wait() == IDLE
    assert bench.inp(1) == 1


def test_a_channel_without_a_drive_floats() -> None:
    bench = Bench((None, None))
    assert {bench.inp(register) for register in range(8)} == {0xFF}
    assert bench.alternate() == 0xFF
    assert bench.chip.read(0x1F0, 2) == 0xFFFF
    bench.ask(0xEC)
    bench.give(bytes(SECTOR))
    bench.chip.write(0x3F6, 1, 0x04)
    assert bench.chip.deadline() is None
    assert bench.edges == []


def test_the_data_register_gives_nothing_when_no_data_waits() -> None:
    bench = Bench()
    assert bench.chip.read(0x1F0, 2) == 0xFFFF
    bench.give(b"xx")
    bench.ask(0x30)
    bench.wait()
    assert bench.chip.read(0x1F0, 4) == 0xFFFF_FFFF
    assert bench.chip.state.words_left == 256


@pytest.mark.parametrize(
    "feature, count, accepted", [(0x02, 0, True), (0x03, 0x0C, True), (0x03, 0x45, False), (0x99, 0, False)]
)
def test_set_features_accepts_what_changes_nothing_and_no_dma(feature: int, count: int, accepted: bool) -> None:
    bench = Bench()
    bench.out(1, feature)
    bench.ask(0xEF, count=count)
    assert bench.wait() == (IDLE if accepted else FAILED)


def test_check_power_mode_says_active() -> None:
    bench = Bench()
    bench.ask(0xE5)
    bench.wait()
    assert bench.inp(2) == 0xFF


def test_the_channel_counts_what_each_device_has_transferred() -> None:
    bench = Bench()
    bench.ask(0x20, count=2)
    for _ in range(2):
        bench.wait()
        bench.take()
    bench.ask(0x30)
    bench.wait()
    bench.give(bytes(SECTOR))
    bench.wait()
    device = bench.chip.state.channel.devices[0]
    assert device is not None
    assert (device.sectors_read, device.sectors_written) == (2, 1)
