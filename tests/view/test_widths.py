from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idtviz.debugger.moment import Moment
from idtviz.debugger.view import View
from idtviz.machine.events import Happened, Noted
from idtviz.view import controllers, display, events, gdt, idt, registers, stack, timeline, tss
from idtviz.view.axis import Axis
from idtviz.view.layout import cut, printable
from idtviz.view.row import Panel
from idtviz.view.timeline import Scale
from idtviz.view.window import Window

from .sessions import at

PANELS = (registers, idt, gdt, tss, stack, controllers, display)
PLACES = (
    ("page_fault", "#PF"),
    ("page_fault", "#PF+2"),
    ("page_fault", "#PF+18"),
    ("page_fault", "#PF+40"),
    ("double_fault", "#DF"),
    ("double_fault_no_ist", "end"),
    ("keyboard", "irq1+9"),
    ("breakpoint", "end"),
)


@cache
def moments(name: str, place: str) -> tuple[View, View, tuple[Happened, ...], int]:
    session = at(name, "end")
    session.seek(place)
    before = session.view
    session.micro_step()
    return session.view, before, tuple(session.events), session.seen


def fits(panel: Panel, width: int) -> None:
    for row in panel.rows:
        assert len(row.text) <= width, row.text
        assert row.text.isprintable(), row.text
        assert row.text[:2] in ("▶ ", "● ", "  ") or not row.text, row.text
        assert (row.text[:1] == "▶") == (row.lit is not None), row.text
    assert panel.focus is None or 0 <= panel.focus < len(panel.rows)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(PLACES), st.integers(36, 120))
def test_no_row_is_wider_than_its_panel(place, width):
    view, before, happened, seen = moments(*place)
    for module in PANELS:
        fits(module.panel(view, before, width), width)
        fits(module.panel(view, None, width), width)
    fits(events.panel(view, before, width, happened, seen), width)
    for vector in (0, 8, 14, 255):
        fits(idt.detail_in(view, vector, width), width)
    for offset in (0, 8, 0x28, 0x400):
        fits(gdt.detail_in(view, offset, width), width)
    fits(tss.detail_in(view, width), width)


RINGS = ((Moment(0), 0), (Moment(40), 3), (Moment(60, 5), 0))


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(PLACES), st.integers(10, 240), st.data())
def test_every_row_of_the_timeline_has_exactly_its_width(place, width, data):
    view, _, happened, _ = moments(*place)
    known = data.draw(st.integers(0, len(happened)))
    axis = Axis()
    axis.update(happened[:known], RINGS)
    end = view.moment.instruction
    first, last = sorted(data.draw(st.tuples(st.integers(0, end), st.integers(0, end))))
    for window in (Window(first, last), timeline.whole(view, view.moment)):
        panel = timeline.panel(view, Scale.of_panel(window, width), axis, view.moment, ahead=known)
        assert {len(row.text) for row in panel.rows} == {width}
        assert len(panel.note) <= max(0, width - 4)
        assert {len(row.text) for row in timeline.strip(view, Scale.of_row(window, width), axis).rows} == {width}


@settings(deadline=None, max_examples=40)
@given(
    st.binary(min_size=1, max_size=160),
    st.integers(36, 120),
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=16),
)
def test_tables_full_of_anything_still_fit(some, width, numbers):
    raw, general = (some * 4096)[:4096], (numbers * 16)[:16]
    view, before, _, _ = moments("page_fault", "#PF+40")
    wild = replace(
        view,
        idt=replace(view.idt, raw=raw, limit=4095),
        gdt=replace(view.gdt, raw=raw, limit=0xFFFF),
        registers=replace(view.registers, general=tuple(general)),
        stack=replace(view.stack, start=2**64 - 1024, pieces=((2**64 - 1024, raw[:640]),), pointer=2**64 - 1000),
        screen=replace(view.screen, raw=raw[:4000]),
    )
    for module in PANELS:
        fits(module.panel(wild, before, width), width)
    fits(idt.detail_in(wild, raw[0], width), width)


@pytest.mark.parametrize("text", ["[red]x[/red]", "a\x1b[31mb", "wide 漢字", "\u202eabc"])
def test_text_of_the_guest_is_never_more_than_text(text):
    view, before, _, _ = moments("page_fault", "#PF")
    panel = events.panel(view, before, 60, [Noted(0, 0, text)], 1)
    fits(panel, 60)
    assert printable(text) in panel.rows[0].text
    assert "\x1b" not in panel.rows[0].text


def test_what_is_cut_says_so():
    assert cut("abcdef", 4) == "abc…"
    assert cut("abcd", 4) == "abcd"
