"""Words of the local APIC and of the I/O APIC, bit by bit."""

from __future__ import annotations

import pytest

from idtviz.x86.apic import ApicBase, Icr, LvtEntry, Redirection
from idtviz.x86.fields import Structure


@pytest.mark.parametrize("kind", [ApicBase, LvtEntry, Icr, Redirection])
def test_every_bit_belongs_to_one_field(kind: type[Structure]) -> None:
    covered = 0
    for field in kind(0).fields:
        mask = ((1 << field.width) - 1) << field.low
        assert not covered & mask, field.name
        covered |= mask
    assert covered == (1 << 8 * kind.SIZE) - 1


def test_a_bios_leaves_a_bootstrap_processor_with_an_enabled_apic_at_fee00000() -> None:
    base = ApicBase(0xFEE0_0900)
    assert (base.bsp, base.enabled, base.x2apic, base.page << 12) == (True, True, False, 0xFEE0_0000)
    assert base.names() == ("EN", "BSP")


def test_the_timers_entry_tells_vector_mask_and_mode() -> None:
    entry = LvtEntry(0x3_0040)
    meanings = {field.name: field.meaning for field in entry.fields}
    assert (entry.vector, entry.masked, entry.timer_mode) == (0x40, True, 1)
    assert meanings["timer mode"] == "periodic"
    assert meanings["mask"] == "masked: no interrupt"


def test_lint0_after_a_bios_is_extint() -> None:
    assert {field.name: field.meaning for field in LvtEntry(0x8700).fields}["delivery mode"] == "ExtINT"


def test_a_redirection_entry_has_its_destination_in_the_highest_byte() -> None:
    entry = Redirection(0x0300_0000_0000_A931)
    assert (entry.vector, entry.mode, entry.logical, entry.active_low, entry.level) == (0x31, 1, True, True, True)
    assert (entry.masked, entry.remote_irr, entry.destination) == (False, False, 3)


def test_an_ipi_to_all_but_itself_says_so() -> None:
    icr = Icr(0xC_4500)
    assert (icr.mode, icr.assert_, icr.shorthand) == (5, True, 3)
    assert {field.name: field.meaning for field in icr.fields}["destination shorthand"] == "all excluding self"
