"""Kernels in the format of Linux: the zero page, and every way in which one is refused."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from idtviz.machine.boot import bzimage
from idtviz.machine.boot.problem import ImageError
from idtviz.machine.pc import Machine
from tests.machine.bare import HERTZ
from tests.machine.boot.files import MEMORY, BzImage

_RSI = 6


def booted(kernel: BzImage, command_line: str = "", initrd: bytes | None = None) -> tuple[Machine, bytes]:
    """The machine and the zero page."""
    machine = Machine(MEMORY, HERTZ)
    bzimage.parse(kernel.file(), command_line, initrd).boot(machine)
    return machine, machine.memory.read(machine.cpu.registers().general[_RSI], 4096)


def test_the_kernel_is_entered_by_the_32_bit_boot_protocol():
    machine, _ = booted(BzImage())
    at = machine.cpu.registers()
    assert (at.mode, at.rip, at.cs.selector, at.ds.selector, at.ss.selector) == (
        "protected",
        0x100000,
        0x10,
        0x18,
        0x18,
    )
    assert [at.general[index] for index in (3, 5, 7)] == [0, 0, 0]  # EBX, EBP, EDI
    assert not at.rflags & 0x200
    assert machine.memory.read(at.gdtr.base + 0x10, 8) == bytes.fromhex("ffff0000009bcf00")


def test_the_zero_page_holds_the_setup_header_and_what_the_loader_knows():
    machine, page = booted(BzImage(), "quiet console=none", b"ramdisk")
    assert page[0x202:0x206] == b"HdrS"
    assert (page[0x006], page[0x007], page[0x00E], page[0x00F], page[0x210]) == (3, 80, 25, 1, 0xFF)
    at, size, text = (struct.unpack_from("<I", page, offset)[0] for offset in (0x218, 0x21C, 0x228))
    assert (at % 4096, machine.memory.read(at, size)) == (0, b"ramdisk")
    assert machine.memory.read(text, 19) == b"quiet console=none\0"
    (rsdp,) = struct.unpack_from("<Q", page, 0x70)
    assert machine.memory.read(rsdp, 8) == b"RSD PTR "


def test_the_zero_page_holds_the_memory_map():
    _, page = booted(BzImage())
    regions = [struct.unpack_from("<QQI", page, 0x2D0 + index * 20) for index in range(page[0x1E8])]
    assert regions[0] == (0, 0x9FC00, 1)
    assert regions[-1] == (0x100000, MEMORY - 0x100000, 1)


def test_a_relocatable_kernel_lies_where_it_prefers():
    machine, _ = booted(BzImage(relocatable=1, preferred=0x400000))
    assert machine.cpu.registers().rip == 0x400000


def test_the_memory_that_a_kernel_needs_to_begin_counts_as_room():
    assert bzimage.parse(BzImage(init_size=0x3000000).file()).room >= 0x3100000


def test_the_ram_disk_lies_as_high_as_the_kernel_allows():
    _, page = booted(BzImage(initrd_limit=0x7FFFFF), initrd=bytes(5000))
    assert struct.unpack_from("<I", page, 0x218) == (0x800000 - 0x2000,)


@pytest.mark.parametrize(
    ("kernel", "command_line", "says"),
    [
        (BzImage(version=0x0201), "", "boot protocol is 2.01; expected at least 2.02"),
        (BzImage(loadflags=0), "", "zImage"),
        (BzImage(code=b""), "", "ends before the protected-mode kernel"),
        (BzImage(code32_start=0x90000), "", "code32_start"),
        (BzImage(), "x" * 256, "256 characters; this kernel takes 255"),
        (BzImage(version=0x0205, command_line_size=0), "x" * 256, "this kernel takes 255"),
        (BzImage(), "a\0b", "zero byte"),
        (BzImage(relocatable=1, preferred=1 << 40), "", "expected usable memory"),
        (BzImage(init_size=0xFFFFFFFF), "", "expected usable memory"),
    ],
)
def test_a_broken_kernel_is_refused_with_the_reason(kernel, command_line, says):
    with pytest.raises(ImageError, match=says):
        bzimage.parse(kernel.file(), command_line)


def test_a_file_without_a_setup_header_or_with_half_of_one_is_refused():
    with pytest.raises(ImageError, match="no setup header"):
        bzimage.parse(bytes(4096))
    with pytest.raises(ImageError, match="cut short"):
        bzimage.parse(BzImage().file()[:0x210])


def test_a_ram_disk_that_the_kernel_does_not_reach_is_refused():
    with pytest.raises(ImageError, match="no room for 4096 bytes"):
        bzimage.parse(replace(BzImage(), initrd_limit=0x100FFF).file(), "", bytes(4096))
