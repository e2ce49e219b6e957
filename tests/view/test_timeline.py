"""The rows of the timeline: what a person reads on them, and what a place on them stands for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idtviz.debugger.moment import Moment
from idtviz.lab.session import LabSession
from idtviz.machine.events import Delivered, Happened, Noted, ShutDown
from idtviz.view import timeline
from idtviz.view.axis import Axis
from idtviz.view.row import Panel, Role, Row
from idtviz.view.timeline import Mark, Scale
from idtviz.view.window import Window

from . import worlds
from .sessions import at


def axis_of(session: LabSession) -> Axis:
    axis = Axis()
    axis.update(session.events, session.rings)
    return axis


def drawn(session: LabSession, width: int, window: Window | None = None, marks: tuple[Mark, ...] = ()) -> Panel:
    scale = Scale.of_panel(window or timeline.whole(session.view, session.frontier), width)
    ahead = len(session.events) - session.seen
    return timeline.panel(session.view, scale, axis_of(session), session.frontier, ahead=ahead, marks=marks)


def rows(panel: Panel) -> dict[str, str]:
    """The axis of each row, by the row's name."""
    return {row.text[:7].strip(): row.text[7:] for row in panel.rows}


def roles(row: Row) -> dict[str, Role]:
    return {sign: span.role for span in row.spans if span.role is not Role.LABEL for sign in span.text}


def test_the_present_stands_below_the_event_that_begins_there() -> None:
    session = at("page_fault", "end")
    session.seek("#PF:2")
    shown = rows(drawn(session, 158))
    here = shown[""].index("▲")
    assert shown["events"][here] == "x"
    assert shown["ring"][here] == "░"
    assert shown["events"].count("x") == 3
    assert shown["events"].count("s") == 1
    assert set(shown["events"][:here]) <= set("━xr")
    assert set(shown["events"][here:]) <= set("─xrsh")
    assert (shown["ring"][0], shown["ring"][-1]) == ("█", "█")


def test_the_ends_of_the_axis_say_what_it_shows() -> None:
    session = at("page_fault", "end")
    session.seek("#PF:2+3")
    end = session.frontier.instruction
    panel = drawn(session, 120)
    assert panel.rows[-1].text.split() == ["0", "▲", "620+3", f"{end:,}"]
    assert panel.title == f"Timeline  620+3 of {end:,} instructions · {len(session.events) - session.seen} events ahead"
    near = drawn(session, 120, Window(600, 799))
    assert near.rows[-1].text.split() == ["600", "▲", "620+3", "799"]
    assert f"zoom ×{round((end + 1) / 200)}" in near.title


def test_a_delivery_that_is_under_way_is_on_the_axis_before_it_is_recorded() -> None:
    session = at("page_fault", "#PF+9")
    assert not session.events
    panel = drawn(session, 140)
    assert panel.rows[0].text.endswith("x")
    assert "x exception" in panel.note


def test_a_present_that_is_not_shown_is_pointed_at() -> None:
    session = at("page_fault", "end")
    session.seek("#PF:2")
    assert drawn(session, 120, Window(0, 99)).rows[-1].text.split() == ["0", "now", "at", "620", "▶"]
    assert drawn(session, 120, Window(700, 799)).rows[-1].text.split() == ["◀", "now", "at", "620", "799"]


def test_every_class_of_events_has_a_sign_and_a_look_of_its_own() -> None:
    shown = {}
    for name in ("page_fault", "keyboard", "nmi_during_fault", "double_fault_no_ist"):
        session = at(name, "end")
        end = session.frontier.instruction
        for start in range(0, end, 100):
            shown |= roles(drawn(session, 140, Window(start, start + 99)).rows[0])
    looks = {sign: shown[sign] for sign in "xins✗r"}
    assert len({looks[sign] for sign in "xinsr"}) == 5
    assert looks["✗"] is Role.BAD


def test_the_border_explains_every_sign_that_is_shown_and_no_other() -> None:
    session = at("page_fault", "end")
    note = drawn(session, 140).note
    assert note == "x exception  s INT n  h HLT  █ ring 0  ░ ring 3"
    session.seek("#PF")
    assert drawn(session, 140).note.endswith("━ past  ─ ahead")
    assert "interrupt" in drawn(at("keyboard", "end"), 140).note


def test_a_legend_without_room_ends_with_a_whole_word() -> None:
    session = at("keyboard", "end")
    for width in range(20, 100):
        note = drawn(session, width).note
        assert len(note) <= width - 4
        assert not note or note.split()[-1] in ("interrupt", "rises", "return", "HLT", "0")


def test_marks_of_a_person_stand_over_events_and_are_explained() -> None:
    session = at("page_fault", "end")
    own = Mark(Moment(77), "◆", Role.TITLE, "your note")
    panel = drawn(session, 140, marks=(own, Mark(Moment(5_000_000), "◇", Role.TITLE, "far away")))
    assert "◆" in panel.rows[0].text
    assert roles(panel.rows[0])["◆"] is Role.TITLE
    assert "◆ your note" in panel.note
    assert "◇" not in panel.rows[0].text + panel.note


def test_nothing_hides_a_shutdown() -> None:
    session = at("double_fault_no_ist", "end")
    end = session.frontier.instruction
    assert "✗" in drawn(session, 140, marks=(Mark(Moment(end), "◆", Role.TITLE),)).rows[0].text


def test_a_note_in_the_log_has_a_sign() -> None:
    session = at("page_fault", "end")
    axis = Axis()
    axis.update([Noted(40, 0, "the guest reads a port that is not there")], session.rings)
    scale = Scale.of_panel(timeline.whole(session.view, session.frontier), 120)
    panel = timeline.panel(session.view, scale, axis, session.frontier)
    assert "!" in panel.rows[0].text
    assert "! note in the log" in panel.note


def test_in_real_mode_there_are_no_rings() -> None:
    shown = rows(drawn(at("real_mode_ivt", "end"), 120))
    assert "ring" not in shown
    assert "1" in shown["depth"]


def test_handlers_inside_handlers_are_counted() -> None:
    session = at("nmi_during_fault", "end")
    assert "2" in rows(drawn(session, 140))["depth"]


@pytest.mark.parametrize("window", [None, Window(300, 420), Window(345, 360)])
def test_what_is_drawn_in_a_column_is_what_a_click_there_finds(window: Window | None) -> None:
    session = at("nmi_during_fault", "end")
    scale = Scale.of_panel(window or timeline.whole(session.view, session.frontier), 100)
    axis = axis_of(session)
    text = timeline.panel(session.view, scale, axis, session.frontier).rows[0].text
    nmis = 0
    for x in range(scale.left, 100):
        start, _ = scale.stretch(x)
        assert scale.window.holds(start)
        place = axis.notable(scale.window, scale.column_at(x), scale.columns)
        if text[x] == "n":
            nmis += 1
            assert place is not None
            event = session.events[place]
            assert isinstance(event, Delivered)
            assert event.event.name == "NMI"
    assert nmis


def test_the_ends_of_the_axis_are_what_lies_beyond_them() -> None:
    scale = Scale.of_panel(Window(0, 999), 107)
    assert scale.stretch(-5) == scale.stretch(7) == (0, 10)
    assert scale.stretch(500) == scale.stretch(106) == (990, 1000)


def test_one_row_has_the_marks_the_present_and_the_ends() -> None:
    session = at("page_fault", "end")
    session.seek("#PF:2+3")
    window = timeline.whole(session.view, session.frontier)
    scale = Scale.of_row(window, 80)
    (shown,) = timeline.strip(session.view, scale, axis_of(session)).rows
    assert shown.text.startswith("0 ━")
    assert shown.text.endswith(f" {window.last:,}")
    assert shown.text.index("▲") == scale.left + scale.column(620)
    assert len(shown.text) == 80
    assert "x" in shown.text


def test_a_world_without_a_recording_is_drawn() -> None:
    session = worlds.session("real")
    axis = Axis()
    axis.update(session.events, session.rings)
    for width in (10, 40, 80):
        scale = Scale.of_panel(timeline.whole(session.view, session.frontier), width)
        panel = timeline.panel(session.view, scale, axis, session.frontier)
        assert {len(row.text) for row in panel.rows} == {width}


def long_run() -> tuple[list[Happened], list[tuple[Moment, int]]]:
    """A hundred thousand deliveries, and one shutdown."""
    session = at("keyboard", "end")
    delivered = next(event for event in session.events if isinstance(event, Delivered))
    events: list[Happened] = [replace(delivered, instruction=place * 10) for place in range(100_000)]
    return [*events, ShutDown(1_000_000, 0, ())], [(Moment(place * 20), place % 2 * 3) for place in range(50_000)]


def test_a_long_run_is_drawn_by_looking_at_little_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    events, rings = long_run()
    axis = Axis()
    axis.update(events, rings)
    looked = 0

    class Counted(list[Happened]):
        def __getitem__(self, place):  # type: ignore[no-untyped-def]
            nonlocal looked
            looked += 1
            return super().__getitem__(place)

    axis.update(Counted(events), rings)
    window = Window(0, 1_000_000)
    for _ in range(10):
        columns = axis.columns(window, 94)
        window = window.zoomed(400_000, Window(0, 1_000_000), nearer=True)
        assert {each.sign for each in columns} <= {"i", "✗", ""}
    assert looked < 10
