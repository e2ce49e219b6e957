"""Multiboot kernels, version 1: the state at the entry, what EBX leads to, and every way in which one is refused."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idtviz.machine.boot import multiboot
from idtviz.machine.boot.loader_gdt import GRUB, QEMU, LoaderGdt
from idtviz.machine.boot.module import NO_EXTRAS, Extras, Module
from idtviz.machine.boot.problem import ImageError
from idtviz.machine.pc import Machine
from idtviz.machine.registers import RAX, RBX, RSP
from tests.machine.bare import HERTZ
from tests.machine.boot import files
from tests.machine.boot.files import MEMORY, Addresses, Segment


def booted(raw: bytes, extras: Extras = NO_EXTRAS, gdt: LoaderGdt = QEMU, memory: int = MEMORY) -> Machine:
    machine = Machine(memory, HERTZ)
    multiboot.parse(raw, extras, gdt).boot(machine)
    return machine


def word(machine: Machine, address: int) -> int:
    return int.from_bytes(machine.memory.read(address, 4), "little")


def info(machine: Machine, offset: int) -> int:
    return word(machine, machine.cpu.registers().general[RBX] + offset)


def string(machine: Machine, address: int) -> bytes:
    return machine.memory.read(address, 300).split(b"\0")[0]


def test_the_kernel_is_entered_in_flat_protected_mode_with_the_magic_number():
    at = booted(files.multiboot()).cpu.registers()
    assert (at.mode, at.cpl, at.rip, at.general[RAX]) == ("protected", 0, 0x10000C, 0x2BADB002)
    assert not at.rflags & 0x200
    assert {segment.base for segment in (at.cs, at.ds, at.es, at.fs, at.gs, at.ss)} == {0}
    assert {segment.limit for segment in (at.cs, at.ds, at.es, at.fs, at.gs, at.ss)} == {0xFFFFFFFF}
    assert at.general[RSP] == 0x7000


@pytest.mark.parametrize(("gdt", "code", "data", "limit"), [(QEMU, 0x08, 0x10, 0x27), (GRUB, 0x10, 0x18, 0x1F)])
def test_the_selectors_are_those_of_the_loader_and_name_real_descriptors(gdt, code, data, limit):
    machine = booted(files.multiboot(), gdt=gdt)
    at = machine.cpu.registers()
    assert (at.cs.selector, at.ds.selector, at.ss.selector, at.gdtr.limit) == (code, data, data, limit)
    assert machine.memory.read(at.gdtr.base + code, 8) == bytes.fromhex("ffff0000009bcf00")
    assert machine.memory.read(at.gdtr.base + data, 8) == bytes.fromhex("ffff00000093cf00")


def test_the_information_tells_of_memory_command_line_and_loader():
    machine = booted(files.multiboot(), Extras("kernel", "a b c"))
    assert info(machine, 0) & 0x1247 == 0x244 | 1
    assert (info(machine, 4), info(machine, 8)) == (639, MEMORY // 1024 - 1024)
    assert string(machine, info(machine, 16)) == b"a b c"
    assert string(machine, info(machine, 64)) == b"idtviz"


def test_the_memory_map_has_entries_that_do_not_count_their_size():
    machine = booted(files.multiboot())
    length, at = info(machine, 44), info(machine, 48)
    entries = [struct.unpack("<IQQI", machine.memory.read(at + offset, 24)) for offset in range(0, length, 24)]
    assert {size for size, *_ in entries} == {20}
    assert (0x100000, MEMORY - 0x100000, 1) in [entry[1:] for entry in entries]
    assert (0x9FC00, 0x400, 2) in [entry[1:] for entry in entries]


@pytest.mark.parametrize(("gdt", "said"), [(QEMU, b"disk.img with words"), (GRUB, b"with words")])
def test_a_module_begins_on_a_page_behind_the_kernel_and_has_its_string(gdt, said):
    modules = (Module(b"first", "a"), Module(b"second", "disk.img", "with words"))
    machine = booted(files.multiboot(size=0x1801), Extras("kernel", "", modules), gdt)
    assert info(machine, 20) == 2
    begin, end, text, reserved = struct.unpack("<4I", machine.memory.read(info(machine, 24) + 16, 16))
    assert (begin % 4096, end - begin, reserved) == (0, 6, 0)
    assert begin > 0x101801
    assert machine.memory.read(begin, 6) == b"second"
    assert string(machine, text) == said


def test_a_kernel_that_asks_for_video_gets_ega_text():
    machine = booted(files.multiboot(flags=4))
    assert info(machine, 0) & 1 << 12
    assert struct.unpack("<QIIIBB", machine.memory.read(machine.cpu.registers().general[RBX] + 88, 22)) == (
        *(0xB8000, 160, 80, 25, 16, 2),
    )
    assert not info(booted(files.multiboot()), 0) & 1 << 12


def test_nothing_that_the_loader_brings_lies_on_the_kernel():
    code = files.multiboot_header() + b"\xf4" * (0x9F000 - 0x1000 - 12)
    raw = files.elf(Segment(code, 0x1000), entry=0x100C)
    machine = booted(raw)
    assert machine.memory.read(0x1000, len(code)) == code
    assert info(machine, 0) & 1
    assert machine.cpu.registers().general[RSP] > 0x100000


def test_a_kernel_of_the_higher_half_is_entered_where_it_lies():
    header = files.multiboot_header()
    raw = files.elf(Segment(header + files.CODE, 0xC0100000, 0x100000), entry=0xC010000C)
    assert booted(raw).cpu.registers().rip == 0x10000C


def test_an_elf_file_of_64_bits_is_entered_in_32_bit_code():
    raw = files.elf(Segment(files.multiboot_header() + files.CODE), entry=0x10000C, bits=64)
    assert booted(raw).cpu.registers().mode == "protected"


def test_the_address_fields_replace_an_elf_header():
    machine = booted(replace(Addresses(), bss_end=0x180000).file(b"\x90\xf4"))
    assert machine.cpu.registers().rip == 0x100020
    assert machine.memory.read(0x100020, 2) == b"\x90\xf4"


def test_zero_address_fields_mean_the_whole_file_and_no_bss():
    assert multiboot.parse(Addresses().file(), NO_EXTRAS).loaded.image.end == 0x100000 + 34
    cut = replace(Addresses(), load_end=0x100021).file()
    assert multiboot.parse(cut, NO_EXTRAS).loaded.image.end == 0x100021


def test_section_headers_come_with_the_symbols_loaded_high():
    machine = Machine(MEMORY, HERTZ)
    raw = bytearray(files.multiboot())
    names_at = len(raw)
    raw += b"\0names\0\0"
    table = struct.pack("<10I", *[0] * 10) + struct.pack("<10I", 1, 3, 0, 0, names_at, 7, 0, 0, 1, 0)
    struct.pack_into("<I", raw, 32, len(raw))
    struct.pack_into("<HHH", raw, 46, 40, 2, 1)
    multiboot.parse(bytes(raw) + table, NO_EXTRAS).boot(machine)
    assert info(machine, 0) & 1 << 5
    assert (info(machine, 28), info(machine, 32), info(machine, 40)) == (2, 40, 1)
    loaded_at = word(machine, info(machine, 36) + 40 + 12)
    assert machine.memory.read(loaded_at, 7) == b"\0names\0"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (files.multiboot(flags=8), "features that are not known"),
        (files.elf(), "no Multiboot header"),
        (bytes(8192) + files.multiboot_header(), "no Multiboot header"),
        (files.multiboot_header() + files.CODE, "no addresses"),
        (files.multiboot_header(1 << 16, 0x100000), "cut short"),
        (replace(Addresses(), load=0x100001).file(), "outside the file"),
        (replace(Addresses(), header=0x200000).file(), "outside the file"),
        (replace(Addresses(), load_end=0x900000).file(), "the file has"),
        (replace(Addresses(), load_end=0x100000 - 1).file(), "the file has"),
        (replace(Addresses(), bss_end=0x100001).file(), "ends the bss"),
        (replace(Addresses(), entry=0x200000).file(), "outside of what it loads"),
        (replace(Addresses(), header=0xFFFFFFF0, load=0xFFFFFFF0, entry=0xFFFFFFF8).file(), "expected usable memory"),
        (files.elf(Segment(files.multiboot_header()), entry=0x500), "lies in no segment"),
        (files.elf(Segment(files.multiboot_header(), 0xFFFFF000, size=0x2000)), "end of the address space"),
    ],
)
def test_a_broken_kernel_is_refused_with_the_reason(raw, says):
    with pytest.raises(ImageError, match=says):
        multiboot.parse(raw, NO_EXTRAS)


def test_grub_refuses_what_lies_outside_usable_memory_and_qemu_does_not():
    raw = files.elf(Segment(files.multiboot_header() + files.CODE, 0xFF000), entry=0xFF00C)
    assert multiboot.parse(raw, NO_EXTRAS, QEMU).loaded.image.end == 0xFF00E
    with pytest.raises(ImageError, match="expected usable memory"):
        multiboot.parse(raw, NO_EXTRAS, GRUB)


@pytest.mark.parametrize(
    "extras",
    [Extras("k", "a\0b"), Extras("k", "", (Module(b"", "na\0me"),))],
)
def test_a_zero_byte_in_a_text_is_refused(extras):
    with pytest.raises(ImageError, match="zero byte"):
        multiboot.parse(files.multiboot(), extras)


def test_a_command_line_of_a_megabyte_goes_behind_the_kernel():
    machine = booted(files.multiboot(), Extras("k", "x" * (1 << 20)))
    at = info(machine, 16)
    assert at > 0x100000
    assert machine.memory.read(at, (1 << 20) + 1) == b"x" * (1 << 20) + b"\0"


def test_a_machine_with_too_little_memory_is_refused():
    kernel = multiboot.parse(files.multiboot(size=0x800000), NO_EXTRAS)
    assert kernel.room >= 0x900000
    with pytest.raises(ImageError, match="needs memory up to"):
        kernel.boot(Machine(1 << 20, HERTZ))


@settings(max_examples=80, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 110), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_kernel_with_wrong_bytes_is_booted_or_refused_but_never_breaks(changes):
    raw = bytearray(files.multiboot(flags=4))
    for at, value in changes:
        raw[at % len(raw)] = value
    try:
        kernel = multiboot.parse(bytes(raw), Extras("k", "words", (Module(b"module", "m"),)))
    except ImageError:
        return
    if kernel.room <= MEMORY:
        machine = Machine(MEMORY, HERTZ)
        kernel.boot(machine)
        assert machine.cpu.registers().general[RAX] == 0x2BADB002
