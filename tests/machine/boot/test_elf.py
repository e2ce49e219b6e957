"""Plain ELF kernels: where they are entered, what is mapped for them, what is relocated, and what is refused."""

from __future__ import annotations

import struct

import pytest

from idtviz.machine.boot import bare
from idtviz.machine.boot.problem import ImageError
from idtviz.machine.pc import Machine
from tests.machine.bare import HERTZ
from tests.machine.boot import files
from tests.machine.boot.files import CODE, MEMORY, Segment

HALF32, HALF64 = 0xC0000000, 0xFFFFFFFF80000000


def booted(raw: bytes, mode: str | None = None) -> Machine:
    machine = Machine(MEMORY, HERTZ)
    bare.parse(raw, mode).boot(machine)
    return machine


@pytest.mark.parametrize(("bits", "mode"), [(32, "protected"), (64, "long")])
def test_a_kernel_is_entered_in_the_mode_of_its_bits(bits, mode):
    at = booted(files.elf(bits=bits)).cpu.registers()
    assert (at.mode, at.rip) == (mode, 0x100000)


def test_a_higher_half_kernel_of_32_bits_is_entered_where_it_lies():
    raw = files.elf(Segment(bytes(16) + CODE, HALF32 + 0x100000, 0x100000), entry=HALF32 + 0x100010)
    assert booted(raw).cpu.registers().rip == 0x100010


def test_a_higher_half_kernel_of_64_bits_is_mapped_where_it_is_linked():
    machine = booted(files.elf(Segment(CODE, HALF64 + 0x100000, 0x100000), bits=64))
    assert machine.cpu.registers().rip == HALF64 + 0x100000
    assert machine.linear().read(HALF64 + 0x100000, 2) == CODE
    assert machine.linear().read(0x100000, 2) == CODE
    assert machine.cpu.registers().cr3 == MEMORY - 0x3000
    machine.micro_step()
    machine.micro_step()
    assert machine.halted


def test_a_segment_that_no_large_page_can_show_is_mapped_by_small_ones():
    machine = booted(files.elf(Segment(CODE * 4096, HALF64, 0x103000), bits=64))
    assert machine.linear().read(HALF64 + 0x1000, 2) == CODE
    assert machine.linear().peek(HALF64 + 0x2000, 1) is None


def test_the_tables_of_a_higher_half_kernel_count_as_room():
    plain = bare.parse(files.elf(bits=64)).room
    assert plain == 0x100002 + 0x3000
    assert bare.parse(files.elf(Segment(CODE, HALF64 + 0x100000, 0x100000), bits=64)).room == plain + 0x2000


def dynamic(*entries: tuple[int, int]) -> bytes:
    return b"".join(struct.pack("<qQ", tag, value) for tag, value in (*entries, (0, 0)))


RELATIVE = struct.pack("<QQq", 0x10, 8, 0x123)


def test_a_position_independent_kernel_is_moved_up_and_relocated():
    body = CODE.ljust(32, b"\0") + RELATIVE
    raw = files.elf(*(Segment(body, 0), Segment(dynamic((7, 32), (8, 24), (9, 24)), 0x1000, kind=2)), kind=3, bits=64)
    machine = booted(raw)
    assert machine.cpu.registers().rip == 0x200000
    assert machine.memory.read(0x200010, 8) == (0x200123).to_bytes(8, "little")


def pie(relocations: bytes, *entries: tuple[int, int], **options: int) -> bytes:
    tags = entries or ((7, 32), (8, len(relocations)), (9, 24))
    return files.elf(
        Segment(CODE.ljust(32, b"\0") + relocations, 0),
        Segment(dynamic(*tags), 0x1000, kind=2),
        kind=3,
        bits=64,
        **options,
    )


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (pie(struct.pack("<QQq", 0x10, 1 << 32 | 1, 0)), "relocation of type 1 at 0x10"),
        (pie(struct.pack("<QQq", 0x99999, 8, 0)), "loads no bytes"),
        (pie(RELATIVE, (7, 0x5000), (8, 24)), "loads no bytes"),
        (pie(RELATIVE, (7, 32), (8, 1 << 50)), "loads no bytes"),
        (pie(RELATIVE, (1, 1)), "DT_NEEDED"),
        (pie(RELATIVE, (2, 8)), "DT_JMPREL"),
        (pie(RELATIVE, (36, 8)), "DT_RELR"),
        (files.elf(Segment(CODE, 0), Segment(b"ld.so\0", kind=3), kind=3, bits=64), "PT_INTERP"),
        (files.elf(kind=1), "ET_REL"),
        (files.elf(machine=40), "EM_ARM"),
        (files.elf()[:20], "its header has 52"),
        (files.elf()[:60], "program headers at 0x34 are incomplete"),
        (files.elf(Segment(CODE, file_size=100)), "incomplete"),
        (files.elf(Segment(CODE, size=1)), "incomplete"),
        (files.elf(Segment(b"", size=0)), "nothing to load"),
        (files.elf(Segment(CODE), Segment(CODE, 0x100001)), "overlap in memory"),
        (files.elf(Segment(CODE, (1 << 64) - 1), bits=64), "end of the address space"),
        (files.elf(entry=1 << 47, bits=64), "not canonical"),
        (files.elf(Segment(CODE, 1 << 47, 0x100000), bits=64, entry=0x100000), "not canonical"),
        (files.elf(Segment(CODE, HALF64 + 1, 0x100000), bits=64), "same offset in a page"),
        (
            files.elf(Segment(CODE, HALF64, 0x200000), Segment(CODE, HALF64 + 0x1000, 0x401000), bits=64),
            "lie in different pages",
        ),
    ],
)
def test_a_broken_kernel_is_refused_with_the_reason(raw, says):
    with pytest.raises(ImageError, match=says):
        bare.parse(raw, "long" if raw[4:5] == b"\x02" else None)


def test_a_file_that_claims_its_bytes_for_many_segments_is_refused():
    segments = [Segment(b"", 0x100000 * (index + 1), file_size=0x10000) for index in range(64)]
    with pytest.raises(ImageError, match="hold 4194304 bytes; the file has"):
        bare.parse(files.elf(*segments) + bytes(0x20000))


def test_a_huge_segment_is_room_and_not_memory():
    assert bare.parse(files.elf(Segment(CODE, size=0xE0000000))).room == 0xE0100000
