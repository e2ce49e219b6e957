from dataclasses import replace

from idtviz.view import controllers, display, events, registers, timeline
from idtviz.view.axis import Axis
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
    assert all(span.role is Role.DIM for row in panel.rows for span in row.spans if span.text.strip())
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


def timeline_of(session, width):
    axis = Axis()
    axis.update(session.events, session.rings)
    return timeline.panel(session.view, width, session.frontier, axis, len(session.events), session.seen)


def test_the_timeline_has_the_width_of_the_screen_and_marks_events():
    session = at("page_fault", "end")
    session.seek("#PF")
    for width in (20, 80, 158):
        panel = timeline_of(session, width)
        assert {len(row.text) for row in panel.rows} == {width}
    marks, rings, cursor = (row.text for row in panel.rows)
    here = cursor.index("▲")
    assert marks[here] == "x"
    assert marks.count("x") == 3
    assert marks.count("s") == 1
    assert rings[here] == "░"
    assert rings[0] == "█"
    assert rings[-1] == "█"
    assert timeline.instruction_at(here, 158, session.frontier) <= session.moment.instruction


def test_a_timeline_of_nothing_is_drawn():
    session = at("page_fault", "0")
    panel = timeline_of(session, 40)
    assert {len(row.text) for row in panel.rows} == {40}
