"""Every panel in protected, virtual-8086 and real mode."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idtviz.debugger.inputs import Poke
from idtviz.debugger.view import View
from idtviz.view import code, delivery, gdt, idt, registers, stack, status, tss, walks
from idtviz.view.row import Role

from .sessions import lit, text
from .test_widths import PANELS, fits
from .worlds import WORLDS, behind, session


def at(name: str) -> View:
    return session(name).view


def words(view: View, width: int = 60) -> list[str]:
    return [row.text.strip() for row in stack.panel(view, None, width).rows]


# The tables


def test_real_mode_has_a_vector_table_of_far_pointers():
    panel = idt.panel(at("real"), None, 60)
    assert panel.title == "IVT  0x0 · limit 0x3ff"
    assert panel.rows[0].text.split() == ["0", "#DE", "0d00:0000", "=", "0d000"]
    assert panel.rows[0x21].text.split()[:3] == ["33", "INT", "0x21"]
    assert panel.rows[17].text.split()[1:3] == ["INT", "0x11"], "real mode has no #AC"
    assert panel.rows[14].text.split()[1] == "IRQ6", "the PIC after a reset"


def test_an_entry_of_the_vector_table_in_detail_is_four_bytes():
    shown = text(idt.detail(at("real"), 0x21))
    for part in ("84  10 02 00 0d", "15:0 offset", "31:16 segment", "begins at 0xd000", "handler  0xd210"):
        assert part in shown


def test_gates_of_protected_mode_have_eight_bytes_and_no_ist():
    panel = idt.panel(at("protected"), None, 60)
    assert panel.note == "256 of 256 in use"
    assert panel.rows[0x21].text.split()[3:] == ["int", "dpl3", "●", "08:d210", "0xd210"]
    assert "ist" not in text(panel)
    assert "int16" in idt.panel(at("16-bit gate"), None, 60).rows[0x21].text


def test_a_task_gate_names_the_tss_that_it_leads_to():
    row = idt.panel(at("task"), None, 60).rows[6].text
    assert row.split() == ["6", "#UD", "task", "dpl0", "●", "98", "→", "TSS32", "available"]
    shown = text(idt.detail(at("task"), 6))
    assert "not used by a task gate" in shown
    assert "GDT entry 19, RPL 0: TSS32 available" in shown
    assert "handler" not in shown.split("\n")[-1]


def test_the_ldt_stands_below_the_gdt():
    view = at("protected")
    rows = gdt.panel(view, None, 60).rows
    head = next(place for place, row in enumerate(rows) if row.text.startswith("  LDT"))
    assert rows[head].text == "  LDT  0x9000 · limit 0x1f · selector 0x38"
    assert rows[head + 2].text.split()[:5] == ["0c", "code32", "ring", "0", "P"]
    assert rows[head + 2].key == 0x0C
    assert "LDT[1]" in gdt.detail(view, 0x0C).title
    assert "selector 0xc" in text(gdt.detail(view, 0x0C))


def test_gates_of_the_gdt_say_where_they_lead():
    view = at("call gate")
    shown = text(gdt.panel(view, None, 60))
    assert "call gate32     P       → 08:c200" in shown
    assert "→ 98" in shown
    assert "37:0" not in text(gdt.detail(view, 0xB8))
    assert "36:32 count" in text(gdt.detail(view, 0xB8))


def test_a_system_descriptor_of_protected_mode_has_eight_bytes():
    row = next(row for row in gdt.panel(at("protected"), None, 60).rows if row.key == 0x28)
    assert row.text.split()[:3] == ["28", "TSS32", "busy"]
    assert "base b000 limit 67 ← tr" in row.text


def test_real_mode_says_why_there_is_no_gdt_and_no_tss():
    assert "sixteen times its selector" in text(gdt.panel(at("real"), None, 60)).replace("\n  ", " ")
    assert "no TSS" in text(tss.panel(at("real"), None, 60))


def test_a_32_bit_tss_shows_stacks_link_and_the_registers_of_the_task():
    shown = text(tss.panel(at("protected"), None, 60))
    for part in (
        "ss0:esp0 40:00002000 = 12000",
        "ss2:esp2 8a:00004000 = 14000",
        "link     0: none",
        "task                 at its last switch",
        "cs:eip   08:0000c200",
        "eax      000000a1    ebx 000000b1",
        "ds       10          es 10  fs 00  gs 00",
    ):
        assert part in shown
    assert "EFLAGS" in text(tss.detail(at("protected")))


def test_while_tasks_are_switched_both_tss_are_shown_and_the_one_that_is_touched_comes_first():
    view = behind("task", "task.save")
    panel = tss.panel(view, None, 60)
    assert panel.title == "TSS  0xb000 · limit 0x67"
    assert "Other task, TSS 0x98  0xe000" in text(panel)
    assert lit(panel)
    view = behind("task", "task.link")
    panel = tss.panel(view, None, 60)
    assert panel.title.startswith("Other task, TSS 0x98")
    ((role, row),) = lit(panel)
    assert role is Role.WRITTEN
    assert row.startswith("▶ link     28")
    assert tss.detail(view, 0x98).title == "TSS  0xe000"
    assert tss.detail(view, 0x28).title == "TSS  0xb000"


def test_the_tss_of_a_286_has_words():
    shown = text(tss.panel(behind("286 task", "task.link"), None, 60))
    assert "ss0:sp0 40:2000 = 12000" in shown
    assert "ax      00a1    bx 00b1" in shown


# The stack


def test_the_real_mode_stack_has_words_of_two_bytes_and_both_addresses():
    view = behind("real", "enter")
    panel = stack.panel(view, None, 60)
    assert panel.title == "Stack  SS 1000 base 10000"
    assert panel.note == "◀ sp 1000:0fda = 10fda"
    shown = words(view)
    assert "0fde = 10fde 0002   │ flags  no flags · INT 0x21 frame" in shown
    assert "0fdc = 10fdc 0c00   │ cs     base 0c000" in shown
    assert "0fda = 10fda 0002 ◀ │ ip     = c002" in shown


def test_a_change_of_ring_pushes_five_words_of_four_bytes():
    shown = words(behind("protected", "push.rsp"))
    assert shown[:6] == [
        "2000 = 12000 ─ top, TSS.ESP0 ───",
        "1ffc = 11ffc 00000093   │ ss     ring 3 · INT 0x21 frame",
        "▶ 1ff8 = 11ff8 00000fe0   │ esp",
        "1ff4 = 11ff4        (2) │ eflags no flags",
        "1ff0 = 11ff0       (1b) │ cs     ring 3",
        "1fec = 11fec     (c002) │ eip",
    ]


def test_without_a_change_of_ring_three_words_are_pushed():
    shown = words(behind("same ring", "enter"))
    assert sum("│" in row for row in shown) == 3


def test_a_16_bit_gate_pushes_words_of_two_bytes_on_a_32_bit_stack():
    shown = words(behind("16-bit gate", "enter"))
    assert "1ffc = 11ffc     0fe0   │ sp" in shown
    assert "1ff6 = 11ff6     c002 ◀ │ ip" in shown
    assert any(row.startswith("1ff2 = 11ff2 a5a5a5a5") for row in shown)


def test_virtual_8086_mode_leaves_its_data_segments_in_the_frame():
    shown = words(behind("vm86", "enter"))
    assert [row.split("│")[1].split()[0] for row in shown if "│" in row] == [
        *("gs", "fs", "ds", "es", "ss", "esp", "eflags", "cs", "eip"),
    ]
    assert "1ff4 = 11ff4 00002000   │ ds     base 20000" in shown


def test_what_a_far_call_pushes_has_names_while_it_is_pushed():
    shown = words(behind("far call", "far.push.cs"))
    assert "▶ 0fdc = 10fdc 00000008     │ cs     ring 0" in shown
    assert "0fd8 = 10fd8     (c007)   │ eip" in shown
    panel = stack.panel(behind("call gate", "far.push.cs"), None, 60)
    assert panel.title == "Stack  new, of the inner ring"
    assert [row.text.split("│")[1].split()[0] for row in panel.rows if "│" in row.text] == ["ss", "esp", "cs", "eip"]


def test_an_error_code_goes_to_the_stack_of_the_other_task():
    panel = stack.panel(behind("task with error code", "push.error"), None, 60)
    assert panel.title == "Stack  new, of the other task"
    assert panel.rows[1].text == "▶ 5ffc = 15ffc 00000000 │ error  0x0 = supervisor read, P=0"


def test_a_frame_word_of_two_bytes_that_was_overwritten_says_what_it_was():
    found = session("real")
    found.step()
    frame = found.view.frames[0].pushed
    found.give(Poke(frame.address, b"\x34\x12"))
    assert any("1234 ◀ │ ip was 0x2" in row for row in words(found.view))


# Registers, code, status


def test_registers_bear_the_names_of_the_mode():
    shown = text(registers.panel(at("real"), None, 60))
    for part in ("ax  0000", "ip  0000  = c000", "flags 2", "cs 0c00 base 0c000", "ss 1000 base 10000"):
        assert part in shown
    assert "cr3" not in shown
    assert "ring" not in shown
    shown = text(registers.panel(at("protected"), None, 60))
    for part in ("eax 00000000", "eip 0000c000", "eflags 2 CPL 3", "ss 93 ring 3 base 10000 limit 5fff", "fs 00 null"):
        assert part in shown


def test_code_is_read_by_the_bits_of_its_segment():
    panel = code.panel(at("real"), None, 60, lambda _: None)
    assert panel.note == "16-bit code"
    assert panel.rows[0].text.split() == ["▶", "0c00:0000", "cd", "21", "int", "0x21"]
    panel = code.panel(at("page fault"), None, 80, lambda _: None)
    assert panel.note == "32-bit code"
    assert panel.rows[1].text.strip() == "reads 0x1f000 (4 bytes) ✗ page not present"


def test_an_operand_beyond_its_segment_is_said_to_be():
    rows = code.panel(at("limit"), None, 60, lambda _: None).rows
    assert rows[1].text.strip() == "reads ss:fff000 = 0x100f000 (4 bytes)"
    assert rows[2].text.strip() == "✗ beyond the limit 0x5fff of SS"


def test_the_status_line_tells_the_mode_and_where_it_goes():
    assert "  real mode   " in status.head(at("real"), "x", "stopped", 100).rows[0].text
    assert "protected mode · ring 3   " in status.head(at("protected"), "x", "stopped", 100).rows[0].text
    going = status.head(behind("vm86", "idt.read"), "x", "stopped", 100).rows[0].text
    assert "vm86 → protected mode · ring 3 → 0" in going


def test_a_page_walk_is_shown_entry_by_entry():
    view = at("page fault")
    shown = text(walks.detail(view, 0xC000))
    for part in ("32-bit paging", "PD[0x0]", "PT[0xc]", "31:12", "physical 0xc000 in a page of 4 KiB: writable, user"):
        assert part in shown
    assert "PDPT[0x0]" in text(walks.detail(at("PAE"), 0xC000))
    assert "Paging is off" in text(walks.detail(at("real"), 0xC000))
    assert walks.detail(view, 0x1234) is None
    keys = [row.key for row in registers.panel(view, None, 60).rows if row.key is not None]
    assert all(walks.detail(view, key) for key in keys if key)


# The picture


def test_the_picture_of_real_mode_goes_from_the_vector_to_cs_ip():
    shown = text(delivery.panel(at("real"), None, 60))
    assert "saves CS:IP 0c00:0002" in shown
    assert "IDTR 0x0 ──▶ IVT[33] @84" in shown
    assert "CS:IP    0d00:0210 ──▶ 0xd000 + 0x210 = 0xd210" in shown
    assert "same stack ──▶ 1000:0fe0 = 10fe0" in shown
    assert "error code" not in shown


def test_the_picture_of_protected_mode_goes_over_descriptor_and_tss():
    shown = text(delivery.panel(at("protected"), None, 60))
    assert "selector 0x8 ──▶ GDT[1] code32 ring 0 @8008" in shown
    assert "stack    TSS.SS0:ESP0 @b004 ──▶ 40:2000 = 12000" in shown


def test_the_picture_of_a_task_gate_goes_to_the_task():
    shown = text(delivery.panel(at("task"), None, 60))
    for part in (
        "selector 0x98 ──▶ GDT[19] TSS32 available @8098",
        "TSS      0xe000  limit 0x67",
        "saves in TSS 0x28 @b000",
        "task     08:c200 ring 3 → 0",
        "stack    40:5000 = 15000",
    ):
        assert part in shown


def test_a_return_of_real_mode_names_the_stack_and_the_place():
    panel = delivery.panel(at("real iret"), None, 60)
    assert panel.title == "Return"
    shown = text(panel)
    assert "frame    SS:SP 1000:0fe0 = 0x10fe0" in shown
    assert "returns  0c00:0100" in shown


def test_a_handler_that_is_a_task_of_its_own_says_where_iret_goes():
    found = session("task")
    found.step()
    found.step()
    view = found.view
    assert view.procedure is None
    assert "NT=1 · IRET will go back to task 0x28" in text(delivery.panel(view, None, 60))


def test_a_far_call_is_a_procedure_of_its_own():
    panel = delivery.panel(at("call gate"), None, 60)
    assert panel.title == "Transfer"
    shown = text(panel)
    assert "CALL far" in shown
    assert "from     1b:c000 ring 3" in shown
    assert "to       08:c200 ring 3 → 0" in shown
    assert "arrived" in text(delivery.panel(behind("call gate", "far.enter"), None, 60))


def test_what_if_is_answered_in_every_mode():
    for name in ("real", "protected", "vm86"):
        found = session(name).suppose(9)
        assert found.after is not None
        assert found.event is not None


# In general


@cache
def views(name: str) -> tuple[View, ...]:
    found = session(name)
    seen = [found.view]
    for _ in range(60):
        found.micro_step()
        seen.append(found.view)
        if found.machine.activity is None:
            break
    return tuple(seen)


@pytest.mark.parametrize("name", WORLDS)
def test_the_steps_to_come_are_the_steps_that_come(name):
    going = [view.procedure for view in views(name)[:-1]]
    last = views(name)[-1].procedure
    assert last is not None
    for procedure in going:
        assert procedure is not None
        assert procedure.steps == last.steps
        assert procedure.after == last.after or not procedure.performed, "CR2 is written when the delivery begins"


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(WORLDS)), st.integers(0, 60), st.integers(36, 120))
def test_no_row_is_wider_than_its_panel_in_any_mode(name, place, width):
    seen = views(name)
    place = min(place, len(seen) - 1)
    view, before = seen[place], seen[max(0, place - 1)]
    for module in PANELS:
        fits(module.panel(view, before, width), width)
    for vector in (0, 6, 0x21):
        fits(idt.detail_in(view, vector, width), width)
    for selector in (8, 0x0C, 0x28, 0x98, 0xB8, 0xC0):
        fits(gdt.detail_in(view, selector, width), width)
    for key in (None, 0x98):
        fits(tss.detail_in(view, width, key), width)
    for walk in view.paging:
        sheet = walks.detail_in(view, walk.linear, width)
        assert sheet is not None
        fits(sheet, width)
