"""Descriptors of the GDT, against constants that every kernel has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idtviz.x86.descriptors import SegmentDescriptor, SystemDescriptor64, decode_table
from idtviz.x86.selectors import Selector

CODE64 = 0x00AF9A00_0000FFFF
CODE32 = 0x00CF9A00_0000FFFF
CODE16 = 0x00009A00_0000FFFF
DATA = 0x00CF9200_0000FFFF
USER_CODE64 = 0x00AFFA00_0000FFFF
USER_DATA = 0x00CFF200_0000FFFF


def tss64(base: int, limit: int, type_: int = 0x9) -> SystemDescriptor64:
    return SystemDescriptor64(base=base, limit=limit, type=type_, present=True)


@pytest.mark.parametrize(
    ("value", "kind", "summary"),
    [
        (CODE64, "code64", "code64 ring 0"),
        (CODE32, "code32", "code32 ring 0"),
        (CODE16, "code16", "code16 ring 0"),
        (DATA, "data", "data ring 0"),
        (USER_CODE64, "code64", "code64 ring 3"),
        (USER_DATA, "data", "data ring 3"),
        (0, "null", "null"),
        (CODE64 & ~(1 << 47), "code64", "code64 ring 0 not present"),
        (0x0000_8B00_0000_0067, "TSS32 busy", "TSS32 busy"),
        (0x0000_8100_0000_002B, "TSS16 available", "TSS16 available"),
        (0x0000_8200_0000_0000, "LDT", "LDT"),
        (0x0000_8C00_0008_0000, "call gate32", "call gate32"),
        (0x0000_8500_0028_0000, "task gate", "task gate"),
        (0x0000_8000_0000_0000, "reserved", "reserved"),
        (CODE64 | 1 << 54, "code reserved (L=1 and D=1)", "code reserved (L=1 and D=1) ring 0"),
    ],
)
def test_a_descriptor_is_named_by_its_type_and_ring(value: int, kind: str, summary: str) -> None:
    descriptor = SegmentDescriptor(value)
    assert (descriptor.kind, descriptor.summary) == (kind, summary)


def test_the_64_bit_code_segment_of_every_kernel_decodes_as_figure_3_8_draws_it() -> None:
    descriptor = SegmentDescriptor(CODE64)
    assert (descriptor.base, descriptor.limit, descriptor.type, descriptor.dpl) == (0, 0xFFFFF, 0xA, 0)
    assert (descriptor.s, descriptor.present, descriptor.avl) == (True, True, False)
    assert (descriptor.l, descriptor.db, descriptor.g) == (True, False, True)
    assert descriptor.byte_limit == 0xFFFF_FFFF
    assert (descriptor.is_code, descriptor.is_data, descriptor.is_system) == (True, False, False)
    assert (descriptor.readable, descriptor.writable, descriptor.conforming) == (True, False, False)
    assert not descriptor.accessed


def test_a_data_segment_is_readable_and_with_w_set_writable() -> None:
    descriptor = SegmentDescriptor(DATA)
    assert (descriptor.is_code, descriptor.is_data) == (False, True)
    assert (descriptor.readable, descriptor.writable, descriptor.expand_down) == (True, True, False)
    assert not descriptor.with_field("type", 0).writable


@pytest.mark.parametrize(
    ("type_", "conforming", "expand_down", "readable", "meaning"),
    [
        (0x8, False, False, False, "execute"),
        (0xB, False, False, True, "execute, read, accessed"),
        (0xE, True, False, True, "execute, read, conforming"),
        (0x6, False, True, True, "read, write, expand down"),
    ],
)
def test_bit_2_of_the_type_conforms_code_and_turns_data_downward(
    type_: int, conforming: bool, expand_down: bool, readable: bool, meaning: str
) -> None:
    descriptor = SegmentDescriptor(s=True, type=type_)
    assert (descriptor.conforming, descriptor.expand_down, descriptor.readable) == (conforming, expand_down, readable)
    assert next(field.meaning for field in descriptor.fields if field.name == "type") == meaning


@given(st.binary(min_size=8, max_size=8))
def test_a_system_descriptor_has_no_rights_of_a_segment(raw: bytes) -> None:
    descriptor = SegmentDescriptor.decode(raw).with_field("S", 0)
    rights = (descriptor.is_code, descriptor.is_data, descriptor.readable, descriptor.writable, descriptor.accessed)
    assert not any(rights)


def test_the_granularity_bit_scales_the_limit_to_4_kib_units() -> None:
    assert SegmentDescriptor(limit=0x10, g=False).byte_limit == 0x10
    assert SegmentDescriptor(limit=0x10, g=True).byte_limit == 0x10FFF


def test_the_base_of_a_descriptor_is_gathered_from_its_three_places() -> None:
    descriptor = SegmentDescriptor.decode(bytes.fromhex("ffff 7856 34 92 cf 12"))
    assert descriptor.base == 0x12345678
    assert descriptor.limit == 0xFFFFF


def test_a_64_bit_tss_descriptor_has_a_64_bit_base() -> None:
    raw = bytes.fromhex("6700 0050 00 8b 00 80 ffffffff 00000000")
    descriptor = SystemDescriptor64.decode(raw)
    assert descriptor.base == 0xFFFF_FFFF_8000_5000
    assert (descriptor.byte_limit, descriptor.kind, descriptor.reserved_high) == (0x67, "TSS64 busy", 0)
    assert descriptor.summary == "TSS64 busy"
    assert descriptor.encode() == raw


def test_a_table_of_long_mode_gives_a_tss_two_slots() -> None:
    tss = tss64(0xFFFF_FFFF_8000_5000, 0x67)
    raw = b"".join(x.to_bytes(8, "little") for x in (0, CODE64, DATA)) + tss.encode() + USER_DATA.to_bytes(8, "little")
    entries = decode_table(raw, long=True)
    assert [(entry.offset, entry.size) for entry in entries] == [(0, 8), (8, 8), (16, 8), (24, 16), (40, 8)]
    assert [entry.descriptor.summary for entry in entries] == [
        "null",
        "code64 ring 0",
        "data ring 0",
        "TSS64 available",
        "data ring 3",
    ]
    assert entries[3].descriptor == tss


@pytest.mark.parametrize(("type_", "size"), [(2, 16), (9, 16), (11, 16), (12, 16), (1, 8), (5, 8), (14, 8)])
def test_only_ldt_tss_and_call_gate_take_16_bytes_in_long_mode(type_: int, size: int) -> None:
    raw = SegmentDescriptor(type=type_).encode() + bytes(8)
    assert decode_table(raw, long=True)[0].size == size
    assert decode_table(raw, long=False)[0].size == 8


def test_a_code_segment_whose_type_looks_like_a_tss_takes_8_bytes() -> None:
    assert decode_table(SegmentDescriptor(s=True, type=9).encode() + bytes(8), long=True)[0].size == 8


def test_an_entry_that_the_limit_cuts_short_is_left_out() -> None:
    tss = tss64(0x5000, 0x67).encode()
    assert decode_table(bytes(8) + tss[:15], long=True)[1:] == ()
    assert len(decode_table(bytes(8) + tss[:15], long=False)) == 2
    assert decode_table(bytes(7), long=True) == ()


@given(st.binary(max_size=200), st.booleans())
def test_the_entries_of_a_table_encode_back_to_its_bytes(raw: bytes, long: bool) -> None:
    entries = decode_table(raw, long)
    encoded = b"".join(entry.descriptor.encode() for entry in entries)
    assert raw.startswith(encoded)
    assert [entry.offset for entry in entries] == [
        sum(entry.size for entry in entries[:place]) for place in range(len(entries))
    ]


def test_a_selector_is_an_index_a_table_and_a_privilege() -> None:
    selector = Selector(0x2B)
    assert (selector.index, selector.ti, selector.rpl, selector.offset, selector.table) == (5, False, 3, 0x28, "GDT")
    assert selector.explain() == "GDT entry 5, RPL 3"
    assert (Selector(0x0F).index, Selector(0x0F).table) == (1, "LDT")


@pytest.mark.parametrize(("value", "null"), [(0, True), (3, True), (4, False), (7, False), (8, False)])
def test_a_selector_is_null_with_any_rpl_but_only_in_the_gdt(value: int, null: bool) -> None:
    assert Selector(value).null is null
