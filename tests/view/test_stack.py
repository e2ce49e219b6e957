from idtviz.debugger.inputs import Nmi
from idtviz.view import stack
from idtviz.view.row import Role

from .sessions import at, lit, poke, step_of, text


def test_words_to_come_are_shown_on_the_new_stack_before_they_are_pushed():
    view = step_of(at("page_fault", "#PF"), "stack.align")
    panel = stack.panel(view, None, 60)
    assert panel.title == "Stack  new, TSS.RSP0"
    rows = [row.text.split() for row in panel.rows]
    assert rows[0][0] == "10a000"
    assert [row[0] for row in rows[1:7]] == ["109ff8", "109ff0", "109fe8", "109fe0", "109fd8", "109fd0"]
    assert [row[1] for row in rows[1:7]] == ["(1b)", "(403000)", "(10202)", "(23)", "(40000a)", "(6)"]
    assert "error  0x6 = W U" in panel.rows[6].text
    assert "interrupted stack 0x403000" in text(panel)


def test_the_word_that_the_step_pushes_is_lit_and_real():
    view = step_of(at("page_fault", "#PF"), "push.rsp")
    panel = stack.panel(view, None, 60)
    ((role, row),) = lit(panel)
    assert role is Role.WRITTEN
    assert row.startswith("▶ 109ff0 0000000000403000")
    assert panel.focus is not None
    assert panel.rows[panel.focus].lit is Role.WRITTEN
    assert "(10202)" in text(panel)


def test_a_frame_keeps_its_names_while_the_handler_runs():
    session = at("page_fault", "#PF")
    session.step()
    session.step()
    panel = stack.panel(session.view, None, 60)
    assert panel.title == "Stack  ring 0, TSS.RSP0"
    shown = text(panel)
    for part in ("│ ss     ring 3 · #PF frame", "│ rip    user_store", "│ rflags RF IF", "│ error  0x6 = W U"):
        assert part in shown
    assert panel.focus is not None
    assert "◀" in panel.rows[panel.focus].text


def test_a_frame_word_that_was_overwritten_says_what_it_was():
    session = at("page_fault", "#PF")
    session.step()
    before = session.view
    pushed = before.frames[-1].pushed
    after = poke(session, pushed.address + 8, (0x101122).to_bytes(8, "little"))
    for width in (38, 60):
        (row,) = [r for r in stack.panel(after, before, width).rows if r.key == pushed.address + 8]
        assert row.text.startswith("● ")
        assert "101122" in row.text
        assert row.text.endswith("rip was 0x40000a")


def test_words_of_the_stack_come_from_guest_memory_and_code_addresses_have_names():
    session = at("double_fault", "#PF")
    before = session.view
    assert "one_level_deeper" in text(stack.panel(before, None, 60))
    address = before.registers.rsp + 16
    after = poke(session, address, (0xDEAD_BEEF).to_bytes(8, "little"))
    (row,) = [row for row in stack.panel(after, before, 60).rows if row.key == address]
    assert row.text == f"● {address:x} 00000000deadbeef"


def test_long_runs_of_zeros_are_folded_and_a_missing_page_is_named():
    shown = text(stack.panel(at("double_fault", "#PF").view, None, 60))
    assert "words are zero" in shown
    assert "108ff8 not mapped" in shown


def test_an_iret_lights_the_word_that_it_reads():
    session = at("page_fault", "#PF")
    session.step()
    session.finish()
    for _ in range(100):
        session.micro_back()
        shown = lit(stack.panel(session.view, None, 60))
        if shown:
            break
    assert shown
    assert all(role is Role.READ for role, _ in shown)


def test_nested_frames_have_gutters_of_their_own():
    session = at("page_fault", "#PF")
    session.step()
    session.give(Nmi())
    session.step()
    assert [frame.name for frame in session.view.frames] == ["#PF", "#DF"]
    bars = {char for char in text(stack.panel(session.view, None, 60)) if char in "│┃"}
    assert bars == {"│", "┃"}


def test_an_empty_stack_shows_where_rsp_stands():
    session = at("page_fault", "#PF")
    assert session.view.registers.rsp == 0x403000
    panel = stack.panel(session.view, None, 60)
    assert panel.rows[0].text == "  403000 ─ ◀ rsp user_stack_top"
    assert panel.focus == 0
