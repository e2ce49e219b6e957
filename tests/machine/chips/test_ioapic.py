"""The I/O APIC, with the local APIC that its messages go to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idtviz.machine.chips.ioapic_state import irq_of_pin, pin_of_irq, why_waiting
from idtviz.machine.chips.lapic_state import AFTER_RESET
from tests.machine.chips.apics import Apics

LEVEL, ACTIVE_LOW, MASKED, LOGICAL = 0x8000, 0x2000, 0x10000, 0x800
REMOTE_IRR = 0x4000
EOI, SVR, TPR = 0xB0, 0xF0, 0x80
ENABLED = replace(AFTER_RESET, svr=0x1FF)


def why(apics: Apics, pin: int) -> str | None:
    return why_waiting(apics.ioapic.state, apics.lapic.state, pin)


def serve(apics: Apics) -> int | None:
    """Take an interrupt and end it."""
    vector = apics.lapic.acknowledge()
    apics.write(EOI, 0)
    return vector


def test_it_is_version_11_with_24_masked_entries_and_an_id_of_its_own() -> None:
    apics = Apics()
    shown = []
    for register in (0, 1, 2, 0x3F, 0x40):
        apics.ioapic.write_memory(0, 4, register)
        shown.append(apics.ioapic.read_memory(0x10, 4))
    assert shown == [0x0100_0000, 0x0017_0011, 0x0100_0000, 0, 0]
    assert {apics.redirection(pin) for pin in range(24)} == {MASKED}


def test_the_arbitration_id_follows_the_id_and_the_version_cannot_be_written() -> None:
    apics = Apics()
    for register in (0, 1, 2, 0x40):
        apics.ioapic.write_memory(0, 4, register)
        apics.ioapic.write_memory(0x10, 4, 0xF500_0000)
    for register, value in ((0, 0x0500_0000), (1, 0x0017_0011), (2, 0x0500_0000)):
        apics.ioapic.write_memory(0, 4, register)
        assert apics.ioapic.read_memory(0, 4) == register
        assert apics.ioapic.read_memory(0x10, 4) == value


def test_reserved_and_read_only_bits_of_an_entry_do_not_change() -> None:
    apics = Apics()
    apics.redirect(5, 0xFFFF_FFFF, 0xFF)
    assert apics.ioapic.state.entries[5] == 0xFF00_0000_0001_AFFF


@pytest.mark.parametrize(("offset", "size"), [(0x10, 1), (0x10, 8), (0x14, 4), (0x20, 4), (0x40, 4)])
def test_only_the_window_of_four_bytes_reaches_a_register(offset: int, size: int) -> None:
    apics = Apics()
    apics.ioapic.write_memory(0, 4, 0x12)
    apics.ioapic.write_memory(offset, size, 0x21)
    assert apics.ioapic.state.entries[1] == MASKED
    assert apics.ioapic.read_memory(offset, size) == 0


def test_the_timers_line_arrives_at_pin_2_and_the_others_at_their_own() -> None:
    assert [pin_of_irq(irq) for irq in (0, 1, 8, 15)] == [2, 1, 8, 15]
    assert [irq_of_pin(pin) for pin in (0, 1, 2, 15, 16, 23)] == [None, 1, 0, 15, None, None]
    apics = Apics(ENABLED)
    apics.redirect(2, 0x30)
    apics.drive(0, True)
    assert apics.lapic.acknowledge() == 0x30
    assert apics.ioapic.irq_of_vector(0x30) == 0
    assert apics.ioapic.irq_of_vector(0x31) is None


def test_an_edge_is_one_interrupt() -> None:
    apics = Apics(ENABLED)
    apics.redirect(1, 0x21)
    apics.drive(1, True)
    assert serve(apics) == 0x21
    assert not apics.lapic.intr
    apics.pulse(1)
    assert serve(apics) == 0x21
    assert apics.redirection(1) == 0x21


def test_an_edge_that_came_while_the_entry_was_masked_is_gone() -> None:
    apics = Apics(ENABLED)
    apics.redirect(1, MASKED | 0x21)
    apics.drive(1, True)
    assert why(apics, 1) == "its edge came while redirection entry 1 was masked"
    apics.redirect(1, 0x21)
    assert not apics.lapic.intr
    assert why(apics, 1) == (
        "its edge came while redirection entry 1 was masked; it is unmasked now, but the edge is gone"
    )
    apics.pulse(1)
    assert why(apics, 1) is None
    assert serve(apics) == 0x21


def test_a_level_interrupt_waits_for_its_eoi_and_comes_again_while_the_line_is_active() -> None:
    apics = Apics(ENABLED)
    apics.redirect(9, LEVEL | 0x49)
    apics.drive(9, True)
    assert apics.redirection(9) == LEVEL | REMOTE_IRR | 0x49
    assert apics.lapic.acknowledge() == 0x49
    assert why(apics, 9) == "remote IRR is set: no EOI of vector 0x49 yet"
    assert not apics.lapic.intr
    apics.write(EOI, 0)
    assert apics.lapic.acknowledge() == 0x49
    apics.drive(9, False)
    apics.write(EOI, 0)
    assert (apics.lapic.intr, apics.redirection(9)) == (False, LEVEL | 0x49)


def test_a_masked_level_is_seen_as_soon_as_it_is_unmasked() -> None:
    apics = Apics(ENABLED)
    apics.redirect(9, MASKED | LEVEL | 0x49)
    apics.drive(9, True)
    assert why(apics, 9) == "masked (bit 16 of redirection entry 9)"
    apics.redirect(9, LEVEL | 0x49)
    assert serve(apics) == 0x49


def test_the_eoi_of_an_edge_interrupt_is_not_broadcast() -> None:
    apics = Apics(ENABLED)
    apics.redirect(9, LEVEL | 0x49)
    apics.drive(9, True)
    apics.lapic.acknowledge()
    apics.lapic.accept(0x50, level_triggered=False)
    assert serve(apics) == 0x50
    assert apics.redirection(9) & REMOTE_IRR


def test_an_entry_made_edge_triggered_forgets_its_remote_irr() -> None:
    apics = Apics(ENABLED)
    apics.redirect(9, LEVEL | 0x49)
    apics.drive(9, True)
    apics.redirect(9, 0x49)
    assert apics.redirection(9) == 0x49


def test_an_active_low_line_interrupts_when_it_falls() -> None:
    apics = Apics(ENABLED)
    apics.redirect(16, LEVEL | ACTIVE_LOW | 0x51)
    assert not apics.lapic.intr, "the PCI bus's lines are pulled up"
    apics.ioapic.set_line(16, False)
    assert apics.lapic.acknowledge() == 0x51
    apics.ioapic.set_line(16, True)
    apics.write(EOI, 0)
    assert not apics.lapic.intr


@pytest.mark.parametrize(
    ("low", "destination", "reason"),
    [
        (0x21, 3, "its destination is APIC ID 0x03, and no processor has it"),
        (0x21 | LOGICAL, 2, "its destination is logical ID 0x02, and no processor has it"),
        (0x0F, 0, "vector 0x0f is illegal: 0 to 15 are not accepted"),
        (0x221, 0, "delivery mode SMI is not modelled"),
    ],
)
@pytest.mark.parametrize("level", [0, LEVEL])
def test_a_message_that_no_processor_takes_says_why(low: int, destination: int, reason: str, level: int) -> None:
    apics = Apics(ENABLED)
    apics.write(0xD0, 0x0100_0000)
    apics.redirect(1, low | level, destination)
    apics.drive(1, True)
    assert not apics.lapic.intr
    assert why(apics, 1) == reason
    assert not apics.redirection(1) & REMOTE_IRR


@pytest.mark.parametrize(("low", "destination"), [(0x21, 0xFF), (0x21 | LOGICAL, 3), (0x121, 0)])
def test_a_message_for_this_processor_arrives(low: int, destination: int) -> None:
    apics = Apics(ENABLED)
    apics.write(0xD0, 0x0100_0000)
    apics.redirect(1, low, destination)
    apics.drive(1, True)
    assert apics.lapic.acknowledge() == 0x21


def test_everybody_is_ff_for_a_local_apic_in_x2apic_mode_too() -> None:
    apics = Apics(ENABLED)
    apics.lapic.write_msr(0x1B, 0xFEE0_0D00)
    apics.redirect(1, 0x21, 0xFF)
    apics.drive(1, True)
    assert apics.lapic.acknowledge() == 0x21


def test_a_software_disabled_local_apic_loses_an_edge_and_finds_a_level_when_it_is_enabled() -> None:
    apics = Apics(AFTER_RESET)
    apics.redirect(1, 0x21)
    apics.redirect(9, LEVEL | 0x49)
    apics.drive(1, True)
    apics.drive(9, True)
    assert why(apics, 1) == why(apics, 9) == "the local APIC is software-disabled (SVR bit 8)"
    apics.write(SVR, 0x1FF)
    assert serve(apics) == 0x49
    assert why(apics, 1) == "no local APIC took it when its edge came, and an edge is sent once"


def test_a_disabled_local_apic_is_the_reason_for_all() -> None:
    apics = Apics()
    apics.lapic.write_msr(0x1B, 0xFEE0_0100)
    apics.redirect(1, 0x21)
    apics.drive(1, True)
    assert why(apics, 1) == "the local APIC is disabled (IA32_APIC_BASE bit 11)"


def test_a_request_in_the_irr_waits_for_priority() -> None:
    apics = Apics(ENABLED)
    apics.redirect(1, 0x21)
    apics.write(TPR, 0x20)
    apics.drive(1, True)
    assert apics.ioapic.waiting() == [(1, "its class 2 is not above the TPR's (0x20, CR8 = 2)")]
    apics.write(TPR, 0)
    assert apics.ioapic.waiting() == []
    assert apics.lapic.acknowledge() == 0x21
    apics.pulse(1)
    assert why(apics, 1) == "vector 0x21 itself is still in service (no EOI yet)"


def test_an_nmi_entry_is_an_nmi_and_an_extint_entry_asks_the_8259_pair() -> None:
    apics = Apics(ENABLED)
    apics.redirect(1, 0x400)
    apics.drive(1, True)
    assert (apics.nmis, apics.lapic.intr) == (1, False)
    apics.redirect(0, 0x700)
    apics.ioapic.set_line(0, True)
    assert apics.lapic.intr
    assert apics.lapic.acknowledge() is None
    assert not apics.lapic.intr


def test_there_are_24_pins() -> None:
    with pytest.raises(ValueError, match="no pin 24"):
        Apics().ioapic.set_line(24, True)
