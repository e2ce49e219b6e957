"""The two 8259A controllers."""

from __future__ import annotations

import pytest

from idtviz.machine.chips.pic import (
    AFTER_BIOS,
    POWER_ON,
    Answer,
    PicPair,
    PicPairState,
    inta,
    irq_of_vector,
    why_waiting,
)

EOI = 0x20


def remapped(
    *,
    icw1: int = 0x11,
    master_icw4: int = 0x01,
    slave_icw4: int = 0x01,
    imr: tuple[int, int] = (0, 0),
    eois: list[tuple[str, int]] | None = None,
) -> PicPair:
    """The pair at vectors 0x20 and 0x28."""
    pic = PicPair(on_eoi=None if eois is None else lambda controller, irq: eois.append((controller, irq)))
    for command, data, base, cascade, icw4, mask in (
        (0x20, 0x21, 0x20, 0x04, master_icw4, imr[0]),
        (0xA0, 0xA1, 0x28, 0x02, slave_icw4, imr[1]),
    ):
        pic.write(command, 1, icw1)
        pic.write(data, 1, base)
        pic.write(data, 1, cascade)
        pic.write(data, 1, icw4)
        pic.write(data, 1, mask)
    return pic


def raise_irq(pic: PicPair, *irqs: int) -> None:
    for irq in irqs:
        pic.set_line(irq, True)


def pulse(pic: PicPair, irq: int) -> None:
    pic.set_line(irq, False)
    pic.set_line(irq, True)


def in_service(pic: PicPair) -> tuple[int, int]:
    return pic.state.master.isr, pic.state.slave.isr


def test_a_rising_edge_raises_intr_and_inta_answers_with_the_vector() -> None:
    pic = remapped()
    assert not pic.intr
    raise_irq(pic, 1)
    assert pic.intr
    assert pic.state.master.irr == 0x02
    assert pic.acknowledge() == 0x21
    assert (pic.state.master.irr, pic.state.master.isr, pic.intr) == (0, 0x02, False)


def test_a_line_that_stays_high_is_one_request() -> None:
    pic = remapped()
    raise_irq(pic, 1)
    pic.acknowledge()
    pic.write(0x20, 1, EOI)
    pic.set_line(1, True)
    assert not pic.intr
    pulse(pic, 1)
    assert pic.intr


def test_after_the_bios_irq0_is_vector_8_and_irq8_is_vector_70() -> None:
    pic = PicPair()
    raise_irq(pic, 0)
    assert pic.acknowledge() == 0x08
    pic.write(0x20, 1, EOI)
    raise_irq(pic, 8)
    assert pic.acknowledge() == 0x70


def test_the_imr_reads_back() -> None:
    pic = remapped()
    pic.write(0x21, 1, 0xFD)
    pic.write(0xA1, 1, 0xEF)
    assert (pic.read(0x21, 1), pic.read(0xA1, 1)) == (0xFD, 0xEF)


def test_a_masked_request_waits_in_the_irr_and_comes_when_it_is_unmasked() -> None:
    pic = remapped(imr=(0x02, 0))
    raise_irq(pic, 1)
    assert (pic.intr, pic.read(0x20, 1)) == (False, 0x02)
    assert why_waiting(pic.state, 1) == "masked (IMR bit 1 of the master)"
    pic.write(0x21, 1, 0)
    assert pic.intr
    assert why_waiting(pic.state, 1) is None


def test_ocw3_chooses_between_the_irr_and_the_isr() -> None:
    pic = remapped()
    raise_irq(pic, 3)
    pic.acknowledge()
    raise_irq(pic, 5)
    pic.write(0x20, 1, 0x0B)
    assert pic.read(0x20, 1) == 0x08
    pic.write(0x20, 1, 0x0A)
    assert pic.read(0x20, 1) == 0x20
    pic.write(0x20, 1, 0x08)  # neither RR nor RIS: the choice stays
    assert pic.read(0x20, 1) == 0x20


def test_an_interrupt_in_service_holds_back_its_own_and_lower_priorities() -> None:
    pic = remapped()
    raise_irq(pic, 3)
    pic.acknowledge()
    raise_irq(pic, 4)
    pulse(pic, 3)
    assert not pic.intr
    assert why_waiting(pic.state, 4) == "IRQ3 of higher priority is in service (no EOI yet)"
    assert why_waiting(pic.state, 3) == "IRQ3 itself is still in service (no EOI yet)"
    raise_irq(pic, 1)
    assert pic.acknowledge() == 0x21
    assert in_service(pic) == (0x0A, 0)


def test_a_non_specific_eoi_clears_the_highest_priority_isr_bit() -> None:
    eois: list[tuple[str, int]] = []
    pic = remapped(eois=eois)
    raise_irq(pic, 3)
    pic.acknowledge()
    raise_irq(pic, 1)
    pic.acknowledge()
    pic.write(0x20, 1, EOI)
    assert in_service(pic) == (0x08, 0)
    pic.write(0x20, 1, EOI)
    assert in_service(pic) == (0, 0)
    pic.write(0x20, 1, EOI)
    assert eois == [("pic.master", 1), ("pic.master", 3), ("pic.master", -1)]


def test_a_specific_eoi_clears_the_bit_that_it_names() -> None:
    eois: list[tuple[str, int]] = []
    pic = remapped(eois=eois)
    raise_irq(pic, 3)
    pic.acknowledge()
    raise_irq(pic, 1)
    pic.acknowledge()
    pic.write(0x20, 1, 0x60 | 3)
    assert in_service(pic) == (0x02, 0)
    pic.write(0x20, 1, 0x60 | 5)
    assert eois == [("pic.master", 3), ("pic.master", -1)]


def test_no_eoi_leaves_every_later_request_of_the_line_waiting() -> None:
    pic = remapped()
    raise_irq(pic, 0)
    pic.acknowledge()
    pulse(pic, 0)
    assert not pic.intr
    pic.write(0x20, 1, EOI)
    assert pic.acknowledge() == 0x20


def test_automatic_eoi_leaves_nothing_in_service() -> None:
    pic = remapped(master_icw4=0x03, slave_icw4=0x03)
    raise_irq(pic, 12)
    assert pic.acknowledge() == 0x2C
    assert in_service(pic) == (0, 0)


def test_an_irq7_line_that_drops_before_inta_gives_the_spurious_vector_and_sets_no_isr_bit() -> None:
    pic = remapped()
    raise_irq(pic, 7)
    pic.set_line(7, False)
    assert pic.intr  # INT stays up: the processor has been promised a vector
    assert pic.acknowledge() == 0x27
    assert (in_service(pic), pic.intr) == ((0, 0), False)


def test_any_line_that_drops_before_inta_gives_irq7() -> None:
    pic = remapped()
    raise_irq(pic, 4)
    pic.set_line(4, False)
    assert pic.acknowledge() == 0x27


def test_a_request_that_is_masked_too_late_gives_irq7() -> None:
    pic = remapped()
    raise_irq(pic, 4)
    pic.write(0x21, 1, 0xFF)
    assert pic.acknowledge() == 0x27
    assert pic.state.master.irr == 0x10  # the request itself is still there


def test_a_spurious_irq15_sets_isr_bit_2_of_the_master_alone() -> None:
    pic = remapped()
    raise_irq(pic, 12)
    pic.set_line(12, False)
    assert pic.acknowledge() == 0x2F
    assert in_service(pic) == (0x04, 0)


def test_a_slave_request_sets_both_isr_bits_and_needs_both_eois() -> None:
    eois: list[tuple[str, int]] = []
    pic = remapped(eois=eois)
    raise_irq(pic, 12)
    assert pic.acknowledge() == 0x2C
    assert in_service(pic) == (0x04, 0x10)
    pulse(pic, 12)
    pic.write(0x20, 1, EOI)
    assert not pic.intr
    pic.write(0xA0, 1, EOI)
    assert pic.acknowledge() == 0x2C
    assert eois == [("pic.master", 2), ("pic.slave", 12)]


def test_an_eoi_to_the_slave_alone_leaves_the_cascade_in_service() -> None:
    pic = remapped()
    raise_irq(pic, 12)
    pic.acknowledge()
    pic.write(0xA0, 1, EOI)
    pulse(pic, 12)
    assert not pic.intr
    assert why_waiting(pic.state, 12) == "IRQ2 itself is still in service (no EOI yet)"


def test_the_slaves_inputs_rank_between_irq1_and_irq3() -> None:
    pic = remapped()
    raise_irq(pic, 3, 15, 8, 1)
    order = []
    for _ in range(4):
        order.append(pic.acknowledge())
        if order[-1] >= 0x28:
            pic.write(0xA0, 1, EOI)
        pic.write(0x20, 1, EOI)
    assert order == [0x21, 0x28, 0x2F, 0x23]


def test_two_slave_requests_make_two_edges_at_the_master_even_with_automatic_eoi() -> None:
    pic = remapped(master_icw4=0x03, slave_icw4=0x03)
    raise_irq(pic, 9, 10)
    assert pic.acknowledge() == 0x29
    assert pic.intr
    assert pic.acknowledge() == 0x2A
    assert not pic.intr


def test_a_masked_cascade_holds_all_of_the_slave_back() -> None:
    pic = remapped(imr=(0x04, 0))
    raise_irq(pic, 12)
    assert not pic.intr
    assert why_waiting(pic.state, 12) == "the cascade is masked (IRQ2, IMR bit 2 of the master)"
    assert pic.waiting() == [(2, "masked (IMR bit 2 of the master)"), (12, why_waiting(pic.state, 12))]


def test_without_special_fully_nested_mode_a_higher_slave_request_waits_for_the_master() -> None:
    pic = remapped()
    raise_irq(pic, 12)
    pic.acknowledge()
    raise_irq(pic, 8)
    assert not pic.intr


def test_in_special_fully_nested_mode_a_higher_slave_request_nests() -> None:
    pic = remapped(master_icw4=0x11)
    raise_irq(pic, 12)
    pic.acknowledge()
    raise_irq(pic, 3, 13)
    assert not pic.intr
    raise_irq(pic, 8)
    assert pic.acknowledge() == 0x28
    assert in_service(pic) == (0x04, 0x11)


def test_rotation_on_a_non_specific_eoi_sends_the_served_input_to_the_bottom() -> None:
    pic = remapped()
    raise_irq(pic, 4)
    pic.acknowledge()
    pic.write(0x20, 1, 0xA0)
    assert pic.state.master.lowest_priority == 4
    raise_irq(pic, 0, 5)
    pulse(pic, 4)
    order = []
    for _ in range(3):
        order.append(pic.acknowledge())
        pic.write(0x20, 1, EOI)
    assert order == [0x25, 0x20, 0x24]


def test_rotation_on_a_specific_eoi_and_set_priority_name_the_lowest() -> None:
    pic = remapped()
    raise_irq(pic, 6)
    pic.acknowledge()
    pic.write(0x20, 1, 0xE0 | 6)
    assert (pic.state.master.lowest_priority, pic.state.master.isr) == (6, 0)
    pic.write(0x20, 1, 0xC0 | 3)
    raise_irq(pic, 0, 4)
    assert pic.acknowledge() == 0x24


def test_rotation_in_automatic_eoi_mode_is_set_and_cleared() -> None:
    pic = remapped(master_icw4=0x03)
    pic.write(0x20, 1, 0x80)
    raise_irq(pic, 5)
    pic.acknowledge()
    assert pic.state.master.lowest_priority == 5
    pic.write(0x20, 1, 0x00)
    raise_irq(pic, 1)
    pic.acknowledge()
    assert pic.state.master.lowest_priority == 5


def test_a_rotation_without_an_isr_bit_rotates_nothing() -> None:
    pic = remapped()
    pic.write(0x20, 1, 0xA0)
    assert pic.state.master.lowest_priority == 7


def test_in_special_mask_mode_a_masked_interrupt_in_service_lets_lower_ones_through() -> None:
    pic = remapped()
    raise_irq(pic, 1)
    pic.acknowledge()
    raise_irq(pic, 6)
    pic.write(0x21, 1, 0x02)
    assert not pic.intr
    pic.write(0x20, 1, 0x68)
    assert pic.acknowledge() == 0x26
    pic.write(0x20, 1, EOI)
    pic.write(0x20, 1, EOI)  # spares the masked ISR bit
    assert in_service(pic) == (0x02, 0)
    pic.write(0x20, 1, 0x48)
    assert not pic.state.master.special_mask_mode


def test_a_poll_is_an_acknowledge_by_reading() -> None:
    pic = remapped()
    raise_irq(pic, 3)
    pic.write(0x20, 1, 0x0C)
    assert pic.read(0x20, 1) == 0x83
    assert (in_service(pic), pic.intr) == ((0x08, 0), False)
    assert pic.read(0x20, 1) == 0  # the IRR again
    pic.write(0x20, 1, 0x0C)
    assert pic.read(0x21, 1) == 0  # nothing to poll


def test_each_chip_of_the_cascade_is_polled_by_itself() -> None:
    pic = remapped()
    raise_irq(pic, 10)
    pic.write(0x20, 1, 0x0C)
    assert pic.read(0x20, 1) == 0x82
    pic.write(0xA0, 1, 0x0C)
    assert pic.read(0xA0, 1) == 0x82
    assert in_service(pic) == (0x04, 0x04)


def test_a_level_triggered_request_stays_until_the_line_drops() -> None:
    pic = remapped(icw1=0x19)
    raise_irq(pic, 5)
    pic.acknowledge()
    assert pic.state.master.irr == 0x20
    pic.write(0x20, 1, EOI)
    assert pic.intr
    pic.acknowledge()
    pic.set_line(5, False)
    pic.write(0x20, 1, EOI)
    assert not pic.intr


def test_the_elcr_makes_single_inputs_level_triggered_but_never_the_timer() -> None:
    pic = remapped()
    pic.write(0x4D0, 2, 0xFFFF)
    assert pic.read(0x4D0, 2) == 0xDEF8
    raise_irq(pic, 11)
    pic.acknowledge()
    assert pic.state.slave.irr == 0x08


def test_icw1_forgets_edges_masks_and_what_is_in_service() -> None:
    pic = remapped(imr=(0x80, 0))
    raise_irq(pic, 1)
    pic.acknowledge()
    raise_irq(pic, 4)
    pic.write(0x20, 1, 0x11)
    master = pic.state.master
    assert (master.irr, master.isr, master.imr, master.lowest_priority, pic.intr) == (0, 0, 0, 7, False)
    for value in (0x40, 0x04, 0x01):
        pic.write(0x21, 1, value)
    assert not pic.intr  # IRQ4 is high, but has no edge
    pulse(pic, 4)
    assert pic.acknowledge() == 0x44


def test_nothing_is_requested_between_the_icws() -> None:
    pic = remapped()
    pic.write(0x20, 1, 0x11)
    pic.write(0x21, 1, 0x30)
    raise_irq(pic, 1)
    assert not pic.intr
    assert why_waiting(pic.state, 1) == "the master is waiting for ICW3"
    pic.write(0x21, 1, 0x04)
    pic.write(0x21, 1, 0x01)
    assert pic.acknowledge() == 0x31


def test_a_controller_without_icws_requests_nothing_and_says_why() -> None:
    pic = PicPair(state=POWER_ON)
    raise_irq(pic, 1, 9)
    assert not pic.intr
    assert why_waiting(pic.state, 1) == "the master is not initialised"
    assert why_waiting(pic.state, 9) == "the slave is not initialised"


def test_a_single_controller_has_no_icw3_and_answers_for_irq2() -> None:
    pic = PicPair()
    for port, value in ((0x20, 0x13), (0x21, 0x50), (0x21, 0x01), (0x21, 0x00)):
        pic.write(port, 1, value)
    pic.write(0xA1, 1, 0)
    raise_irq(pic, 9)
    assert pic.acknowledge() == 0x52


def test_without_icw4_the_chip_answers_as_for_an_8085() -> None:
    pic = PicPair()
    for port, value in ((0x20, 0xF6), (0x21, 0x20), (0x21, 0x00)):
        pic.write(port, 1, value)
    raise_irq(pic, 3)
    assert pic.acknowledge() == 0xE0 | 3 << 2
    for port, value in ((0x20, 0xD2), (0x21, 0x20), (0x21, 0x00)):
        pic.write(port, 1, value)
    pulse(pic, 3)
    assert pic.acknowledge() == 0xC0 | 3 << 3


def test_a_slave_with_the_wrong_id_leaves_the_bus_floating() -> None:
    pic = remapped()
    for port, value in ((0xA0, 0x11), (0xA1, 0x28), (0xA1, 0x04), (0xA1, 0x01), (0xA1, 0x00)):
        pic.write(port, 1, value)
    raise_irq(pic, 12)
    assert why_waiting(pic.state, 12) == "the slave's ICW3 says ID 4, but it is wired to IRQ2: no chip will answer"
    assert pic.acknowledge() == 0xFF


def test_a_master_without_the_cascade_bit_answers_for_irq2_itself() -> None:
    pic = remapped()
    for port, value in ((0x20, 0x11), (0x21, 0x20), (0x21, 0x00), (0x21, 0x01), (0x21, 0x00)):
        pic.write(port, 1, value)
    raise_irq(pic, 12)
    assert why_waiting(pic.state, 12) == "the master's ICW3 has no slave on IRQ2: it will answer for IRQ2 itself"
    assert pic.acknowledge() == 0x22


def test_a_lower_request_is_told_who_goes_first() -> None:
    pic = remapped()
    raise_irq(pic, 1, 6)
    assert why_waiting(pic.state, 6) == "IRQ1 of higher priority goes first"
    assert why_waiting(pic.state, 5) is None


def test_a_vector_is_found_back_to_its_irq() -> None:
    pic = remapped()
    assert pic.irq_of_vector(0x21) == 1
    assert pic.irq_of_vector(0x2C) == 12
    assert pic.irq_of_vector(0x22) is None  # the cascade has no vector of its own
    assert pic.irq_of_vector(0x80) is None
    assert irq_of_vector(AFTER_BIOS, 0x08) == 0


def test_the_cascade_has_no_line_of_its_own() -> None:
    pic = remapped()
    for irq in (2, 16, -1):
        with pytest.raises(ValueError, match="no interrupt request line"):
            pic.set_line(irq, True)


def test_a_word_written_to_port_20_programs_both_of_the_masters_ports() -> None:
    pic = remapped()
    pic.write(0x20, 2, 0xFB0B)
    assert pic.state.master.read_isr
    assert pic.read(0x20, 2) == 0xFB00


def test_a_restored_state_has_its_intr() -> None:
    pic = remapped()
    before = pic.state
    raise_irq(pic, 1)
    raised = pic.state
    pic.state = before
    assert not pic.intr
    pic.state = raised
    assert pic.intr
    assert isinstance(pic.state, PicPairState)
    assert pic.deadline() is None
    pic.advance()
    assert pic.state is raised


def test_what_an_acknowledge_would_give_can_be_asked_without_doing_it() -> None:
    pic = remapped()
    raise_irq(pic, 12)
    before = pic.state
    assert inta(pic.state)[0] == Answer(0x2C, 12)
    assert pic.state is before
    pic.set_line(12, False)
    assert inta(pic.state)[0] == Answer(0x2F, None)
