"""INT 13h: sectors by cylinder, head and sector, and by LBA."""

import struct

import pytest

from tests.machine.firmware.bios_calls import BUFFER, Caller, floppy

DISK_SECTORS = 16 * 63 * 4


@pytest.fixture
def caller() -> Caller:
    return Caller()


@pytest.fixture
def both() -> Caller:
    """A floppy and a hard disk of four cylinders, 16 heads and 63 sectors."""
    return Caller({0x00: floppy(), 0x80: floppy(DISK_SECTORS)})


def packet(caller: Caller, lba: int, count: int, *, size: int = 16, address: tuple[int, int] = (0, BUFFER)) -> int:
    segment, offset = address
    caller.write(0x8000, struct.pack("<BxHHHQ", size, count, offset, segment, lba))
    return 0x8000


def test_sectors_are_read_by_cylinder_head_and_sector(caller: Caller) -> None:
    answer = caller.call(0x13, ax=0x0202, cx=0x0102, dx=0x0100, es=0, bx=BUFFER)
    first = (1 * 2 + 1) * 18 + 1
    assert not answer.carry
    assert (answer.ah, answer.al) == (0, 2)
    assert caller.read(BUFFER, 1024) == bytes((first,)) * 512 + bytes((first + 1,)) * 512


def test_the_segment_of_the_buffer_counts(caller: Caller) -> None:
    caller.call(0x13, ax=0x0201, cx=0x0002, dx=0, es=0x1000, bx=0x0200)
    assert caller.read(0x10200, 2) == b"\1\1"


def test_sectors_are_written_and_read_back(caller: Caller) -> None:
    caller.write(BUFFER, b"new" * 200)
    assert not caller.call(0x13, ax=0x0301, cx=0x0003, dx=0, es=0, bx=BUFFER).carry
    assert caller.machine.board.drives[0].read(2) == (b"new" * 200)[:512]


def test_verifying_moves_nothing(caller: Caller) -> None:
    answer = caller.call(0x13, ax=0x0401, cx=0x0002, dx=0, es=0, bx=BUFFER)
    assert (answer.carry, answer.ax) == (False, 1)
    assert not any(caller.read(BUFFER, 512))


@pytest.mark.parametrize(
    ("registers", "status"),
    [
        ({"ax": 0x0201, "cx": 0x0013, "dx": 0x0000}, 0x04),  # sector 19 of 18
        ({"ax": 0x0201, "cx": 0x0000, "dx": 0x0000}, 0x04),  # sectors are counted from 1
        ({"ax": 0x0201, "cx": 0x0001, "dx": 0x0200}, 0x04),  # head 2 of 2
        ({"ax": 0x0201, "cx": 0x5001, "dx": 0x0000}, 0x04),  # cylinder 80 of 80
        ({"ax": 0x0202, "cx": 0x4F12, "dx": 0x0100}, 0x04),  # goes on behind the last sector
        ({"ax": 0x0200, "cx": 0x0001, "dx": 0x0000}, 0x01),  # nothing at all
        ({"ax": 0x0201, "cx": 0x0001, "dx": 0x0001}, 0x80),  # no disk in the second drive
        ({"ax": 0x0201, "cx": 0x0001, "dx": 0x0080}, 0x01),  # no hard disk
        ({"ax": 0x0501, "cx": 0x0001, "dx": 0x0000}, 0x01),  # tracks are not formatted
        ({"ax": 0x7700, "cx": 0x0001, "dx": 0x0000}, 0x01),  # no such function
    ],
)
def test_a_transfer_that_cannot_be_is_refused_with_carry_and_a_status(
    caller: Caller, registers: dict[str, int], status: int
) -> None:
    answer = caller.call(0x13, es=0, bx=BUFFER, **registers)
    assert (answer.carry, answer.ah) == (True, status)
    assert not any(caller.read(BUFFER, 512))


def test_the_last_status_is_kept_for_each_kind_of_drive(both: Caller) -> None:
    both.call(0x13, ax=0x0201, cx=0x0013, dx=0, es=0, bx=BUFFER)
    assert both.call(0x13, ah=0x01, dl=0).ah == 4
    assert both.read(0x441, 1) == b"\4"
    assert not both.call(0x13, ah=0x01, dl=0x80).carry


def test_a_reset_clears_the_status(caller: Caller) -> None:
    caller.call(0x13, ax=0x0201, cx=0x0013, dx=0, es=0, bx=BUFFER)
    answer = caller.call(0x13, ah=0x00, dl=0)
    assert (answer.carry, answer.ah) == (False, 0)
    assert not caller.call(0x13, ah=0x01, dl=0).carry


def test_a_write_protected_floppy_says_so(caller: Caller) -> None:
    caller.machine.board.drives[0].read_only = True
    assert caller.call(0x13, ax=0x0301, cx=0x0002, dx=0, es=0, bx=BUFFER).ah == 3


def test_the_parameters_of_a_floppy_come_with_a_table(caller: Caller) -> None:
    answer = caller.call(0x13, ax=0x0800, dx=0, es=0, di=0)
    assert (answer.ch, answer.cl, answer.dh, answer.dl, answer.bl) == (79, 18, 1, 1, 4)
    table = answer.registers.es.base + answer.di
    assert caller.read(table + 3, 2) == bytes((2, 18))
    assert caller.doubleword(0x1E * 4) == answer.registers.es.selector << 16 | answer.di


def test_the_parameters_of_a_hard_disk_are_its_last_cylinder_head_and_sector(both: Caller) -> None:
    answer = both.call(0x13, ax=0x0800, dx=0x80)
    assert (answer.ch, answer.cl, answer.dh, answer.dl) == (3, 63, 15, 1)


def test_a_drive_is_told_by_its_type(both: Caller) -> None:
    disk = both.call(0x13, ah=0x15, dl=0x80)
    assert (disk.ah, disk.cx << 16 | disk.dx) == (3, DISK_SECTORS)
    assert both.call(0x13, ah=0x15, dl=0x00).ah == 2
    assert both.call(0x13, ah=0x15, dl=0x81).ah == 0


def test_the_disk_in_the_floppy_drive_has_not_been_changed(caller: Caller) -> None:
    answer = caller.call(0x13, ah=0x16, dl=0)
    assert (answer.carry, answer.ah) == (False, 0)


def test_the_extension_is_there_for_hard_disks_alone(both: Caller) -> None:
    answer = both.call(0x13, ah=0x41, bx=0x55AA, dl=0x80)
    assert (answer.carry, answer.bx, answer.ah, answer.cx & 1) == (False, 0xAA55, 0x21, 1)
    assert both.call(0x13, ah=0x41, bx=0x55AA, dl=0x00).carry
    assert both.call(0x13, ah=0x41, bx=0x1234, dl=0x80).carry


def test_sectors_are_read_by_lba(both: Caller) -> None:
    at = packet(both, 300, 2)
    answer = both.call(0x13, ah=0x42, dl=0x80, ds=0, si=at)
    assert (answer.carry, answer.ah) == (False, 0)
    assert both.read(BUFFER, 1024) == bytes((300 & 0xFF,)) * 512 + bytes((301 & 0xFF,)) * 512


def test_sectors_are_written_by_lba(both: Caller) -> None:
    both.write(BUFFER, b"\xee" * 512)
    assert not both.call(0x13, ah=0x43, al=0, dl=0x80, ds=0, si=packet(both, 5, 1)).carry
    assert both.machine.board.drives[0x80].read(5) == b"\xee" * 512


def test_a_packet_can_name_a_flat_address(both: Caller) -> None:
    at = packet(both, 7, 1, size=24, address=(0xFFFF, 0xFFFF))
    both.write(at + 16, struct.pack("<Q", 0x20_0000))
    both.call(0x13, ah=0x42, dl=0x80, ds=0, si=at)
    assert both.read(0x20_0000, 3) == b"\7\7\7"


def test_a_transfer_beyond_the_end_says_that_nothing_was_moved(both: Caller) -> None:
    at = packet(both, DISK_SECTORS - 1, 2)
    answer = both.call(0x13, ah=0x42, dl=0x80, ds=0, si=at)
    assert (answer.carry, answer.ah, both.word(at + 2)) == (True, 4, 0)


def test_a_packet_that_is_too_short_is_refused(both: Caller) -> None:
    assert both.call(0x13, ah=0x42, dl=0x80, ds=0, si=packet(both, 1, 1, size=8)).ah == 1


def test_a_place_on_the_disk_is_verified_and_sought(both: Caller) -> None:
    for function in (0x44, 0x47):
        assert not both.call(0x13, ah=function, dl=0x80, ds=0, si=packet(both, 9, 1)).carry
        assert both.call(0x13, ah=function, dl=0x80, ds=0, si=packet(both, DISK_SECTORS, 1)).ah == 4


def test_the_parameters_of_the_extension_fill_a_buffer_that_is_large_enough(both: Caller) -> None:
    both.write(BUFFER, struct.pack("<H", 30))
    assert not both.call(0x13, ah=0x48, dl=0x80, ds=0, si=BUFFER).carry
    assert struct.unpack("<HHIIIQH", both.read(BUFFER, 26)) == (26, 2, 4, 16, 63, DISK_SECTORS, 512)
    both.write(BUFFER, struct.pack("<H", 20))
    assert both.call(0x13, ah=0x48, dl=0x80, ds=0, si=BUFFER).ah == 1


def test_programs_find_the_hard_disk_in_the_bios_data_area(both: Caller) -> None:
    assert both.read(0x475, 1) == b"\1"
    table = both.word(0x41 * 4 + 2) * 16 + both.word(0x41 * 4)
    assert (both.word(table), both.read(table + 2, 1), both.read(table + 14, 1)) == (4, b"\x10", b"\x3f")
