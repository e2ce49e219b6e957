"""What does not fit into a panel: no number loses a digit."""

import re
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from idtviz.debugger.view import View
from idtviz.view import code, delivery
from idtviz.view.fitting import clip, fitted
from idtviz.view.row import Role, row

from . import worlds
from .sessions import at

_NUMBERS = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]*[0-9][0-9a-f]*\b")
_PLACES = (
    ("page_fault", "#PF+15"),
    ("page_fault", "#PF+40"),
    ("keyboard", "irq1:9+17"),
    ("real_mode_ivt", "#DE+6"),
    ("task_gate_double_fault", "#DF+16"),
    ("double_fault_no_ist", "end"),
    ("protected_keyboard", "irq1:3+15"),
)


@cache
def view_at(name: str, place: str) -> View:
    return at(name, place).view


@settings(deadline=None, max_examples=80)
@given(st.sampled_from(_PLACES), st.integers(36, 120))
def test_the_delivery_panel_shows_whole_numbers_or_none(place: tuple[str, str], width: int) -> None:
    view = view_at(*place)
    known = set(_NUMBERS.findall("\n".join(each.text for each in delivery.panel(view, None, 1000).rows)))
    for each in delivery.panel(view, None, width).rows:
        assert len(each.text) <= width
        names = Role.SYMBOL if each.text.endswith("…") else None
        text = "".join(span.text for span in each.spans if span.role is not names)
        assert set(_NUMBERS.findall(text)) <= known, each.text


def test_every_world_fits_in_a_narrow_panel() -> None:
    for name in worlds.WORLDS:
        found = worlds.session(name)
        for _ in range(6):
            found.micro_step()
            for each in delivery.panel(found.view, None, 40).rows:
                assert len(each.text) <= 40, (name, each.text)


def test_the_saved_address_has_a_row_of_its_own_where_one_row_is_too_short() -> None:
    texts = [each.text for each in delivery.panel(view_at("keyboard", "irq1:9+17"), None, 50).rows]
    assert texts[1] == "vector 0x21 · external · no error code"
    assert texts[2] == "saves RIP   0x100098  kernel_ready+0x1"
    wide = [each.text for each in delivery.panel(view_at("keyboard", "irq1:9+17"), None, 90).rows]
    assert wide[1] == "vector 0x21 · external · no error code · saves RIP 0x100098  kernel_ready+0x1"


def test_what_an_error_code_means_goes_on_in_the_next_row() -> None:
    texts = [each.text for each in delivery.panel(view_at("page_fault", "#PF+15"), None, 36).rows]
    assert texts[3:5] == ["error code  0x6 = write · ring 3 ·", "                  page not present"]


def test_a_text_ends_with_a_whole_word_and_an_ellipsis() -> None:
    assert clip("saves RIP 0x100091", 18) == "saves RIP 0x100091"
    assert clip("saves RIP 0x100091", 17) == "saves RIP …"
    assert clip("0x100091", 7) == "…"
    assert [len(clip("one two three", width)) <= width for width in range(14)] == [True] * 14


def test_only_a_name_is_cut_within() -> None:
    parts = row(("stack ", Role.LABEL), ("0x18000", Role.VALUE), ("  kernel_stack_top", Role.SYMBOL))
    assert fitted(parts, 24).text == "stack 0x18000  kernel_s…"
    assert fitted(parts, 16).text == "stack 0x18000 …"
    assert fitted(parts, 12).text == "stack …"
    parts = row(("saves ", Role.LABEL), ("  kernel_ready+0x1234", Role.SYMBOL))
    assert fitted(parts, 25).text == "saves   kernel_ready+…"


def test_an_instruction_too_long_for_the_code_panel_loses_its_operand_and_not_half_of_it() -> None:
    view = at("irq_on_vector_8", "set_gate").view
    shown = [each.text for each in code.panel(view, None, 90, lambda _path: None).rows]
    (whole,) = [text for text in shown if text.startswith("▶")]
    assert whole.endswith("[edi*8 + 0x103000], si")
    for width in range(30, 60):
        for each in code.panel(view, None, width, lambda _path: None).rows:
            assert len(each.text) <= width
            if each.text.startswith("▶") and not each.text.rstrip().endswith("si"):
                assert each.text.endswith(" …")
                assert "0x103000" in each.text or "0x1" not in each.text.split("mov")[1]
