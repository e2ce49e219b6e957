"""Where the processor finds a stack."""

import struct

import pytest

from idtviz.x86.tss import IST_OFFSETS, RSP_OFFSETS, Tss16, Tss32, Tss64, ist_offset, rsp_offset


def test_the_64_bit_tss_has_its_stack_pointers_where_figure_7_11_draws_them() -> None:
    raw = struct.pack("<I3QQ7QQHH", 0xAAAA, 10, 11, 12, 0xBBBB, 21, 22, 23, 24, 25, 26, 27, 0xCCCC, 0xDD, 0x68)
    tss = Tss64.decode(raw)
    assert tss.rsp == (10, 11, 12)
    assert tss.ist == (21, 22, 23, 24, 25, 26, 27)
    assert tss.io_map_base == 0x68
    assert tss.encode() == raw


def test_rsp_and_ist_offsets_are_those_of_the_manual() -> None:
    assert RSP_OFFSETS == (4, 12, 20)
    assert IST_OFFSETS == (0x24, 0x2C, 0x34, 0x3C, 0x44, 0x4C, 0x54)
    assert [rsp_offset(level) for level in range(3)] == list(RSP_OFFSETS)
    assert [ist_offset(index) for index in range(1, 8)] == list(IST_OFFSETS)


@pytest.mark.parametrize("level", [-1, 3])
def test_the_tss_has_no_stack_for_ring_3(level: int) -> None:
    with pytest.raises(ValueError, match=f"there is no RSP{level}"):
        rsp_offset(level)


@pytest.mark.parametrize("index", [0, 8])
def test_the_interrupt_stack_table_counts_from_1_to_7(index: int) -> None:
    with pytest.raises(ValueError, match=f"there is no IST{index}"):
        ist_offset(index)


def test_the_32_bit_tss_has_its_registers_where_figure_7_2_draws_them() -> None:
    words = {
        "link": (0, "H"), "esp0": (4, "I"), "ss0": (8, "H"), "esp1": (12, "I"), "ss1": (16, "H"), "esp2": (20, "I"),
        "ss2": (24, "H"), "cr3": (28, "I"), "eip": (32, "I"), "eflags": (36, "I"), "eax": (40, "I"), "ecx": (44, "I"),
        "edx": (48, "I"), "ebx": (52, "I"), "esp": (56, "I"), "ebp": (60, "I"), "esi": (64, "I"), "edi": (68, "I"),
        "es": (72, "H"), "cs": (76, "H"), "ss": (80, "H"), "ds": (84, "H"), "fs": (88, "H"), "gs": (92, "H"),
        "ldt": (96, "H"), "io_map_base": (102, "H"),
    }  # fmt: skip
    raw = bytearray(104)
    for number, (offset, form) in enumerate(words.values(), start=1):
        struct.pack_into(f"<{form}", raw, offset, 0x1000 + number)
    raw[100] = 1
    tss = Tss32.decode(bytes(raw))
    for number, name in enumerate(words, start=1):
        assert getattr(tss, name) == 0x1000 + number, name
    assert tss.trap is True


def test_the_16_bit_tss_has_22_words_where_figure_7_10_draws_them() -> None:
    raw = struct.pack("<22H", *range(1, 23))
    tss = Tss16.decode(raw)
    assert (tss.link, tss.sp0, tss.ss0, tss.sp1, tss.ss1, tss.sp2, tss.ss2) == (1, 2, 3, 4, 5, 6, 7)
    assert (tss.ip, tss.flags) == (8, 9)
    assert (tss.ax, tss.cx, tss.dx, tss.bx, tss.sp, tss.bp, tss.si, tss.di) == tuple(range(10, 18))
    assert (tss.es, tss.cs, tss.ss, tss.ds, tss.ldt) == (18, 19, 20, 21, 22)
    assert tss.encode() == raw
