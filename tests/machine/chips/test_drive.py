"""Disk and floppy images, and what is written over them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idtviz.machine.chips.drive import SECTOR, Drive, Geometry
from idtviz.machine.chips.written import Written

KIB = 1024


def partitioned(heads: int, track: int, start: int, count: int) -> bytes:
    """A first sector whose one partition was written by software that counts `heads` and `track`."""

    def chs(lba: int) -> bytes:
        cylinder, head, sector = lba // track // heads, lba // track % heads, lba % track + 1
        if cylinder > 1023:
            cylinder, head, sector = 1023, heads - 1, track
        return bytes((head, sector | cylinder >> 2 & 0xC0, cylinder & 0xFF))

    entry = struct.pack("<B3sB3sII", 0x80, chs(start), 0x83, chs(start + count - 1), start, count)
    return (bytes(446) + entry).ljust(510, b"\0") + b"\x55\xaa"


def test_what_was_written_is_read_back_and_the_image_stays_as_it_is() -> None:
    image = bytes(range(256)) * 8
    drive = Drive(image)
    drive.write(1, b"x" * 2 * SECTOR)
    assert drive.read(0, 4) == image[:SECTOR] + b"x" * 2 * SECTOR + image[3 * SECTOR :]
    assert Drive(image).read(0, 4) == image


def test_an_image_is_padded_with_zeros_to_whole_sectors() -> None:
    drive = Drive(b"boot" * 200)
    assert drive.sectors == 2
    assert drive.read(1) == (b"boot" * 72).ljust(SECTOR, b"\0")


def test_an_empty_image_is_one_sector_of_zeros() -> None:
    assert Drive(b"").read(0) == bytes(SECTOR)


def test_a_state_that_is_put_back_forgets_what_was_written_since() -> None:
    drive = Drive(bytes(64 * SECTOR))
    drive.write(40, b"a" * SECTOR)
    before = drive.state
    drive.write(40, b"b" * SECTOR)
    drive.write(63, b"c" * SECTOR)
    assert repr(drive.state) != repr(before)
    drive.state = before
    assert drive.read(40) == b"a" * SECTOR
    assert drive.read(63) == bytes(SECTOR)


def test_states_with_the_same_sectors_print_alike_whatever_the_order_of_the_writes() -> None:
    one, other = Drive(bytes(2000 * SECTOR)), Drive(bytes(2000 * SECTOR))
    for lba in (3, 1999, 40):
        one.write(lba, bytes((lba & 0xFF,)) * SECTOR)
    for lba in (40, 3, 1999):
        other.write(lba, bytes((lba & 0xFF,)) * SECTOR)
    assert one.state == other.state
    assert repr(one.state) == repr(other.state)
    assert len(repr(one.state)) < 100


@given(st.integers(1, 1 << 30), st.data())
def test_the_tree_of_written_sectors_is_a_mapping(sectors: int, data: st.DataObject) -> None:
    writes = data.draw(st.lists(st.tuples(st.integers(0, sectors - 1), st.binary(min_size=1, max_size=2))))
    written, model = Written.none(sectors), dict[int, bytes]()
    for lba, sector in writes:
        written = written.put(lba, sector)
        model[lba] = sector
    assert list(written) == sorted(model.items())
    assert all(written.get(lba) == model.get(lba) for lba in (0, sectors - 1, *model))


def test_versions_share_all_that_lies_beside_the_way_to_the_written_sector() -> None:
    before = Written.none(1 << 15).put(5, b"a").put(20_000, b"b")
    after = before.put(20_001, b"c")
    assert sum(old is not new for old, new in zip(before.root, after.root, strict=True)) == 1


@pytest.mark.parametrize("lba, count", [(-1, 1), (4, 1), (3, 2)])
def test_there_is_nothing_beyond_the_end(lba: int, count: int) -> None:
    drive = Drive(bytes(4 * SECTOR))
    assert not drive.holds(lba, count)
    with pytest.raises(ValueError, match="the drive has 4"):
        drive.read(lba, count)
    with pytest.raises(ValueError, match="the drive has 4"):
        drive.write(lba, bytes(count * SECTOR))


def test_a_read_only_drive_refuses_a_write_and_any_drive_a_part_of_a_sector() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Drive(bytes(SECTOR), read_only=True).write(0, bytes(SECTOR))
    with pytest.raises(ValueError, match="whole sectors"):
        Drive(bytes(SECTOR)).write(0, b"x")


@pytest.mark.parametrize(
    "kib, expected",
    [
        (160, Geometry(40, 1, 8)),
        (180, Geometry(40, 1, 9)),
        (320, Geometry(40, 2, 8)),
        (360, Geometry(40, 2, 9)),
        (720, Geometry(80, 2, 9)),
        (1200, Geometry(80, 2, 15)),
        (1440, Geometry(80, 2, 18)),
        (2880, Geometry(80, 2, 36)),
    ],
)
def test_a_floppy_is_known_by_its_size(kib: int, expected: Geometry) -> None:
    drive = Drive(bytes(kib * KIB))
    assert drive.floppy
    assert drive.geometry == expected
    assert drive.sectors == kib * 2


@pytest.mark.parametrize("size, total", [(512, 2880), (100_000, 2880), (1_500_000, 5760)])
def test_a_short_floppy_image_is_the_beginning_of_a_formatted_floppy(size: int, total: int) -> None:
    drive = Drive(b"\x90" * size, floppy=True)
    assert drive.sectors == drive.geometry.total == total
    drive.write(total - 1, b"x" * SECTOR)
    assert drive.read(total - 2, 2) == bytes(SECTOR) + b"x" * SECTOR


@pytest.mark.parametrize(
    "heads, track, start, count", [(15, 63, 63, 4662), (4, 17, 17, 2023), (255, 63, 2048, 40_000_000)]
)
def test_a_hard_disks_geometry_is_the_one_of_its_partition_table(
    heads: int, track: int, start: int, count: int
) -> None:
    drive = Drive(partitioned(heads, track, start, count) + bytes(8 * 1024 * KIB), floppy=False)
    assert (drive.geometry.heads, drive.geometry.sectors) == (heads, track)


def test_a_partition_table_that_does_not_agree_with_itself_tells_nothing() -> None:
    image = bytearray(partitioned(4, 17, 17, 500))
    image[446 + 8] += 1  # the LBA that it begins at
    assert Drive(bytes(image)).geometry == Geometry(1, 16, 63)


def test_a_hard_disk_without_partitions_has_16_heads_of_63_sectors() -> None:
    assert Drive(bytes(10 * 1008 * SECTOR)).geometry == Geometry(10, 16, 63)


def test_a_geometry_finds_the_sector_of_a_place_and_the_place_of_a_sector() -> None:
    floppy = Geometry(80, 2, 18)
    assert floppy.lba(0, 0, 1) == 0
    assert floppy.lba(1, 1, 18) == 71
    assert floppy.chs(71) == (1, 1, 18)
    assert [floppy.lba(*place) for place in ((80, 0, 1), (0, 2, 1), (0, 0, 0), (0, 0, 19))] == [None] * 4
