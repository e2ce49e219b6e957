"""Multiboot kernels, version 2: the tags that they are given, and every way in which one is refused."""

from __future__ import annotations

import struct

import pytest

from idtviz.machine.boot import multiboot2
from idtviz.machine.boot.module import NO_EXTRAS, Extras, Module
from idtviz.machine.boot.problem import ImageError
from idtviz.machine.pc import Machine
from idtviz.machine.registers import RAX, RBX
from tests.machine.bare import HERTZ
from tests.machine.boot import files
from tests.machine.boot.files import CODE, END, MEMORY, tag


def booted(raw: bytes, extras: Extras = NO_EXTRAS) -> Machine:
    machine = Machine(MEMORY, HERTZ)
    multiboot2.parse(raw, extras).boot(machine)
    return machine


def tags(machine: Machine) -> dict[int, bytes]:
    """The bodies of the information's tags, by type; each lies on a multiple of eight."""
    at = machine.cpu.registers().general[RBX]
    total, reserved = struct.unpack("<II", machine.memory.read(at, 8))
    assert (at % 8, reserved) == (0, 0)
    raw, place, found = machine.memory.read(at, total), 8, {}
    while place < total:
        kind, size = struct.unpack_from("<II", raw, place)
        found[kind] = raw[place + 8 : place + size]
        place += -(-size // 8) * 8
    return found


def test_the_kernel_is_entered_as_grub_enters_it():
    at = booted(files.multiboot2()).cpu.registers()
    assert (at.mode, at.general[RAX], at.cs.selector, at.ss.selector) == ("protected", 0x36D76289, 0x10, 0x18)


def test_the_information_has_a_tag_for_each_thing_and_ends():
    found = tags(booted(files.multiboot2(), Extras("k", "some words", (Module(b"abc", "m", "its words"),))))
    assert found[1] == b"some words\0"
    assert found[2] == b"idtviz\0"
    begin, end = struct.unpack_from("<II", found[3])
    assert (begin % 4096, end - begin, found[3][8:]) == (0, 3, b"its words\0")
    assert struct.unpack("<II", found[4]) == (639, MEMORY // 1024 - 1024)
    assert struct.unpack_from("<II", found[6]) == (24, 0)
    assert struct.unpack_from("<QIIIBB", found[8]) == (0xB8000, 160, 80, 25, 16, 2)
    assert found[14].startswith(b"RSD PTR ")
    assert list(found)[-1] == 0
    assert 21 not in found


def test_address_and_entry_tags_replace_an_elf_header():
    header = files.multiboot2_header(
        tag(2, struct.pack("<4I", 0x200000, 0x200000, 0, 0x300000)), tag(3, b"\x48\0\x20\0"), END
    )
    machine = booted(header + CODE)
    assert machine.cpu.registers().rip == 0x200048
    assert machine.memory.read(0x200000, len(header)) == header


def relocatable(low: int, high: int, alignment: int = 0x200000) -> bytes:
    return files.multiboot2(tag(10, struct.pack("<4I", low, high, alignment, 0)), END)


def test_a_relocatable_kernel_stays_where_it_is_linked_if_it_may():
    machine = booted(relocatable(0x100000, 0xFFFFFFFF, 0x1000))
    assert struct.unpack("<I", tags(machine)[21]) == (0x100000,)


def test_a_relocatable_kernel_goes_to_the_lowest_place_that_it_allows():
    machine = booted(relocatable(0x500000, 0xFFFFFFFF))
    assert struct.unpack("<I", tags(machine)[21]) == (0x600000,)
    assert machine.memory.read(machine.cpu.registers().rip, 2) == CODE


def test_what_is_optional_may_be_unknown():
    booted(files.multiboot2(tag(1, struct.pack("<I", 99), optional=True), tag(50, optional=True), END))


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (files.elf(), "no Multiboot2 header"),
        (files.multiboot2(architecture=4), "architecture 4"),
        (files.multiboot2(length=0x10000), "cut short"),
        (files.multiboot2(tag(1, struct.pack("<I", 99)), END), "information of type 99"),
        (files.multiboot2(tag(50), END), "tag of type 50"),
        (files.multiboot2(tag(4, bytes(4))), "no end tag"),
        (files.multiboot2(tag(4, size=0), END), "size of 0 bytes"),
        (files.multiboot2(tag(2, bytes(8)), END), "tag of type 2 with a size of 16"),
        (files.multiboot2(tag(2, bytes(16)), END), "they go together"),
        (files.multiboot2_header(END) + CODE, "no address tag"),
        (files.multiboot2(tag(3, b"\0\0\0\x09"), END), "lies in no segment"),
        (relocatable(0x200000, 0x200001), "wants the kernel between"),
    ],
)
def test_a_broken_kernel_is_refused_with_the_reason(raw, says):
    with pytest.raises(ImageError, match=says):
        multiboot2.parse(raw, NO_EXTRAS)
