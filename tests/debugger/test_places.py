"""The MOMENT language, and the names that it looks up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idtviz.debugger import symbols
from idtviz.debugger.moment import Moment
from idtviz.debugger.places import PlaceError, PlaceKind, parse
from idtviz.debugger.symbols import Symbols
from tests.debugger.sessions import SCENARIOS

ELF = (SCENARIOS / "page_fault.elf").read_bytes()
NAMES = symbols.from_elf(ELF)


@pytest.mark.parametrize(
    ("text", "kind", "value", "occurrence", "steps"),
    [
        ("812", PlaceKind.COUNT, 812, 1, 0),
        ("812+3", PlaceKind.COUNT, 812, 1, 3),
        ("delivery:0", PlaceKind.DELIVERY, 0, 1, 0),
        ("delivery:3+2", PlaceKind.DELIVERY, 3, 1, 2),
        ("#PF", PlaceKind.VECTOR, 14, 1, 0),
        ("#PF:2+7", PlaceKind.VECTOR, 14, 2, 7),
        ("irq1", PlaceKind.IRQ, 1, 1, 0),
        ("IRQ15:4", PlaceKind.IRQ, 15, 4, 0),
        ("int 0x80", PlaceKind.VECTOR, 0x80, 1, 0),
        ("0x1000", PlaceKind.ADDRESS, 0x1000, 1, 0),
        ("end", PlaceKind.END, 0, 1, 0),
    ],
)
def test_a_place_reads_as_the_contract_says(
    text: str, kind: PlaceKind, value: int, occurrence: int, steps: int
) -> None:
    place = parse(text, Symbols())
    assert (place.kind, place.value, place.occurrence, place.steps) == (kind, value, occurrence, steps)


def test_a_symbol_is_the_address_that_the_image_gives_it() -> None:
    place = parse("page_fault_handler:2", NAMES)
    assert (place.kind, place.value, place.occurrence) == (
        PlaceKind.ADDRESS,
        NAMES.address_of("page_fault_handler"),
        2,
    )


@pytest.mark.parametrize("text", ["", "  ", "#XX", "irq16", "nowhere", "int 256", "#PF:0", "-1", "0xzz", "+3", "812:x"])
def test_a_text_that_names_no_place_is_refused_in_words(text: str) -> None:
    with pytest.raises(PlaceError) as refused:
        parse(text, NAMES)
    assert str(refused.value)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(text=st.text(max_size=12))
def test_any_text_is_a_place_or_a_place_error(text: str) -> None:
    try:
        parse(text, NAMES)
    except PlaceError:
        return


@given(moments=st.lists(st.builds(Moment, st.integers(0, 9), st.integers(0, 3)), min_size=2, max_size=8))
def test_moments_are_ordered_and_print_as_places_that_name_them(moments: list[Moment]) -> None:
    for moment in sorted(moments):
        place = parse(str(moment), Symbols())
        assert Moment(place.value, place.steps) == moment


@settings(max_examples=120, deadline=None, derandomize=True)
@given(length=st.integers(0, len(ELF)))
def test_symbols_of_an_elf_cut_short_are_what_can_be_read(length: int) -> None:
    found = symbols.from_elf(ELF[:length])
    assert {symbol.name for symbol in found.all} <= {symbol.name for symbol in NAMES.all}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    spots=st.lists(st.tuples(st.integers(0, len(ELF) - 1), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6)
)
def test_symbols_of_an_elf_with_garbage_in_it_never_raise(spots: list[tuple[int, bytes]]) -> None:
    raw = bytearray(ELF)
    for at, garbage in spots:
        raw[at : at + len(garbage)] = garbage
    found = symbols.from_elf(bytes(raw))
    found.name(0x100000)
    found.line(0x100000)


@pytest.mark.parametrize("header", range(64))
def test_an_elf_header_with_any_byte_turned_over_never_raises(header: int) -> None:
    for mask in (0xFF, 0x01, 0x80):
        raw = bytearray(ELF)
        raw[header] ^= mask
        symbols.from_elf(bytes(raw))
