"""What a vector selects, against encodings worked out from the manual's figures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idtviz.x86.gates import Gate32, Gate64, IvtEntry
from idtviz.x86.tss import ist_offset

INTERRUPT_GATE = bytes.fromhex("3412 0800 00 8e 0080 ffffffff 00000000")
"""Offset 0xffffffff80001234, selector 8, IST 0, type 0xE, DPL 0, P=1, by SDM 3A 6.14.1."""


def test_a_64_bit_interrupt_gate_decodes_as_section_6_14_1_draws_it() -> None:
    gate = Gate64.decode(INTERRUPT_GATE)
    assert gate.offset == 0xFFFF_FFFF_8000_1234
    assert (gate.selector, gate.ist, gate.type, gate.dpl) == (8, 0, 0xE, 0)
    assert gate.present is True
    assert gate.s is False
    assert (gate.reserved, gate.reserved_high, gate.must_be_zero) == (0, 0, 0)
    assert gate.kind == "interrupt"
    assert gate.is_interrupt_gate
    assert gate.clears_if


def test_a_64_bit_trap_gate_for_ring_3_leaves_if_alone() -> None:
    gate = Gate64.decode(bytes.fromhex("7856 0800 00 ef 3412 00000000 00000000"))
    assert (gate.offset, gate.kind, gate.dpl, gate.present) == (0x12345678, "trap", 3, True)
    assert not gate.is_interrupt_gate
    assert not gate.clears_if


def test_a_gate_with_ist_3_uses_the_third_entry_of_the_interrupt_stack_table() -> None:
    gate = Gate64.decode(INTERRUPT_GATE[:4] + b"\x03" + INTERRUPT_GATE[5:])
    assert gate.ist == 3
    assert ist_offset(gate.ist) == 0x24 + 2 * 8
    ist = next(field for field in gate.fields if field.name == "IST")
    assert (ist.bits, ist.value, ist.meaning) == ("34:32", 3, "RSP is loaded from IST3 of the TSS")


def test_the_reserved_bits_beside_ist_are_not_part_of_it() -> None:
    gate = Gate64.decode(INTERRUPT_GATE[:4] + b"\xf8" + INTERRUPT_GATE[5:])
    assert (gate.ist, gate.reserved) == (0, 0x1F)


@pytest.mark.parametrize(
    ("dword", "must_be_zero"), [(0x1F00, 0x1F), (0x0100, 1), (0x1000, 0x10), (0xFFFF_E0FF, 0), (0, 0)]
)
def test_only_bits_12_to_8_of_the_fourth_dword_of_a_gate_must_be_zero(dword: int, must_be_zero: int) -> None:
    gate = Gate64.decode(INTERRUPT_GATE[:12] + dword.to_bytes(4, "little"))
    assert gate.reserved_high == dword
    assert gate.must_be_zero == must_be_zero


@pytest.mark.parametrize(
    ("type_", "s", "kind"),
    [
        (0xE, False, "interrupt"),
        (0xF, False, "trap"),
        (0x5, False, "task"),
        (0xC, False, "call"),
        (0x6, False, "reserved"),
        (0x0, False, "reserved"),
        (0xE, True, "code or data"),
    ],
)
def test_a_64_bit_gate_is_named_by_its_type_and_s(type_: int, s: bool, kind: str) -> None:
    gate = Gate64(type=type_, s=s)
    assert gate.kind == kind
    assert gate.is_interrupt_gate == (kind == "interrupt")


@pytest.mark.parametrize(
    ("type_", "kind", "clears_if"),
    [
        (0x4, "call16", False),
        (0x5, "task", False),
        (0x6, "interrupt16", True),
        (0x7, "trap16", False),
        (0xC, "call", False),
        (0xE, "interrupt", True),
        (0xF, "trap", False),
        (0x8, "reserved", False),
    ],
)
def test_an_8_byte_gate_is_named_by_its_type(type_: int, kind: str, clears_if: bool) -> None:
    gate = Gate32(type=type_)
    assert gate.kind == kind
    assert gate.clears_if == clears_if


def test_a_32_bit_interrupt_gate_decodes_as_figure_6_2_draws_it() -> None:
    gate = Gate32.decode(bytes.fromhex("7856 0800 00 8e 3412"))
    assert (gate.offset, gate.selector, gate.type, gate.dpl, gate.present) == (0x12345678, 8, 0xE, 0, True)


def test_a_16_bit_gate_uses_only_the_low_word_of_its_offset_and_keeps_the_other() -> None:
    raw = bytes.fromhex("7856 0800 00 86 3412")
    gate = Gate32.decode(raw)
    assert gate.kind == "interrupt16"
    assert gate.offset == 0x5678
    assert gate.raw_offset == 0x12345678
    assert gate.encode() == raw


@given(st.binary(min_size=8, max_size=8))
def test_an_8_byte_gate_has_16_offset_bits_exactly_when_it_is_a_16_bit_gate(raw: bytes) -> None:
    gate = Gate32.decode(raw)
    assert gate.offset == (gate.raw_offset & 0xFFFF if gate.kind.endswith("16") else gate.raw_offset)


def test_a_call_gate_counts_its_parameters() -> None:
    gate = Gate32(type=0xC, count=5)
    assert gate.count == 5
    assert "5 parameters" in next(field.meaning for field in gate.fields if field.name == "count")
    assert next(field.meaning for field in Gate32(type=0xE).fields if field.name == "count") == "not used"


def test_an_ivt_entry_is_an_offset_and_then_a_segment() -> None:
    entry = IvtEntry.decode(bytes.fromhex("53ff 00f0"))
    assert (entry.offset, entry.segment, entry.linear) == (0xFF53, 0xF000, 0xFFF53)


def test_the_highest_ivt_entry_points_past_the_first_mebibyte() -> None:
    assert IvtEntry(0xFFFF_FFFF).linear == 0x10FFEF
