"""What the panels say, and what they do not say where it would mislead."""

from dataclasses import replace

from idtviz.debugger.moment import Moment
from idtviz.machine.chips import lapic_state
from idtviz.view import controllers, idt, stack, status, timeline, tss
from idtviz.view.axis import Axis
from idtviz.view.row import Panel, Role
from idtviz.view.timeline import Scale
from idtviz.view.window import Window
from idtviz.x86.vectors import VECTORS

from . import worlds
from .sessions import at, step_of, text


def roles(panel: Panel) -> set[Role]:
    return {span.role for row in panel.rows for span in row.spans if span.text.strip()}


def test_the_vector_table_of_real_mode_is_not_decoded_as_gates():
    view = at("multiboot_hello", "0").view
    assert (view.mode, view.idt.base, view.idt.limit) == ("protected", 0, 0x3FF)
    panel = idt.panel(view, None, 60)
    assert text(panel).startswith(
        "  IDTR still has the base and the limit of the real-mode\n  vector table: no LIDT yet."
    )
    assert "dpl" not in text(panel)
    assert "TSS" not in text(panel)
    assert roles(panel) == {Role.WARNING}
    assert "no gates" in text(idt.detail(view, 13))


def test_a_vector_taken_from_the_vector_table_of_real_mode_is_still_pointed_at():
    session = worlds.session("same ring")
    session.micro_step()
    view = session.view
    wrong = replace(view, idt=replace(view.idt, base=0, limit=0x3FF))
    (shown,) = [row.text for row in idt.panel(wrong, None, 60).rows if row.lit is not None]
    assert shown == "▶ 6 #UD: taken for a gate, the bytes at 0x30"


def test_an_idt_elsewhere_or_of_another_size_is_decoded():
    view = at("page_fault", "#PF").view
    assert not idt.never_loaded(view)
    assert not idt.never_loaded(replace(view, idt=replace(view.idt, base=0)))
    assert not idt.never_loaded(replace(view, idt=replace(view.idt, limit=0x3FF)))
    assert not idt.never_loaded(at("boot_sector", "0").view)


def test_in_real_mode_the_bios_has_its_vectors_by_number():
    view = at("boot_sector", "0").view
    for vector in (0x10, 0x11, 0x12, 0x13, 0x15, 0x16, 0x1A):
        assert idt.name_of_vector(view, vector) == f"INT {vector:#x}"
    assert [idt.name_of_vector(view, vector) for vector in (0, 6, 8, 9, 0x70)] == ["#DE", "#UD", "IRQ0", "IRQ1", "IRQ8"]
    assert idt.name_of_vector(at("page_fault", "#PF").view, 0x10) == VECTORS[0x10].mnemonic == "#MF"
    assert "a service of the BIOS (INT n); as an exception #MF" in text(idt.detail(view, 0x10))


def test_the_head_keeps_the_check_longer_than_the_time_and_the_instruction():
    view = step_of(at("task_gate_double_fault", "#DF"), "gate.present")
    assert view.procedure is not None
    check = f"check {view.procedure.performed} of {len(view.procedure.steps)}"
    heads = {width: status.head(view, "task_gate_double_fault", "stopped", width).rows[0].text for width in (140, 80)}
    assert "   instruction " in heads[140]
    assert check in heads[140]
    assert check in heads[80]
    assert "instruction" not in heads[80]
    assert len(heads[80]) <= 80
    for width in range(60, 160):
        shown = status.head(view, "x", "stopped", width).rows[0].text
        assert check in shown
        assert len(shown) <= width


def test_a_ring_that_stays_is_named_once():
    same = step_of(at("keyboard", "irq1"), "gate.present")
    assert "long mode · ring 0  " in status.head(same, "x", "stopped", 120).rows[0].text
    inward = step_of(at("page_fault", "#PF"), "gate.present")
    assert "ring 3 → 0" in status.head(inward, "x", "stopped", 120).rows[0].text


def test_the_mark_of_a_changed_if_stands_beside_it_and_not_at_the_priorities():
    view = at("lapic_timer", "300").view
    assert view.lapic is not None
    quiet = replace(view, lapic=replace(view.lapic, tpr=0))
    masked = replace(quiet, registers=replace(quiet.registers, rflags=quiet.registers.rflags ^ 0x200))
    (shown,) = [row.text for row in controllers.panel(masked, quiet, 80).rows if "TPR" in row.text]
    assert shown.startswith("  TPR 00")
    assert f"IF={masked.registers.rflags >> 9 & 1} ●" in shown
    higher = replace(quiet, lapic=replace(quiet.lapic or lapic_state.AFTER_RESET, tpr=0x30))
    (shown,) = [row.text for row in controllers.panel(higher, quiet, 80).rows if "TPR" in row.text]
    assert shown.startswith("● TPR 30")
    assert shown.count("●") == 1


def test_the_stack_pointer_has_its_name_beside_a_return_address():
    panel = stack.panel(at("boot_sector", "20").view, None, 46)
    assert "◀ sp  hook" in text(panel)


def test_a_kernel_that_stays_in_ring_0_needs_no_tss_and_is_not_warned():
    view = at("multiboot_hello", "0").view
    assert roles(tss.panel(view, None, 60)) == {Role.DIM}
    user = replace(view, registers=replace(view.registers, cs=replace(view.registers.cs, selector=0x1B), cpl=3))
    assert roles(tss.panel(user, None, 60)) == {Role.WARNING}


def test_a_gate_with_an_ist_slot_needs_a_tss():
    seen = at("double_fault", "#PF").view
    none = replace(seen.tss, selector=0, tss=None)
    inner = replace(seen, tss=none, procedure=None)
    assert inner.registers.cpl == 0
    assert roles(tss.panel(inner, None, 60)) == {Role.WARNING}
    empty = replace(inner, idt=replace(inner.idt, raw=bytes(4096)))
    assert roles(tss.panel(empty, None, 60)) == {Role.DIM}


def test_the_legend_names_the_rings_that_were_seen_and_none_in_real_mode():
    def legend(name: str, rings: list[tuple[Moment, int]]) -> str:
        axis = Axis()
        axis.update((), rings)
        view = at(name, "20").view
        return timeline.panel(view, Scale.of_panel(Window(0, 100), 120), axis, Moment(100)).note

    assert "ring" not in legend("boot_sector", [(Moment(0), 0)])
    assert legend("page_fault", [(Moment(0), 0)]).startswith("█ ring 0  ━ past")
    assert legend("page_fault", [(Moment(0), 0), (Moment(20), 3)]).startswith("█ ring 0  ░ ring 3  ━")
    assert legend("page_fault", [(Moment(0), 0), (Moment(20), 1)]).startswith("█ ring 0  ▓ ring 1  ━")
