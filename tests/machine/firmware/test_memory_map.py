"""The memory map that the firmware tells of."""

from __future__ import annotations

import pytest

from idtviz.machine.firmware import memory_map
from idtviz.machine.firmware.memory_map import RESERVED, USABLE


def test_usable_memory_is_what_the_firmware_does_not_keep():
    found = [(region.base, region.end, region.kind) for region in memory_map.regions(16 << 20)]
    assert found == [
        (0, 0x9FC00, USABLE),
        (0x9FC00, 0xA0000, RESERVED),
        (0xF0000, 0x100000, RESERVED),
        (0x100000, 16 << 20, USABLE),
    ]


def test_a_region_is_packed_as_int_15h_gives_it():
    packed = memory_map.regions(16 << 20)[1].packed()
    assert packed == bytes.fromhex("00fc090000000000 0004000000000000 02000000")


@pytest.mark.parametrize(("memory", "counts"), [(64 << 10, (64, 0)), (1 << 20, (639, 0)), (16 << 20, (639, 15360))])
def test_conventional_and_extended_memory_are_counted_in_kibibytes(memory, counts):
    assert memory_map.kibibytes(memory) == counts


def test_a_machine_without_extended_memory_has_no_region_for_it():
    assert all(region.base < 0x100000 for region in memory_map.regions(1 << 20))
