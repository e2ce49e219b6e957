"""What the processor says about an exception."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idtviz.x86.error_codes import (
    ControlProtectionCode,
    PageFaultCode,
    PlainErrorCode,
    SelectorErrorCode,
    ZeroErrorCode,
    decode,
    describe,
    idt_error,
    selector_error,
)
from idtviz.x86.vectors import VECTORS


@pytest.mark.parametrize(
    ("code", "names", "text"),
    [
        (0x0, (), "read · supervisor · page not present"),
        (0x2, ("W",), "write · supervisor · page not present"),
        (0x6, ("W", "U"), "write · ring 3 · page not present"),
        (0x7, ("P", "W", "U"), "write · ring 3 · not allowed by the page"),
        (0x9, ("P", "RSVD"), "read · supervisor · reserved bit set in a page table entry"),
        (0x11, ("P", "I"), "fetch · supervisor · not allowed by the page"),
        (0x25, ("P", "U", "PK"), "read · ring 3 · refused by the protection key"),
        (0x47, ("P", "W", "U", "SS"), "shadow stack write · ring 3 · not allowed by the page"),
        (0x8005, ("P", "U", "SGX"), "read · ring 3 · refused by SGX"),
    ],
)
def test_a_page_fault_code_says_the_access_the_privilege_and_the_cause(
    code: int, names: tuple[str, ...], text: str
) -> None:
    assert PageFaultCode(code).names() == names
    assert PageFaultCode(code).explain() == describe(14, code) == text


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0x42, "IDT entry 8"),
        (0x43, "IDT entry 8 · external"),
        (0x49, "GDT selector 0x48 · external"),
        (0x48, "GDT selector 0x48"),
        (0x4C, "LDT selector 0x4c"),
        (0, "no selector"),
        (1, "no selector · external"),
        (0x46, "IDT entry 8"),
    ],
)
def test_a_selector_code_names_the_gate_or_the_selector_at_fault(code: int, text: str) -> None:
    assert SelectorErrorCode(code).explain() == describe(13, code) == text


def test_a_selector_code_has_its_parts_where_section_6_13_draws_them() -> None:
    code = SelectorErrorCode(0x4D)
    assert (code.ext, code.idt, code.ti, code.index, code.table) == (True, False, True, 9, "LDT")
    assert code.selector.value == 0x4C
    assert SelectorErrorCode(0x33).table == "IDT"


def test_a_gate_that_is_not_present_is_named_with_the_idt_bit_and_ext() -> None:
    assert idt_error(6, ext=True) == 0x33
    assert idt_error(6, ext=False) == 0x32
    assert idt_error(255, ext=True) == 0x7FB


def test_a_selector_in_an_error_code_loses_its_rpl() -> None:
    assert selector_error(0x4B, ext=False) == 0x48
    assert selector_error(0x48, ext=True) == 0x49
    assert selector_error(0x0F, ext=False) == 0x0C


@given(st.integers(0, 255), st.booleans())
def test_the_code_of_a_gate_reads_back_as_that_gate(vector: int, ext: bool) -> None:
    code = SelectorErrorCode(idt_error(vector, ext))
    assert (code.idt, code.index, code.ext) == (True, vector, ext)


@given(st.integers(0, 0xFFFF), st.booleans())
def test_the_code_of_a_selector_reads_back_as_that_selector(selector: int, ext: bool) -> None:
    code = SelectorErrorCode(selector_error(selector, ext))
    assert code.selector.value == selector & ~3
    assert (code.ext, code.idt) == (ext, False)


@pytest.mark.parametrize(
    ("vector", "format_"),
    [
        (8, ZeroErrorCode),
        (10, SelectorErrorCode),
        (11, SelectorErrorCode),
        (12, SelectorErrorCode),
        (13, SelectorErrorCode),
        (14, PageFaultCode),
        (17, ZeroErrorCode),
        (21, ControlProtectionCode),
        (29, PlainErrorCode),
        (30, PlainErrorCode),
        (32, PlainErrorCode),
    ],
)
def test_each_exception_has_its_own_format_of_error_code(vector: int, format_: type) -> None:
    assert type(decode(vector, 0)) is format_


@pytest.mark.parametrize(
    ("vector", "code", "text"),
    [
        (8, 0, "always 0"),
        (17, 4, "0x4, but the processor pushes 0"),
        (21, 3, "missing ENDBRANCH"),
        (21, 0x8001, "near RET · in an enclave"),
        (21, 99, "control protection cause 99"),
        (29, 0x72, "code 0x72"),
    ],
)
def test_the_rarer_error_codes_are_described_too(vector: int, code: int, text: str) -> None:
    assert describe(vector, code) == text


@given(st.sampled_from([v.number for v in VECTORS if v.error_code]), st.integers(0, (1 << 64) - 1))
def test_any_word_that_lies_in_the_place_of_an_error_code_can_be_described(vector: int, code: int) -> None:
    assert describe(vector, code)
    assert decode(vector, code).value == code
