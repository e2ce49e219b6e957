"""The local APIC: registers, priorities, messages and pins."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idtviz.machine.chips.lapic_state import AFTER_RESET, why_held
from tests.machine.chips.apics import Apics

ID, VERSION, TPR, PPR, EOI, LDR, DFR, SVR = 0x20, 0x30, 0x80, 0xA0, 0xB0, 0xD0, 0xE0, 0xF0
ISR, TMR, IRR, ESR, ICR, ICR_HIGH = 0x100, 0x180, 0x200, 0x280, 0x300, 0x310
LVT_LINT0, LVT_LINT1, LVT_ERROR = 0x350, 0x360, 0x370
ENABLED = replace(AFTER_RESET, svr=0x1FF)
MASKED = 0x10000


def accepting(*vectors: int, level: bool = False) -> Apics:
    apics = Apics(ENABLED)
    for vector in vectors:
        assert apics.lapic.accept(vector, level_triggered=level)
    return apics


def vectors(apics: Apics, first: int) -> list[int]:
    """The bits that are set in eight registers, 16 bytes apart."""
    return [32 * word + bit for word in range(8) for bit in range(32) if apics.read(first + 16 * word) >> bit & 1]


def test_after_a_reset_it_is_version_14_with_six_masked_entries_and_software_disabled() -> None:
    apics = Apics(AFTER_RESET)
    assert apics.read(VERSION) == 0x0005_0014
    assert [apics.read(0x320 + 16 * entry) for entry in range(6)] == [MASKED] * 6
    assert (apics.read(SVR), apics.read(DFR), apics.read(TPR), apics.read(ID)) == (0xFF, 0xFFFF_FFFF, 0, 0)
    assert not apics.lapic.accept(0x40, level_triggered=False)


def test_an_interrupt_goes_from_the_irr_to_the_isr_and_away_with_the_eoi() -> None:
    apics = accepting(0x41)
    assert vectors(apics, IRR) == [0x41]
    assert apics.lapic.intr
    assert apics.lapic.acknowledge() == 0x41
    assert (vectors(apics, IRR), vectors(apics, ISR), apics.lapic.intr) == ([], [0x41], False)
    apics.write(EOI, 0)
    assert vectors(apics, ISR) == []
    assert apics.eois == [0x41]


def test_an_eoi_with_nothing_in_service_clears_nothing() -> None:
    apics = accepting(0x41)
    apics.write(EOI, 0)
    assert (apics.eois, vectors(apics, IRR)) == ([None], [0x41])


def test_the_highest_vector_goes_first_and_nests_only_above_the_class_in_service() -> None:
    apics = accepting(0x41, 0x58)
    assert apics.lapic.acknowledge() == 0x58
    assert apics.read(PPR) == 0x50
    assert not apics.lapic.intr
    assert why_held(apics.lapic.state, 0x41) == "vector 0x58 of class 5 is in service (no EOI yet)"
    apics.lapic.accept(0x5F, level_triggered=False)
    assert not apics.lapic.intr, "a higher vector of the same class waits"
    apics.lapic.accept(0x60, level_triggered=False)
    assert why_held(apics.lapic.state, 0x60) is None
    assert apics.lapic.acknowledge() == 0x60
    assert vectors(apics, ISR) == [0x58, 0x60]
    apics.write(EOI, 0)
    apics.write(EOI, 0)
    assert [apics.lapic.acknowledge(), apics.read(PPR)] == [0x5F, 0x50]
    assert apics.eois == [0x60, 0x58]


def test_a_vector_of_a_lower_place_in_the_irr_waits_for_the_one_above() -> None:
    apics = accepting(0x41, 0x58)
    assert why_held(apics.lapic.state, 0x41) == "vector 0x58 is higher and goes first"
    assert why_held(apics.lapic.state, 0x42) is None


def test_the_same_vector_comes_again_only_after_its_eoi() -> None:
    apics = accepting(0x41)
    apics.lapic.acknowledge()
    apics.lapic.accept(0x41, level_triggered=False)
    assert not apics.lapic.intr
    assert why_held(apics.lapic.state, 0x41) == "vector 0x41 itself is still in service (no EOI yet)"
    apics.write(EOI, 0)
    assert apics.lapic.acknowledge() == 0x41


def test_the_tpr_holds_back_its_class_and_those_below_and_cr8_is_its_upper_half() -> None:
    apics = accepting(0x4F)
    apics.write(TPR, 0x41)
    assert (apics.lapic.intr, apics.read(PPR), apics.lapic.task_priority) == (False, 0x41, 4)
    assert why_held(apics.lapic.state, 0x4F) == "its class 4 is not above the TPR's (0x41, CR8 = 4)"
    apics.lapic.task_priority = 3
    assert (apics.lapic.intr, apics.read(TPR)) == (True, 0x30)


@given(tpr=st.integers(0, 0xFF), in_service=st.sets(st.integers(16, 255), max_size=3), vector=st.integers(16, 255))
def test_only_a_class_above_the_tpr_and_all_in_service_is_deliverable(
    tpr: int, in_service: set[int], vector: int
) -> None:
    state = replace(ENABLED, tpr=tpr, isr=sum(1 << each for each in in_service), irr=1 << vector)
    apics = Apics(state)
    free = all(vector // 16 > other // 16 for other in (tpr, *in_service))
    assert apics.lapic.intr == free
    assert (why_held(state, vector) is None) == free


def test_a_request_that_is_gone_at_the_acknowledge_gives_the_spurious_vector_and_no_isr_bit() -> None:
    apics = accepting(0x41)
    apics.write(SVR, 0x1EF)
    assert apics.lapic.intr
    apics.write(TPR, 0xF0)
    assert apics.lapic.acknowledge() == 0xEF
    assert (vectors(apics, ISR), vectors(apics, IRR)) == ([], [0x41])


def test_what_stands_in_the_irr_is_kept_and_offered_while_software_disabled() -> None:
    apics = accepting(0x41)
    apics.write(SVR, 0xFF)
    assert not apics.lapic.accept(0x42, level_triggered=False)
    assert apics.lapic.acknowledge() == 0x41


def test_software_disabling_masks_every_lvt_entry_and_enabling_leaves_them_masked() -> None:
    apics = Apics(ENABLED)
    apics.write(LVT_ERROR, 0xFE)
    apics.write(SVR, 0xFF)
    assert apics.read(LVT_ERROR) == MASKED | 0xFE
    apics.write(LVT_ERROR, 0xFE)
    assert apics.read(LVT_ERROR) == MASKED | 0xFE, "an attempt to clear the mask is ignored"
    apics.write(SVR, 0x1FF)
    assert apics.read(LVT_ERROR) == MASKED | 0xFE


def test_reserved_and_read_only_bits_of_a_register_do_not_change() -> None:
    apics = Apics(ENABLED)
    for offset, stays in (
        (0x320, 0x300FF),
        (0x330, 0x107FF),
        (0x340, 0x107FF),
        (LVT_LINT0, 0x1A7FF),
        (LVT_LINT1, 0x1A7FF),
        (LVT_ERROR, 0x100FF),
        (SVR, 0x1FF),
        (TPR, 0xFF),
        (ID, 0xFF00_0000),
        (LDR, 0xFF00_0000),
        (ICR_HIGH, 0xFF00_0000),
        (0x3E0, 0xB),
        (0x380, 0xFFFF_FFFF),
    ):
        apics.write(offset, 0xFFFF_FFFF)
        assert apics.read(offset) == stays, hex(offset)
    for offset in (VERSION, PPR, ISR, TMR, IRR, 0x90, 0xC0):
        before = apics.read(offset)
        apics.write(offset, 0xFFFF_FFFF)
        assert apics.read(offset) == before, hex(offset)
    apics.write(DFR, 0)
    assert apics.read(DFR) == 0x0FFF_FFFF
    assert apics.lapic.state.errors == 0


@pytest.mark.parametrize(("offset", "size"), [(0x30, 1), (0x30, 2), (0x30, 8), (0x34, 4), (0x31, 4)])
def test_only_four_bytes_at_a_multiple_of_sixteen_are_defined(offset: int, size: int) -> None:
    apics = Apics()
    assert apics.lapic.read_memory(offset, size) == 0
    apics.lapic.write_memory(TPR + (offset & 0xF), size, 0x55)
    assert apics.lapic.task_priority == 0


# Errors


def test_an_access_to_a_reserved_register_is_an_error_that_the_next_esr_write_shows() -> None:
    apics = Apics(ENABLED)
    assert apics.read(0x2F0) == 0
    apics.write(0x400, 1)
    assert apics.read(ESR) == 0
    apics.write(ESR, 0)
    assert apics.read(ESR) == 0x80
    apics.write(ESR, 0)
    assert apics.read(ESR) == 0


def test_an_error_interrupts_once_until_the_esr_is_written() -> None:
    apics = Apics(ENABLED)
    apics.write(LVT_ERROR, 0xFE)
    apics.read(0x40)
    assert apics.lapic.acknowledge() == 0xFE
    apics.write(EOI, 0)
    apics.read(0x40)
    assert not apics.lapic.intr
    apics.write(ESR, 0)
    apics.read(0x40)
    assert apics.lapic.acknowledge() == 0xFE


def test_a_vector_below_16_is_an_error_of_the_receiver_and_for_an_ipi_of_the_sender_too() -> None:
    apics = Apics(ENABLED)
    assert not apics.lapic.accept(15, level_triggered=False)
    apics.write(ESR, 0)
    assert apics.read(ESR) == 0x40
    apics.write(ICR, 0x4_0000 | 15)
    apics.write(ESR, 0)
    assert apics.read(ESR) == 0x60
    assert vectors(apics, IRR) == []


# Interprocessor interrupts


@pytest.mark.parametrize(
    ("low", "high", "arrives"),
    [
        (0x4_0041, 0, True),  # self
        (0x8_0041, 0, True),  # all including self
        (0xC_0041, 0, False),  # all excluding self
        (0x4_0141, 0, False),  # self and lowest priority: invalid
        (0x0_0041, 0, True),  # physical, this APIC's ID
        (0x0_0141, 0, True),  # lowest priority among one
        (0x0_0041, 0xFF, True),  # physical, everybody
        (0x0_0041, 1, False),  # physical, nobody
        (0x0_0841, 0x02, True),  # logical, flat
        (0x0_0841, 0x04, False),
    ],
)
def test_an_ipi_arrives_where_its_destination_says(low: int, high: int, arrives: bool) -> None:
    apics = Apics(ENABLED)
    apics.write(LDR, 0x0200_0000)
    apics.write(ICR_HIGH, high << 24)
    apics.write(ICR, low)
    assert vectors(apics, IRR) == ([0x41] if arrives else [])
    assert apics.read(ICR) == low, "the delivery status is idle"


@pytest.mark.parametrize(
    ("mda", "arrives"), [(0x32, True), (0x33, True), (0x31, False), (0x22, False), (0xF2, True), (0xFF, True)]
)
def test_in_the_cluster_model_cluster_and_member_must_match(mda: int, arrives: bool) -> None:
    apics = Apics(ENABLED)
    apics.write(DFR, 0)
    apics.write(LDR, 0x3200_0000)
    apics.write(ICR_HIGH, mda << 24)
    apics.write(ICR, 0x0841)
    assert apics.lapic.intr is arrives


def test_an_nmi_to_itself_is_an_nmi_and_init_and_start_up_to_others_find_nobody() -> None:
    apics = Apics(ENABLED)
    apics.write(ICR, 0x0400)
    assert apics.nmis == 1
    for low in (0xC_4500, 0xC_8500, 0xC_4608):
        apics.write(ICR, low)
        assert apics.read(ICR) == low
    assert (apics.nmis, apics.notes, apics.lapic.intr) == (1, [], False)
    apics.write(ICR, 0x4500)
    assert apics.notes == ["the processor sent INIT to itself, which is not modelled"]


# Pins


def test_after_the_bios_the_8259_pair_interrupts_through_lint0() -> None:
    apics = Apics()
    apics.drive(1, True)
    assert apics.lapic.intr
    assert apics.lapic.acknowledge() is None
    assert apics.pic.acknowledge() == 0x09
    apics.lapic.set_lint0(apics.pic.intr)
    assert not apics.lapic.intr


def test_an_extint_is_not_held_back_by_the_task_priority() -> None:
    apics = Apics()
    apics.lapic.task_priority = 15
    apics.drive(1, True)
    assert apics.lapic.intr
    assert apics.lapic.acknowledge() is None


def test_a_masked_lint0_keeps_the_8259_pair_from_the_processor() -> None:
    apics = Apics()
    apics.write(LVT_LINT0, MASKED | 0x700)
    apics.drive(1, True)
    assert not apics.lapic.intr
    apics.write(LVT_LINT0, 0x700)
    assert apics.lapic.intr


def test_lint1_is_the_nmi_unless_it_is_masked() -> None:
    apics = Apics()
    apics.lapic.set_lint1(True)
    apics.lapic.set_lint1(False)
    apics.write(LVT_LINT1, MASKED | 0x400)
    apics.lapic.set_lint1(True)
    assert apics.nmis == 1


def test_an_active_low_pin_interrupts_when_it_falls() -> None:
    apics = Apics(ENABLED)
    apics.lapic.set_lint1(True)
    apics.write(LVT_LINT1, 0x2041)
    apics.lapic.set_lint1(False)
    assert vectors(apics, IRR) == [0x41]


def test_a_fixed_lint0_takes_one_interrupt_an_edge() -> None:
    apics = Apics(ENABLED)
    apics.write(LVT_LINT0, 0x41)
    apics.lapic.set_lint0(True)
    apics.lapic.set_lint0(True)
    assert apics.lapic.acknowledge() == 0x41
    apics.write(EOI, 0)
    assert not apics.lapic.intr


def test_a_level_triggered_lint0_comes_again_after_each_eoi_while_the_pin_is_active() -> None:
    apics = Apics(ENABLED)
    apics.lapic.set_lint0(True)
    apics.write(LVT_LINT0, 0x8041)
    assert apics.read(LVT_LINT0) == 0xC041
    assert vectors(apics, TMR) == [0x41]
    assert apics.lapic.acknowledge() == 0x41
    assert not apics.lapic.intr
    apics.write(EOI, 0)
    assert apics.lapic.acknowledge() == 0x41
    apics.lapic.set_lint0(False)
    apics.write(EOI, 0)
    assert (apics.lapic.intr, apics.read(LVT_LINT0)) == (False, 0x8041)


# IA32_APIC_BASE


@pytest.mark.parametrize(
    ("first", "then", "allowed"),
    [
        ((), 0xFEE0_0900, True),
        ((), 0xFEE0_0D00, True),  # xAPIC to x2APIC
        ((), 0xFEE0_0100, True),  # xAPIC to disabled
        ((), 0xFEE0_0500, False),  # x2APIC without enable
        ((), 0xFEE0_0901, False),  # a reserved bit
        ((), 1 << 52 | 0xFEE0_0900, False),  # beyond the physical addresses
        ((0xFEE0_0D00,), 0xFEE0_0900, False),  # x2APIC to xAPIC
        ((0xFEE0_0D00,), 0xFEE0_0100, True),  # x2APIC to disabled
        ((0xFEE0_0100,), 0xFEE0_0D00, False),  # disabled to x2APIC
        ((0xFEE0_0100,), 0xFEE0_0900, True),
    ],
)
def test_ia32_apic_base_changes_as_the_manuals_diagram_says(first: tuple[int, ...], then: int, allowed: bool) -> None:
    apics = Apics()
    for value in first:
        assert apics.lapic.write_msr(0x1B, value)
    before = apics.lapic.state
    assert apics.lapic.write_msr(0x1B, then) is allowed
    assert apics.lapic.read_msr(0x1B) == apics.lapic.base == (then if allowed else before.base)
    assert allowed or apics.lapic.state == before


def test_the_registers_cannot_be_moved_and_a_note_says_so() -> None:
    apics = Apics()
    assert not apics.lapic.write_msr(0x1B, 0xFED0_0900)
    assert apics.notes == ["the local APIC's registers cannot be moved to 0xfed00000 here: refused with #GP"]


def test_a_disabled_apic_forgets_everything_and_the_pins_are_intr_and_nmi() -> None:
    apics = accepting(0x41)
    apics.lapic.write_msr(0x1B, 0xFEE0_0100)
    assert not apics.lapic.intr
    apics.drive(1, True)
    assert apics.lapic.intr
    assert apics.lapic.acknowledge() is None
    apics.lapic.set_lint1(True)
    assert apics.nmis == 1
    assert apics.read(VERSION) == 0xFFFF_FFFF
    apics.lapic.write_msr(0x1B, 0xFEE0_0900)
    assert not apics.lapic.intr, "LINT0 is masked as after a reset"
    assert (apics.read(SVR), vectors(apics, IRR)) == (0xFF, [])


# x2APIC mode


def x2apic(*vectors: int) -> Apics:
    apics = accepting(*vectors)
    assert apics.lapic.write_msr(0x1B, 0xFEE0_0D00)
    return apics


def test_in_x2apic_mode_the_registers_are_msrs_and_not_in_memory() -> None:
    apics = x2apic(0x41)
    assert apics.read(VERSION) == 0xFFFF_FFFF
    assert apics.lapic.read_msr(0x803) == 0x0005_0014
    assert (apics.lapic.read_msr(0x802), apics.lapic.read_msr(0x80D)) == (0, 1)
    assert apics.lapic.read_msr(0x822) == 1 << 1
    assert apics.lapic.acknowledge() == 0x41
    assert apics.lapic.write_msr(0x80B, 0)
    assert apics.eois == [0x41]


def test_outside_x2apic_mode_its_msrs_do_not_exist() -> None:
    apics = Apics()
    assert apics.lapic.read_msr(0x802) is None
    assert not apics.lapic.write_msr(0x808, 0)


@pytest.mark.parametrize("number", [0x800, 0x801, 0x809, 0x80B, 0x80C, 0x80E, 0x82F, 0x831, 0x83F, 0x840, 0x8FF])
def test_a_read_of_a_register_that_x2apic_mode_does_not_have_is_refused(number: int) -> None:
    assert x2apic().lapic.read_msr(number) is None


@pytest.mark.parametrize(
    ("number", "value"),
    [
        *[(number, 0) for number in (0x802, 0x803, 0x80A, 0x80D, 0x80E, 0x810, 0x827, 0x831, 0x839, 0x82F)],
        *[(0x808, 0x100), (0x80B, 1), (0x80F, 0x200), (0x828, 1), (0x832, 0x4_0000), (0x837, 0x200), (0x83E, 4)],
        *[(0x838, 1 << 32), (0x830, 1 << 13), (0x83F, 0x100)],
    ],
)
def test_a_write_of_a_read_only_register_or_of_a_reserved_bit_is_refused(number: int, value: int) -> None:
    apics = x2apic()
    before = apics.lapic.state
    assert not apics.lapic.write_msr(number, value)
    assert apics.lapic.state == before


@pytest.mark.parametrize(
    ("icr", "arrives"),
    [
        (0x41, True),
        (0xFFFF_FFFF_0000_0041, True),
        (0x0000_00FF_0000_0041, False),
        (0x1_0000_0841, True),
        (0x2_0000_0841, False),
        (0x1_0001_0000_0841, False),
    ],
)
def test_the_icr_of_x2apic_mode_is_one_register_with_a_destination_of_32_bits(icr: int, arrives: bool) -> None:
    apics = x2apic()
    assert apics.lapic.write_msr(0x830, icr)
    assert apics.lapic.read_msr(0x830) == icr
    assert apics.lapic.intr is arrives


def test_the_self_ipi_register_interrupts_this_processor() -> None:
    apics = x2apic()
    assert apics.lapic.write_msr(0x83F, 0x41)
    assert apics.lapic.acknowledge() == 0x41
