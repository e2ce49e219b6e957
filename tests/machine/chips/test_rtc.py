"""The MC146818: time, alarm, its three interrupts, and the bytes that a BIOS leaves behind it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from idtviz.machine.chips import cmos
from idtviz.machine.chips.drive import SECTOR, Drive
from idtviz.machine.chips.rtc import Rtc

MIDNIGHT = "2026-01-01 00:00:00"


@dataclass
class Time:
    now: int = 0
    hertz: int = 1_000_000


@dataclass
class Bench:
    time: Time = field(default_factory=Time)
    edges: list[tuple[int, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chip = Rtc(self.time, lambda level: self.edges.append((self.time.now, level)))

    def read(self, index: int) -> int:
        self.chip.write(0x70, 1, index)
        return self.chip.read(0x71, 1)

    def write(self, index: int, value: int) -> None:
        self.chip.write(0x70, 1, index)
        self.chip.write(0x71, 1, value)

    def shown(self) -> str:
        """The time as a kernel that knows BCD alone reads it."""
        century, year, month, day, hour, minute, second = map(self.read, (0x32, 9, 8, 7, 4, 2, 0))
        return f"{century:02x}{year:02x}-{month:02x}-{day:02x} {hour:02x}:{minute:02x}:{second:02x}"

    def set(self, text: str) -> None:
        """As the PC's firmware sets it: SET, the seven bytes, SET off again."""
        control = self.read(0x0B)
        self.write(0x0B, control | 0x80)
        digits = text.translate(dict.fromkeys(map(ord, "- :")))
        for index, start in zip((0x32, 9, 8, 7, 4, 2, 0), range(0, 14, 2), strict=True):
            self.write(index, int(digits[start : start + 2], 16))
        self.write(0x0B, control)

    def wait(self, ticks: int) -> None:
        end = self.time.now + ticks
        while (due := self.chip.deadline()) is not None and due <= end:
            self.time.now = max(due, self.time.now)
            self.chip.advance()
        self.time.now = end


def test_the_machine_is_always_switched_on_at_the_same_moment() -> None:
    bench = Bench()
    assert bench.shown() == MIDNIGHT
    assert bench.read(6) == 5  # a Thursday; 1 is Sunday


def test_time_goes_on_with_the_clock_and_asks_for_no_attention() -> None:
    bench = Bench()
    assert bench.chip.deadline() is None
    bench.time.now = 999_999
    assert bench.shown() == MIDNIGHT
    bench.time.now = 90_061 * 1_000_000
    assert bench.shown() == "2026-01-02 01:01:01"
    assert bench.read(6) == 6
    assert bench.chip.deadline() is None


@pytest.mark.parametrize(
    "before, after",
    [
        ("2028-02-28 23:59:59", "2028-02-29 00:00:00"),
        ("2027-02-28 23:59:59", "2027-03-01 00:00:00"),
        ("2099-12-31 23:59:59", "2100-01-01 00:00:00"),
    ],
)
def test_the_calendar_knows_its_months_leap_years_and_centuries(before: str, after: str) -> None:
    bench = Bench()
    bench.set(before)
    assert bench.shown() == before
    bench.time.now = 1_000_000
    assert bench.shown() == after


@pytest.mark.parametrize(
    "control, hour, shown",
    [
        (0x02, 0x23, 0x23),
        (0x06, 23, 23),
        (0x00, 0x91, 0x91),
        (0x00, 0x12, 0x12),
        (0x04, 0x8B, 0x8B),
        (0x04, 0x0C, 0x0C),
    ],
)
def test_an_hour_is_kept_in_the_format_that_register_b_names(control: int, hour: int, shown: int) -> None:
    bench = Bench()
    bench.write(0x0B, control | 0x80)
    bench.write(4, hour)
    bench.write(0x0B, control)
    bench.time.now = 60 * 1_000_000
    assert bench.read(4) == shown


@pytest.mark.parametrize(
    "before, after",
    [(0x91, 0x12), (0x11, 0x92), (0x92, 0x81), (0x12, 0x01)],
    ids=["11 pm", "11 am", "noon", "midnight"],
)
def test_a_clock_of_twelve_hours_goes_from_eleven_to_twelve_to_one(before: int, after: int) -> None:
    bench = Bench()
    bench.write(0x0B, 0x80)
    bench.write(4, before)
    bench.write(0x0B, 0x00)
    bench.time.now = 3600 * 1_000_000
    assert bench.read(4) == after


def test_set_holds_the_time_and_takes_the_update_interrupt_with_it() -> None:
    bench = Bench()
    bench.write(0x0B, 0x92)
    assert bench.read(0x0B) == 0x82
    bench.time.now = 5_000_000
    assert bench.shown() == MIDNIGHT
    assert bench.read(0x0A) & 0x80 == 0


def test_a_kernel_that_polls_uip_sees_it_come_and_go() -> None:
    bench = Bench()
    seen = []
    for now in (0, 999_755, 999_756, 999_999, 1_000_000):
        bench.time.now = now
        seen.append(bench.read(0x0A) >> 7)
    assert seen == [0, 0, 1, 1, 0]


@pytest.mark.parametrize("rate, hertz", [(1, 256), (2, 128), (3, 8192), (6, 1024), (13, 8), (15, 2)])
def test_the_periodic_interrupt_comes_as_often_as_register_a_says(rate: int, hertz: int) -> None:
    bench = Bench()
    bench.write(0x0A, 0x20 | rate)
    bench.write(0x0B, 0x42)
    interrupts = 0
    while (due := bench.chip.deadline()) is not None and due <= 1_000_000:
        bench.wait(due - bench.time.now)
        assert bench.read(0x0C) & 0xC0 == 0xC0
        interrupts += 1
    assert interrupts == hertz


def test_a_rate_of_zero_gives_no_periodic_interrupt() -> None:
    bench = Bench()
    bench.write(0x0A, 0x20)
    bench.write(0x0B, 0x42)
    assert bench.chip.deadline() is None
    bench.time.now = 10_000_000
    assert bench.read(0x0C) & 0x40 == 0


def test_irq8_stays_high_and_no_further_interrupt_comes_until_register_c_is_read() -> None:
    bench = Bench()
    bench.write(0x0A, 0x2D)
    bench.write(0x0B, 0x42)
    bench.wait(10_000_000)
    assert bench.edges == [(125_000, True)]
    assert bench.chip.deadline() is None
    assert bench.read(0x0C) == 0xD0  # IRQF, PF, and UF, which nobody asked for
    assert bench.edges[1:] == [(10_000_000, False)]
    assert bench.read(0x0C) == 0
    assert bench.chip.deadline() == 10_125_000


def test_the_flags_of_register_c_are_set_without_any_interrupt() -> None:
    bench = Bench()
    assert bench.read(0x0C) == 0
    bench.time.now = 1_000_000
    assert bench.read(0x0C) == 0x50
    assert bench.edges == []


def test_an_interrupt_that_is_enabled_behind_its_flag_comes_at_once() -> None:
    bench = Bench()
    bench.time.now = 2_500_000
    bench.write(0x0B, 0x12)
    assert bench.edges == [(2_500_000, True)]
    assert bench.read(0x0C) == 0xD0


def test_the_update_ended_interrupt_comes_with_each_second() -> None:
    bench = Bench()
    bench.write(0x0B, 0x12)
    for second in (1, 2, 3):
        assert bench.chip.deadline() == second * 1_000_000
        bench.wait(1_000_000)
        assert bench.read(0x0C) & 0x90 == 0x90


@pytest.mark.parametrize(
    "hour, minute, second, seconds",
    [
        (0x01, 0x02, 0x03, 3723),
        (0x00, 0x00, 0x00, 86_400),
        (0xC0, 0x00, 0x00, 3600),
        (0xFF, 0xFF, 0x30, 30),
        (0xFF, 0xC0, 0xD0, 1),
        (0x05, 0xFF, 0xFF, 18_000),
    ],
)
def test_the_alarm_comes_when_the_time_matches_all_that_is_not_dont_care(
    hour: int, minute: int, second: int, seconds: int
) -> None:
    bench = Bench()
    for index, value in ((5, hour), (3, minute), (1, second)):
        bench.write(index, value)
    bench.write(0x0B, 0x22)
    bench.wait(seconds * 1_000_000 - 1)
    assert bench.edges == []
    bench.wait(1)
    assert bench.edges == [(seconds * 1_000_000, True)]
    assert bench.read(0x0C) & 0xA0 == 0xA0


def test_an_alarm_at_a_time_that_no_clock_shows_never_comes() -> None:
    bench = Bench()
    bench.write(5, 0x25)
    bench.write(0x0B, 0x22)
    assert bench.chip.deadline() is None


def test_a_stopped_divider_stops_time_and_starts_half_a_second_before_an_update() -> None:
    bench = Bench()
    bench.write(0x0A, 0x66)
    bench.time.now = 7_300_000
    assert bench.shown() == MIDNIGHT
    bench.write(0x0A, 0x26)
    bench.time.now += 499_999
    assert bench.shown() == MIDNIGHT
    bench.time.now += 1
    assert bench.shown() == "2026-01-01 00:00:01"


def test_registers_c_and_d_cannot_be_written() -> None:
    bench = Bench()
    bench.write(0x0C, 0xFF)
    bench.write(0x0D, 0x00)
    assert (bench.read(0x0C), bench.read(0x0D)) == (0x00, 0x80)
    assert bench.edges == []


def test_numbers_that_no_clock_shows_are_read_back_and_do_not_stop_the_clock() -> None:
    bench = Bench()
    for index in (0, 2, 4, 7, 8, 9, 0x32):
        bench.write(index, 0xFF)
    assert bench.read(8) == 0xFF
    bench.time.now = 1_000_000
    assert 0x01 <= bench.read(8) <= 0x12


def test_the_index_port_keeps_the_nmi_mask_and_cannot_be_read() -> None:
    bench = Bench()
    bench.chip.write(0x70, 1, 0x8D)
    assert bench.chip.state.nmi_off
    assert bench.chip.read(0x71, 1) == 0x80
    assert bench.chip.read(0x70, 1) == 0xFF


def test_ram_is_ram() -> None:
    bench = Bench()
    bench.write(0x7F, 0xA5)
    bench.time.now = 3_000_000
    assert bench.read(0x7F) == 0xA5


def word(contents: bytes, place: int) -> int:
    return int.from_bytes(contents[place : place + 2], "little")


def test_cmos_tells_how_much_memory_there_is() -> None:
    contents = cmos.after_bios(32 << 20, {})
    assert word(contents, 0x15) == 640
    assert word(contents, 0x17) == word(contents, 0x30) == 31 * 1024
    assert word(contents, 0x34) == 256
    assert contents[0x5B:0x5E] == bytes(3)


def test_cmos_tells_of_small_and_of_large_memory_what_fits() -> None:
    small, large = cmos.after_bios(512 << 10, {}), cmos.after_bios(6 << 30, {})
    assert (word(small, 0x15), word(small, 0x17), word(small, 0x34)) == (512, 0, 0)
    assert (word(large, 0x17), word(large, 0x34)) == (0xFFFF, 0xFFFF)
    assert int.from_bytes(large[0x5B:0x5E], "little") == (2 << 30) >> 16


@pytest.mark.parametrize("kib, kind", [(160, 1), (360, 1), (720, 3), (1200, 2), (1440, 4), (2880, 5)])
def test_cmos_tells_the_floppy_drives_type(kib: int, kind: int) -> None:
    contents = cmos.after_bios(0, {0x01: Drive(bytes(kib * 1024), floppy=True)})
    assert contents[0x10] == kind
    assert contents[0x14] & 0xC1 == 0x01


def test_cmos_tells_the_drives_and_the_order_in_which_they_boot() -> None:
    floppy, disk = Drive(b"", floppy=True), Drive(bytes(SECTOR))
    assert cmos.after_bios(0, {})[0x3D] == 0x00
    assert cmos.after_bios(0, {0x80: disk})[0x3D] == 0x02
    contents = cmos.after_bios(0, {0x00: floppy, 0x01: floppy, 0x80: disk, 0x81: disk})
    assert contents[0x3D] == 0x21
    assert (contents[0x10], contents[0x12], contents[0x14]) == (0x44, 0xFF, 0x43)
    assert (contents[0x19], contents[0x1A]) == (47, 47)


def test_the_checksum_is_right() -> None:
    contents = cmos.after_bios(16 << 20, {0x80: Drive(bytes(SECTOR))})
    assert int.from_bytes(contents[0x2E:0x30], "big") == sum(contents[0x10:0x2E])
