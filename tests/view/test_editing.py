"""What can be edited, as rows."""

from idtviz.debugger import editing
from idtviz.view import editing as sheets
from idtviz.view import gdt, idt, tss, walks
from tests.view.sessions import at, text


def test_a_sheet_of_one_structure_shows_bits_names_values_and_meanings() -> None:
    session = at("page_fault", "#PF")
    shown = sheets.panel("idt[14]", editing.slots(session, "idt[14]"), 96)
    assert "46:45            dpl           0        INT n, INT3 and INTO may use the gate from ring 0 only" in text(
        shown
    )
    assert [row.key for row in shown.rows] == list(range(len(shown.rows)))


def test_a_sheet_of_several_things_shows_their_whole_paths() -> None:
    session = at("page_fault", "#PF")
    slots = [editing.slot(session, path) for path in ("rax", "pic.master.imr", "tss.rsp0")]
    assert [row.text.split()[0] for row in sheets.panel("some", slots, 60).rows] == [slot.path for slot in slots]


def test_no_row_of_a_sheet_is_wider_than_the_sheet() -> None:
    session = at("page_fault", "#PF")
    for group in ("registers", "idt", "idt[14]", "tss", "pic", "walk[rip]"):
        for width in (40, 70, 108):
            rows = sheets.panel(group, editing.slots(session, group), width).rows
            assert max(len(row.text) for row in rows) <= width


def test_each_field_of_an_opened_structure_is_the_slot_of_its_row() -> None:
    session = at("page_fault", "#PF")
    view = session.view
    for content, group in (
        (idt.detail(view, 14), "idt[14]"),
        (gdt.detail(view, 8), "gdt[0x8]"),
        (gdt.detail(view, 0x28), "gdt[0x28]"),
        (tss.detail(view), "tss"),
    ):
        slots = editing.slots(session, group)
        found = [sheets.slot_of(content, row, slots) for row in content.rows]
        assert {slot.path for slot in found if slot is not None} == {slot.path for slot in slots}


def test_each_field_of_a_page_walk_is_the_slot_of_its_level() -> None:
    session = at("page_fault", "user_start")
    linear = session.view.paging[0].linear
    content = walks.detail(session.view, linear)
    assert content is not None
    slots = editing.slots(session, f"walk[{linear:#x}]")
    found = {slot.path for row in content.rows if (slot := sheets.slot_of(content, row, slots)) is not None}
    assert found == {slot.path for slot in slots}


def test_a_row_without_a_field_is_no_slot() -> None:
    session = at("page_fault", "#PF")
    content = idt.detail(session.view, 14)
    assert sheets.slot_of(content, content.rows[0], editing.slots(session, "idt[14]")) is None
