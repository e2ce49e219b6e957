from dataclasses import replace

import pytest

from idtviz.debugger.moment import Moment
from idtviz.machine.events import Halted
from idtviz.view import controllers, display, events, registers
from idtviz.view.row import Role

from .sessions import at, poke, step_of, text


def test_registers_stand_in_two_columns_where_they_fit():
    view = at("page_fault", "#PF").view
    assert "rdi 0000000000600000  " in registers.panel(view, None, 48).rows[5].text
    assert registers.panel(view, None, 48).rows[2].text == "  rcx 0000000000000000  r10 0000000000000000"
    assert len(registers.panel(view, None, 38).rows) > len(registers.panel(view, None, 48).rows) + 8


def test_a_register_that_changed_bears_a_mark():
    session = at("page_fault", "#PF")
    before = session.view
    session.step()
    shown = text(registers.panel(session.view, before, 60))
    assert f"rsp {session.view.registers.rsp:016x} ●" in shown
    assert "cs 08 ring 0 ●" in shown
    assert "CPL 0 ●" in shown
    assert "rax 000000000000002a  " in shown


def test_control_registers_name_their_bits():
    shown = text(registers.panel(at("page_fault", "#PF").view, None, 60))
    assert "cr0 80010011 PG WP ET PE" in shown
    assert "efer d01 NXE LMA LME SCE" in shown
    assert "rflags 202 IF CPL 3" in shown


def test_the_controllers_show_request_mask_and_service():
    session = at("keyboard", "irq1+1")
    before = session.view
    panel = controllers.panel(before, None, 60)
    assert panel.title == "PIC  base 0x20 / 0x28"
    assert panel.rows[2].text == "     IMR · · █ █ █ █ █ █         █ █ █ █ █ █ █ █"
    assert panel.rows[3].text.split()[:3] == ["ISR", "·", "█"]
    session.seek("keyboard_handler")
    session.finish()
    rows = controllers.panel(session.view, before, 60).rows
    assert rows[3].text.split()[:4] == ["●", "ISR", "·", "·"]
    assert len(controllers.panel(before, None, 38).rows) > len(panel.rows)


def test_a_masked_irq_and_one_that_waits_for_if_say_why():
    view = at("keyboard", "irq1").view
    master = view.pic.master
    masked = replace(view, pic=replace(view.pic, master=master._replace(irr=2, imr=0xFF, isr=0, int_output=False)))
    assert "IRQ1: masked (IMR bit 1 of the master)" in text(controllers.panel(masked, None, 60))
    ready = master._replace(irr=2, imr=0, isr=0, int_output=True)
    waits = replace(
        view, pic=replace(view.pic, master=ready), registers=replace(view.registers, rflags=2), procedure=None
    )
    assert "IRQ1: waits, RFLAGS.IF is 0" in text(controllers.panel(waits, None, 60))
    shadow = replace(waits, registers=replace(view.registers, rflags=0x202, interrupt_shadow=True))
    assert "behind STI" in text(controllers.panel(shadow, None, 60))


def test_the_display_shows_text_memory_as_it_is():
    session = at("page_fault", "end")
    before = session.view
    assert "  page fault at 0x600000 error 6: mapped" in text(display.panel(before, None, 60))
    after = poke(session, 0xB8000, b"[\x07b\x07]\x07")
    panel = display.panel(after, before, 60)
    assert panel.rows[0].text.startswith("● [b]e fault at")
    assert panel.rows[1].text.startswith("  ")


def test_the_cursor_is_a_span_of_its_own():
    panel = display.panel(at("keyboard", "irq1").view, None, 60)
    assert [span.text for row in panel.rows for span in row.spans if span.role is Role.CURRENT] == ["▏"]
    assert panel.note == "cursor 1,6"


def test_events_tell_what_happened_and_what_lies_ahead():
    session = at("page_fault", "end")
    panel = events.panel(session.view, None, 80, session.events, session.seen)
    assert "x #PF error 6 W U cr2 0x600000 → page_fault_handler" in panel.rows[0].text
    assert "return → user_store ring 0 → 3" in panel.rows[1].text
    assert panel.focus == len(panel.rows) - 1
    assert panel.rows[-1].text.startswith("▶ ")
    session.seek("#PF")
    panel = events.panel(session.view, None, 80, session.events, session.seen)
    assert panel.focus == 0
    assert panel.rows[0].text.startswith("▶ ")
    assert all(span.role is Role.DIM for row in panel.rows for span in row.spans if span.text.strip(" ▶"))
    view = step_of(session, "push.rip")
    panel = events.panel(view, None, 80, session.events, session.seen)
    assert panel.focus == 0
    assert "#PF error 6 W U" in panel.rows[0].text
    assert "step " in panel.rows[0].text
    assert len(panel.rows) == 8


def test_a_failed_delivery_and_a_shutdown_say_so():
    session = at("double_fault_no_ist", "end")
    shown = text(events.panel(session.view, None, 100, session.events, session.seen))
    assert "its delivery met #PF" in shown
    assert "✗ shutdown: " in shown


@pytest.mark.parametrize("name", ["page_fault", "keyboard", "double_fault_no_ist"])
def test_the_list_of_events_keeps_in_sight_what_the_present_belongs_to(name):
    session = at(name, "end")
    times = [Moment(event.instruction, event.step) for event in session.events]
    places = {*times, *(Moment(time.instruction + 1) for time in times), Moment(0), session.frontier}
    for moment in sorted(place for place in places if place <= session.frontier):
        session.seek(moment)
        panel = events.panel(session.view, None, 100, session.events, session.seen)
        shown = panel.rows[panel.focus]
        if session.seen < len(times) and times[session.seen] == moment:
            assert shown.key in (session.seen, None), "what is about to happen"
        elif session.seen:
            assert shown.key == session.seen - 1, "what has happened last"
        else:
            assert panel.focus == 0
        assert (shown.lit is not None) == (session.seen > 0 or times[0] == moment)
        assert [row for row in panel.rows if row.lit] == [shown] * (shown.lit is not None)


def test_a_long_list_of_events_is_a_window_around_the_present():
    session = at("keyboard", "end")
    many = [Halted(place, 0) for place in range(20_000)]
    for seen in (0, 1, 9_999, 20_000):
        panel = events.panel(session.view, None, 60, many, seen)
        assert len(panel.rows) <= 302
        assert panel.note == f"{seen} of 20000"
        if seen:
            assert panel.rows[panel.focus].key == seen - 1
