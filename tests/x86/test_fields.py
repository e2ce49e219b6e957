"""Every structure keeps every bit, names every bit, and can be edited by name."""

import copy
import pickle
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idtviz.x86.control import CR0_PG, Cr0, Cr3, Cr4, Efer
from idtviz.x86.descriptors import SegmentDescriptor, SystemDescriptor64
from idtviz.x86.error_codes import (
    ControlProtectionCode,
    PageFaultCode,
    PlainErrorCode,
    SelectorErrorCode,
    ZeroErrorCode,
)
from idtviz.x86.fields import Bits, Field, Flag, Structure
from idtviz.x86.flags import RFlags
from idtviz.x86.gates import Gate32, Gate64, IvtEntry
from idtviz.x86.paging import (
    PaePage2MiB,
    PaePage4KiB,
    PaeTableReference,
    Page1GiB,
    Page2MiB,
    Page4KiB,
    Page4KiB32,
    Page4MiB,
    Pdpte,
    TableReference,
    TableReference32,
)
from idtviz.x86.selectors import Selector
from idtviz.x86.tss import Tss32, Tss64

SIZES = {
    Selector: 2,
    Gate64: 16,
    Gate32: 8,
    IvtEntry: 4,
    SegmentDescriptor: 8,
    SystemDescriptor64: 16,
    Tss64: 104,
    Tss32: 104,
    RFlags: 8,
    Cr0: 8,
    Cr3: 8,
    Cr4: 8,
    Efer: 8,
    PageFaultCode: 8,
    SelectorErrorCode: 8,
    ControlProtectionCode: 8,
    ZeroErrorCode: 8,
    PlainErrorCode: 8,
    TableReference: 8,
    Page1GiB: 8,
    Page2MiB: 8,
    Page4KiB: 8,
    Pdpte: 8,
    PaeTableReference: 8,
    PaePage2MiB: 8,
    PaePage4KiB: 8,
    TableReference32: 4,
    Page4MiB: 4,
    Page4KiB32: 4,
}
every_structure = pytest.mark.parametrize("structure", SIZES, ids=lambda structure: structure.__name__)


@every_structure
def test_a_structure_has_the_size_that_the_manual_gives_it(structure: type[Structure]) -> None:
    expected = SIZES[structure]
    assert structure.SIZE == len(structure().encode()) == expected


@every_structure
@given(data=st.data())
def test_any_bytes_decode_and_encode_back_to_themselves(structure: type[Structure], data: st.DataObject) -> None:
    raw = data.draw(st.binary(min_size=structure.SIZE, max_size=structure.SIZE))
    assert structure.decode(raw).encode() == raw


@every_structure
@given(data=st.data())
def test_the_fields_hold_every_bit_once_and_say_what_it_means(structure: type[Structure], data: st.DataObject) -> None:
    raw = data.draw(st.binary(min_size=structure.SIZE, max_size=structure.SIZE))
    fields = structure.decode(raw).fields
    next_bit = 0
    for field in fields:
        assert field.low == next_bit
        assert 0 <= field.value < 1 << field.width
        assert field.name
        assert field.meaning
        next_bit = field.high + 1
    assert next_bit == 8 * structure.SIZE
    assert sum(field.value << field.low for field in fields) == int.from_bytes(raw, "little")


@every_structure
def test_the_names_of_the_fields_of_a_structure_differ(structure: type[Structure]) -> None:
    names = [field.name for field in structure().fields]
    assert len(set(names)) == len(names)


@every_structure
@given(data=st.data())
def test_a_field_can_be_edited_by_its_name_and_nothing_else_changes(
    structure: type[Structure], data: st.DataObject
) -> None:
    before = structure.decode(data.draw(st.binary(min_size=structure.SIZE, max_size=structure.SIZE)))
    chosen = data.draw(st.sampled_from(before.fields))
    number = data.draw(st.integers(0, (1 << chosen.width) - 1))
    after = before.with_field(chosen.name, number)
    for old, new in zip(before.fields, after.fields, strict=True):
        assert new.value == (number if old.name == chosen.name else old.value)


@every_structure
def test_bytes_of_another_length_are_refused(structure: type[Structure]) -> None:
    with pytest.raises(ValueError, match=f"{structure.__name__} has {structure.SIZE} bytes, not {structure.SIZE - 1}"):
        structure.decode(bytes(structure.SIZE - 1))


@every_structure
def test_a_structure_survives_copying_and_pickling(structure: type[Structure]) -> None:
    value = structure((1 << 8 * structure.SIZE) - 1)
    assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value
    assert hash(copy.copy(value)) == hash(value)


def test_a_field_writes_its_position_as_the_manuals_do() -> None:
    assert Field("DPL", 46, 45, 3, "").bits == "46:45"
    assert Field("DPL", 46, 45, 3, "").width == 2
    assert Field("P", 47, 47, 1, "").bits == "47"
    assert Field("P", 47, 47, 1, "").width == 1


def test_a_structure_can_be_built_from_the_names_of_its_fields() -> None:
    gate = Gate64(offset=0xFFFFFFFF80001234, selector=8, type=0xE, present=True)
    assert gate == Gate64(0x00000000_FFFFFFFF_80008E00_00081234)


def test_a_split_field_can_be_edited_whole_or_by_its_parts() -> None:
    gate = Gate64().with_field("offset", 0x1111_2222_3333_4444)
    assert gate.offset == 0x1111_2222_3333_4444
    assert gate.with_field("offset 31:16", 0).offset == 0x1111_2222_0000_4444


@every_structure
def test_the_whole_fields_hold_every_bit_once_with_a_split_field_as_one(structure: type[Structure]) -> None:
    assert sum(bits.mask for bits in structure.WHOLE) == (1 << 8 * SIZES[structure]) - 1
    assert len({bits.name for bits in structure.WHOLE}) == len(structure.WHOLE)


def test_a_split_field_writes_all_its_positions_and_says_what_it_means_as_a_whole() -> None:
    offset = next(bits for bits in Gate64.WHOLE if bits.name == "offset")
    assert offset.bits == "15:0 63:48 95:64"
    assert offset.explain(Gate64(offset=1)) == "linear address of the handler"


def test_a_field_answers_to_the_name_on_the_screen_and_to_the_one_in_python() -> None:
    assert Gate64().with_field("P", 1) == Gate64().with_field("present", True)


def test_a_number_wider_than_its_field_is_refused_with_the_range() -> None:
    with pytest.raises(ValueError, match=r"DPL has 2 bits: 0x4 is outside 0\.\.0x3"):
        Gate64().with_field("dpl", 4)
    with pytest.raises(ValueError, match=r"P has 1 bit: 0x2 is outside 0\.\.0x1"):
        Gate64().with_field("P", 2)
    with pytest.raises(ValueError, match="IST has 3 bits"):
        Gate64(ist=-1)


def test_an_unknown_field_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(ValueError, match="Selector has no field 'dpl'; it has RPL, TI, index"):
        Selector(8).with_field("dpl", 0)


@pytest.mark.parametrize("value", [-1, 1 << 16])
def test_a_value_that_does_not_fit_in_the_structure_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="Selector has 2 bytes"):
        Selector(value)


def test_structures_are_immutable_and_equal_only_within_their_class() -> None:
    with pytest.raises(FrozenInstanceError):
        Selector(8).value = 16  # type: ignore[misc]
    assert Selector(8) == Selector(8) != Selector(16)
    others: list[Structure] = [SegmentDescriptor(8), IvtEntry(8)]
    assert Gate32(8) not in others


def test_a_structure_shows_all_its_digits() -> None:
    assert repr(Selector(8)) == "Selector(0x0008)"


def test_a_field_read_from_the_class_knows_its_mask_and_offset() -> None:
    assert Cr0.pg.mask == CR0_PG == 1 << 31
    assert Tss64.ist3.byte_offset == 0x34
    assert Gate64.offset.width == 64


def test_bits_without_a_name_become_a_reserved_field_that_complains_when_set() -> None:
    assert [field.bits for field in Selector(0).fields] == ["1:0", "2", "15:3"]
    high = Cr0(1 << 63).fields[-1]
    assert (high.name, high.bits, high.value, high.meaning) == (
        "reserved 63:32",
        "63:32",
        1 << 31,
        "reserved, but not 0",
    )
    assert Cr0(0).fields[-1].meaning == "reserved, 0"


def test_two_fields_cannot_claim_the_same_bit() -> None:
    with pytest.raises(TypeError, match="flag overlaps the field below it"):
        type("Bad", (Structure,), {"SIZE": 1, "low": Bits((7, 3), name="low"), "flag": Flag(3, "flag", "clear", "set")})
