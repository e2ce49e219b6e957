"""The controllers panel of a machine with APICs, drawn from states that are put into a view."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idtviz.debugger.view import View
from idtviz.machine.chips import ioapic_state, lapic_state
from idtviz.machine.chips.ioapic_state import IoApicState
from idtviz.machine.chips.lapic_state import LapicState
from idtviz.machine.chips.lapic_timer import TimerState
from idtviz.view import controllers, idt
from tests.view.sessions import at, text

MASKED = 0x10000
ENABLED = LapicState(svr=0x1FF, lvt=(MASKED, MASKED, MASKED, MASKED | 0x700, 0x400, 0xFE))


def io(**entries: int) -> IoApicState:
    """An I/O APIC with `pin1=0x21`."""
    table = tuple(entries.get(f"pin{pin}", MASKED) for pin in range(24))
    return IoApicState(entries=table)


def view(local: LapicState = ENABLED, wires: IoApicState = ioapic_state.AFTER_BIOS, **fields: object) -> View:
    seen = at("keyboard", "kernel_ready").view
    return replace(seen, lapic=local, ioapic=wires, procedure=None, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [38, 46, 78])
def test_no_row_is_wider_than_the_panel(width):
    busy = replace(ENABLED, irr=1 << 0x21 | 1 << 0x31, isr=0xFF << 0x40, tpr=0x50, errors=0xE0)
    shown = controllers.panel(view(busy, io(pin1=0x21, pin9=0xE049)), None, width)
    assert max(len(row.text) for row in shown.rows) <= width


def test_in_virtual_wire_mode_the_8259_pair_comes_first_and_the_apic_is_a_line():
    panel = controllers.panel(view(lapic_state.AFTER_BIOS), None, 60)
    assert panel.title == "PIC  base 0x20 / 0x28"
    assert "APIC enabled, INT goes through LINT0 (ExtINT)" in text(panel)


def test_a_software_disabled_apic_lets_no_request_of_the_8259_pair_through():
    seen = view(lapic_state.AFTER_RESET)
    ready = seen.pic.master._replace(irr=2, imr=0, isr=0, int_output=True)
    shown = text(controllers.panel(replace(seen, pic=replace(seen.pic, master=ready)), None, 60))
    assert "IRQ1: the 8259s raise INT, but LINT0 lets nothing through" in shown
    assert "APIC software-disabled, LINT0 lets nothing through" in shown


def test_requests_and_services_are_vectors_with_the_names_of_their_lines():
    local = replace(ENABLED, irr=1 << 0x21, isr=1 << 0x40, lvt=(0x20040, *ENABLED.lvt[1:]))
    panel = controllers.panel(view(local, io(pin1=0x21)), None, 80)
    shown = text(panel)
    assert panel.title == "APIC 0  xAPIC  enabled"
    assert "IRR  0x21 IRQ1" in shown
    assert "ISR  0x40 APIC timer" in shown
    assert "TPR 00  CR8 0  PPR 40  INTR ▁ low   IF=1" in shown
    assert "SVR 1ff  LINT0 masked  LINT1 NMI  error 0xfe" in shown
    assert "IRQ1 (0x21): vector 0x40 of class 4 is in service (no EOI yet)" in shown
    assert "8259 0x20 / 0x28 IMR fc ff INT ▔ high LINT0 lets nothing through" in shown


def test_a_request_that_only_waits_for_the_processor_says_so():
    seen = view(replace(ENABLED, irr=1 << 0x21), io(pin1=0x21))
    closed = replace(seen, registers=replace(seen.registers, rflags=2))
    assert "IRQ1 (0x21): waits, RFLAGS.IF is 0" in text(controllers.panel(closed, None, 60))
    assert "INTR ▔ high   IF=0" in text(controllers.panel(closed, None, 60))


def test_a_masked_line_of_a_pair_that_is_cut_off_is_no_reason_to_wait():
    seen = view(replace(ENABLED, irr=1 << 0x21), io(pin1=0x21))
    masked = seen.pic.master._replace(irr=2, imr=0xFF, isr=0, int_output=False)
    shown = text(controllers.panel(replace(seen, pic=replace(seen.pic, master=masked)), None, 60))
    assert "IMR bit 1" not in shown
    assert "IRQ1 (0x21): " in shown


def test_only_entries_that_are_not_masked_have_a_row():
    shown = text(controllers.panel(view(wires=io(pin1=0x21, pin9=0xA849 | 3 << 56)), None, 70))
    assert "I/O APIC  22 of 24 entries masked" in shown
    assert " 1 IRQ1   ▁ → 0x21 APIC 0  edge" in shown
    assert " 9 IRQ9   ▔ → 0x49 logical 3  level, active low" in shown


def test_a_line_that_does_not_get_through_says_why():
    wires = replace(io(pin1=0x21 | 5 << 56), lines=2, refused=2)
    shown = text(controllers.panel(view(wires=wires), None, 80))
    assert "IRQ1: its destination is APIC ID 0x05, and no processor has it" in shown


def test_the_timer_shows_its_mode_its_count_and_when_it_reaches_zero():
    local = replace(ENABLED, lvt=(0x20040, *ENABLED.lvt[1:]), timer=TimerState(1000, 1000, 0, 0x3))
    shown = text(controllers.panel(view(local, ticks=100, hertz=10_000_000), None, 80))
    assert "timer periodic 0x40 ÷ 16 count 938 of 1,000 reaches 0 in 1,500 ticks" in shown
    later = text(controllers.panel(view(local, ticks=1_600 + 50, hertz=10_000_000), None, 80))
    assert "count 969 of 1,000 reaches 0 in 1,550 ticks" in later
    stopped = replace(ENABLED, lvt=(0x40, *ENABLED.lvt[1:]))
    assert "timer one-shot 0x40 does not count" in text(controllers.panel(view(stopped), None, 80))


def test_what_changed_bears_a_mark():
    before = view(ENABLED, io())
    after = view(replace(ENABLED, irr=1 << 0x21, tpr=0x30, svr=0x1EF), io(pin1=0x21))
    lines = [row.text for row in controllers.panel(after, before, 70).rows]
    assert lines[0] == "  IRR ●  0x21 IRQ1"
    assert lines[1] == "  ISR  empty"
    assert lines[2] == "● TPR 30  CR8 3  PPR 30  INTR ▁ low   IF=1   interrupt shadow"
    assert any("SVR 1ef ●" in text for text in lines)
    assert "●  1 IRQ1   ▁ → 0x21 APIC 0  edge" in lines


def test_errors_are_named_and_those_the_esr_does_not_show_yet_too():
    shown = text(controllers.panel(view(replace(ENABLED, errors=0x80)), None, 120))
    assert "ESR 00: illegal register (not yet in the ESR: it shows what came before its last write)" in shown
    assert "ESR 20: send illegal vector" in text(controllers.panel(view(replace(ENABLED, esr=0x20)), None, 120))


def test_the_idt_names_the_vectors_that_the_apics_send_and_not_those_of_a_pair_cut_off():
    seen = view(replace(ENABLED, lvt=(0x20040, *ENABLED.lvt[1:])), io(pin1=0x31))
    assert idt.name_of_vector(seen, 0x31) == "IRQ1"
    assert idt.name_of_vector(seen, 0x40) == "APIC timer"
    assert idt.name_of_vector(seen, 0xFF) == "spurious"
    assert idt.name_of_vector(seen, 0x21) == "INT 0x21"
    assert idt.name_of_vector(view(lapic_state.AFTER_BIOS), 0x21) == "IRQ1"


def test_a_masked_entry_of_the_local_vector_table_is_said_to_be_masked():
    shown = text(controllers.panel(view(replace(ENABLED, lvt=(*ENABLED.lvt[:5], MASKED | 0xFE))), None, 80))
    assert "LINT0 masked  LINT1 NMI  error masked  timer masked" in shown
