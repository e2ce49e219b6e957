from dataclasses import replace

from idtviz.view import gdt, idt, tss
from idtviz.view.row import Role
from idtviz.x86.tss import IST_OFFSETS

from .sessions import at, lit, poke, step_of, text


def test_a_gate_row_shows_what_lies_in_guest_memory():
    session = at("page_fault", "kernel_ready")
    before = session.view
    panel = idt.panel(before, None, 60)
    assert panel.title == "IDT  0x108000 · limit 0xfff"
    assert panel.note == "3 of 256 in use"
    assert [row.key for row in panel.rows] == [8, 14, 128, None]
    assert panel.rows[1].text.split() == ["14", "#PF", "int", "dpl0", "ist0", "●", "08:1000ab", "page_fault_handler"]
    assert panel.rows[3].text.strip() == "other 253: not present"
    after = poke(session, before.idt.address(14) + 4, b"\x02\x6f")  # IST 2, DPL 3, trap gate, not present
    changed = idt.panel(after, before, 60).rows[1]
    assert changed.text.startswith("● ")
    assert changed.text.split()[3:7] == ["trap", "dpl3", "ist2", "·"]


def test_the_gate_that_the_step_reads_is_lit_and_kept_in_sight():
    session = at("page_fault", "#PF")
    view = step_of(session, "idt.read")
    panel = idt.panel(view, None, 48)
    assert [role for role, _ in lit(panel)] == [Role.READ]
    assert panel.focus is not None
    assert panel.rows[panel.focus].key == 14
    assert panel.rows[panel.focus].text.startswith("▶ ")


def test_a_vector_that_a_pic_line_is_mapped_to_bears_its_name():
    rows = idt.panel(at("keyboard", "irq1").view, None, 60).rows
    assert [row.text.split()[1] for row in rows[1:3]] == ["IRQ0", "IRQ1"]


def test_an_idt_that_is_missing_is_explained_in_a_sentence():
    view = at("page_fault", "kernel_ready").view
    assert "not mapped" in text(idt.panel(replace(view, idt=replace(view.idt, raw=None)), None, 60))
    assert "no IDT yet" in text(idt.panel(replace(view, idt=replace(view.idt, raw=b"", limit=0)), None, 60))
    assert "not mapped" in text(idt.detail(replace(view, idt=replace(view.idt, raw=None)), 14))


def test_vectors_beyond_the_limit_are_said_to_be_so():
    view = at("page_fault", "kernel_ready").view
    raw = view.idt.raw
    assert raw is not None
    short = replace(view, idt=replace(view.idt, raw=raw[:160], limit=159))
    assert "vectors 10-255: beyond the limit" in text(idt.panel(short, None, 60))
    assert "beyond the limit" in text(idt.detail(short, 14))


def test_a_gate_in_detail_lists_fields_bytes_and_handler():
    shown = text(idt.detail(at("page_fault", "kernel_ready").view, 14))
    for part in ("1080e0  ab 00 08 00 00 8e", "46:45 DPL", "interrupt gate", "code64 ring 0", "page_fault_handler"):
        assert part in shown


def test_the_gdt_shows_kind_ring_flags_and_users():
    rows = gdt.panel(at("page_fault", "kernel_ready").view, None, 60).rows
    assert [row.key for row in rows] == [0, 8, 16, 24, 32, 40]
    assert rows[1].text.split() == ["08", "code64", "ring", "0", "P", "L", "A", "←", "cs", "3", "gates"]
    assert "base 107080 limit 67 ← tr" in rows[5].text


def test_a_descriptor_changed_by_the_guest_is_marked():
    session = at("page_fault", "kernel_ready")
    before = session.view
    after = poke(session, before.gdt.base + 0x20 + 5, b"\x7b")  # P=0
    rows = gdt.panel(after, before, 60).rows
    assert rows[4].text.startswith("● 20 code64 ring 3 - L A")
    assert [row.text[0] for row in rows].count("●") == 1


def test_the_descriptor_that_the_step_reads_is_lit():
    view = step_of(at("page_fault", "#PF"), "descriptor.read")
    ((role, row),) = lit(gdt.panel(view, None, 38))
    assert role is Role.READ
    assert row.startswith("▶ 08 code64")
    assert [role for role, _ in lit(idt.panel(view, None, 60))] == [Role.CURRENT]


def test_base_and_limit_of_the_tss_descriptor_survive_a_narrow_panel():
    assert "base 107080 limit 67" in text(gdt.panel(at("page_fault", "kernel_ready").view, None, 38))


def test_a_gdt_that_is_missing_is_explained():
    view = at("page_fault", "kernel_ready").view
    assert "not mapped" in text(gdt.panel(replace(view, gdt=replace(view.gdt, raw=None)), None, 60))
    assert "no GDT" in text(gdt.panel(replace(view, gdt=replace(view.gdt, raw=b"", limit=0)), None, 60))
    assert "not mapped" in text(gdt.detail(replace(view, gdt=replace(view.gdt, raw=None)), 8))


def test_null_descriptors_in_a_row_are_folded():
    view = at("page_fault", "kernel_ready").view
    raw = view.gdt.raw
    assert raw is not None
    more = replace(view, gdt=replace(view.gdt, raw=raw + bytes(80), limit=view.gdt.limit + 80))
    assert "38…80 null" in text(gdt.panel(more, None, 60))


def test_a_descriptor_in_detail_lists_its_fields():
    shown = text(gdt.detail(at("page_fault", "kernel_ready").view, 0x28))
    for part in ("TSS64 busy", "107028  67 00", "limit 15:0", "used by  tr"):
        assert part in shown
    assert "beyond the limit" in text(gdt.detail(at("page_fault", "kernel_ready").view, 0x100))


def test_the_tss_names_stacks_and_the_gates_that_use_them():
    shown = text(tss.panel(at("page_fault", "kernel_ready").view, None, 60))
    assert "RSP0    000000000010a000 kernel_stack_top" in shown
    assert "RSP1-2  zero" in shown
    assert "IST1    000000000010c000 ← #DF double_fault_stack_top" in shown
    assert "I/O map 0x68: none" in shown


def test_a_stack_pointer_changed_in_memory_is_marked():
    session = at("page_fault", "kernel_ready")
    before = session.view
    after = poke(session, before.tss.base + IST_OFFSETS[2], (0x1234567).to_bytes(8, "little"))
    assert "● IST3    0000000001234567" in text(tss.panel(after, before, 60))


def test_the_tss_slot_that_the_step_reads_is_lit():
    view = step_of(at("page_fault", "#PF"), "stack.select")
    ((role, row),) = lit(tss.panel(view, None, 38))
    assert role is Role.READ
    assert row.startswith("▶ RSP0    000000000010a000")


def test_a_tss_that_is_missing_says_why():
    view = at("page_fault", "kernel_ready").view
    for selector, limit, said in ((0, 0, "null selector"), (0x28, 0x20, "too small"), (0x28, 0x67, "not mapped")):
        none = replace(view, tss=replace(view.tss, selector=selector, limit=limit, tss=None))
        assert said in text(tss.panel(none, None, 60)).replace("\n  ", " ")
        assert said in text(tss.detail(none)).replace("\n  ", " ")


def test_the_tss_in_detail_lists_its_fields():
    assert "415:352 IST2" in text(tss.detail(at("page_fault", "kernel_ready").view))
