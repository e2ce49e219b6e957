"""RFLAGS, the control registers, and canonical addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idtviz.x86 import control, flags
from idtviz.x86.addresses import MASK64, is_canonical
from idtviz.x86.control import Cr0, Cr3, Cr4, Efer
from idtviz.x86.flags import RFlags


def test_rflags_names_its_set_flags_from_the_highest_bit_down() -> None:
    assert RFlags(0x246).names() == ("IF", "ZF", "PF")
    assert RFlags(0x2).names() == ()
    assert RFlags(0x10202).names() == ("RF", "IF")


def test_rflags_reads_each_flag_by_its_name() -> None:
    value = RFlags(0x3202)
    assert (value.if_, value.iopl, value.cf, value.tf) == (True, 3, False, False)
    assert value.names() == ("IF",)


@pytest.mark.parametrize(
    ("name", "bit"),
    [
        ("CF", 0), ("PF", 2), ("AF", 4), ("ZF", 6), ("SF", 7), ("TF", 8), ("IF", 9), ("DF", 10), ("OF", 11), ("NT", 14),
        ("RF", 16), ("VM", 17), ("AC", 18), ("VIF", 19), ("VIP", 20), ("ID", 21),
    ],
)  # fmt: skip
def test_the_flags_lie_where_figure_3_8_draws_them(name: str, bit: int) -> None:
    assert getattr(flags, name) == 1 << bit
    assert RFlags(1 << bit).names() == (name,)
    assert getattr(RFlags(1 << bit), {"IF": "if_"}.get(name, name.lower())) is True


def test_iopl_is_two_bits_wide() -> None:
    assert flags.IOPL == 0x3000
    assert flags.ALWAYS_SET == 2


@pytest.mark.parametrize(
    ("register", "bits"),
    [
        (Cr0, {"PE": 0, "MP": 1, "EM": 2, "TS": 3, "ET": 4, "NE": 5, "WP": 16, "AM": 18, "NW": 29, "CD": 30, "PG": 31}),
        (
            Cr4,
            {
                "VME": 0, "PVI": 1, "TSD": 2, "DE": 3, "PSE": 4, "PAE": 5, "MCE": 6, "PGE": 7, "PCE": 8, "OSFXSR": 9,
                "OSXMMEXCPT": 10, "UMIP": 11, "LA57": 12, "VMXE": 13, "SMXE": 14, "FSGSBASE": 16, "PCIDE": 17,
                "OSXSAVE": 18, "KL": 19, "SMEP": 20, "SMAP": 21, "PKE": 22, "CET": 23, "PKS": 24, "UINTR": 25,
            },
        ),
        (Efer, {"SCE": 0, "LME": 8, "LMA": 10, "NXE": 11, "SVME": 12, "FFXSR": 14}),
    ],
)  # fmt: skip
def test_the_control_bits_lie_where_the_manual_has_them(register: type[Cr0 | Cr4 | Efer], bits: dict[str, int]) -> None:
    for name, bit in bits.items():
        assert getattr(control, f"{register.__name__.upper()}_{name}") == 1 << bit
        assert register(1 << bit).names() == (name,)


def test_the_registers_of_a_long_mode_kernel_read_as_their_names() -> None:
    assert Cr0(0x80010011).names() == ("PG", "WP", "ET", "PE")
    assert Cr4(0x220).names() == ("OSFXSR", "PAE")
    assert Efer(0xD01).names() == ("NXE", "LMA", "LME", "SCE")
    assert (Cr0(0x80010011).wp, Cr0(0x80010011).am) == (True, False)


def test_cr3_holds_the_address_of_the_first_table_and_its_caching() -> None:
    cr3 = Cr3(0x1000 | 1 << 3)
    assert (cr3.address, cr3.names()) == (0x1000, ("PWT",))
    assert next(field.meaning for field in cr3.fields if field.name == "base").endswith("0x1000")


@pytest.mark.parametrize(
    ("address", "canonical"),
    [
        (0, True),
        (0x0000_7FFF_FFFF_FFFF, True),
        (0x0000_8000_0000_0000, False),
        (0xFFFF_7FFF_FFFF_FFFF, False),
        (0xFFFF_8000_0000_0000, True),
        (MASK64, True),
    ],
)
def test_an_address_is_canonical_when_bits_63_to_47_agree(address: int, canonical: bool) -> None:
    assert is_canonical(address) is canonical


@given(st.integers(0, MASK64))
def test_canonical_means_sign_extended_from_bit_47(address: int) -> None:
    assert is_canonical(address) == ((address >> 47) in (0, 0x1FFFF))
