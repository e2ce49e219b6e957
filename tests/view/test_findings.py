"""What the rules have found, as rows: signs, counts, sentences, and their places among code, events and tables."""

from __future__ import annotations

import pytest

from idtviz.checks.finding import Finding, Note, Severity
from idtviz.checks.rules import BY_ID
from idtviz.debugger.moment import Moment
from idtviz.lab.session import LabSession
from idtviz.view import code, events, explanations, finding_pages, findings, timeline
from idtviz.view.axis import Axis
from idtviz.view.row import Panel, Role
from idtviz.view.timeline import Scale

from .sessions import lit, text


def recorded() -> LabSession:
    """A kernel whose page fault handler leaves the error code on the stack, up to its end, then at its finding."""
    session = LabSession.open("bugs/error_code_not_popped")
    session.run()
    session.seek(findings.when(session.findings[0]))
    return session


def made(severity: Severity, instruction: int, rule: str = "STK001", address: int | None = None) -> Finding:
    return Finding(rule, severity, f"the message at {instruction}", address, Moment(instruction))


def code_of(session: LabSession, width: int) -> Panel:
    so_far = findings.up_to(session.findings, session.moment)
    return code.panel(session.view, None, width, session.source, (), so_far)


def log_of(session: LabSession, width: int) -> Panel:
    return events.panel(session.view, None, width, session.events, session.seen, tuple(session.findings))


def test_each_severity_has_a_sign_of_its_own_that_no_event_has() -> None:
    assert len(set(findings.SIGNS.values())) == len(Severity)
    assert not set(findings.SIGNS.values()) & {*timeline.SIGNS, "+", "Y", "*"}
    assert all(len(sign) == 1 for sign in findings.SIGNS.values())


@pytest.mark.parametrize(
    ("moment", "long", "short"),
    [
        (0, "⚑ 4 ahead (x)", "⚑0/4"),
        (10, "⚑1 · 3 ahead (x)", "⚑1/4"),
        (25, "⚑1 ⚐1 · 2 ahead (x)", "⚑1 ⚐1/4"),
        (40, "⚑2 ⚐1 ¶1 (x)", "⚑2 ⚐1 ¶1"),
    ],
)
def test_findings_are_counted_up_to_the_present_and_ahead_of_it(moment: int, long: str, short: str) -> None:
    kinds = (Severity.ERROR, Severity.WARNING, Severity.NOTE, Severity.ERROR)
    found = [made(kind, 10 * place) for place, kind in enumerate(kinds, 1)]
    counted = findings.counted(found, Moment(moment))
    assert counted is not None
    assert tuple(span.text for span in counted) == (long, short)


def test_nothing_is_counted_where_nothing_was_found() -> None:
    assert findings.counted((), Moment(0)) is None


def test_a_finding_that_shows_later_stands_later_whenever_it_became_known() -> None:
    later, earlier = made(Severity.ERROR, 20), made(Severity.ERROR, 10)
    assert findings.in_order((later, earlier)) == (earlier, later)


def test_of_several_findings_the_sentence_tells_one_and_counts_the_others() -> None:
    view = recorded().view
    first, second = made(Severity.WARNING, 1), made(Severity.ERROR, 2)
    assert findings.sentence((), view) == ""
    assert findings.sentence((first,), view).startswith("⚐ STK001: the message at 1 · ")
    assert "and 1 more" in findings.sentence((first, second), view)


def test_the_sentence_says_where_to_look_if_that_is_not_here() -> None:
    session = recorded()
    assert "handler_return" not in findings.sentence(session.findings, session.view)
    session.seek("0")
    assert "handler_return · error_code_not_popped.S" in findings.sentence(session.findings, session.view)


@pytest.mark.parametrize(
    ("name", "place"),
    [("gate_dpl", "IDT[128]"), ("stale_stack_selector", "GDT[2]"), ("rsp0_zero", "tss+0x4")],
)
def test_an_entry_of_a_table_is_called_by_its_number(name: str, place: str) -> None:
    session = LabSession.open(f"bugs/{name}")
    session.run(stop_when=lambda: bool(session.findings))
    address = session.findings[0].address
    assert address is not None
    assert findings.place(session.view, address) == place


def test_where_an_instruction_has_several_columns_its_finding_stands_beside_its_events() -> None:
    session = LabSession.open("double_fault_no_ist")
    session.run()
    axis = Axis()
    axis.update(session.events, session.rings)
    marks = timeline.finding_marks(session.findings)
    (finding,) = session.findings
    whole = timeline.whole(session.view, session.frontier)
    near = whole.zoomed(findings.when(finding).instruction, whole, nearer=True).zoomed(88, whole, nearer=True)
    for window, shown in ((near, "xx✗⚑"), (whole, "✗")):
        scale = Scale.of_panel(window, 7 + (150 if window is near else 60))
        panel = timeline.panel(session.view, scale, axis, session.frontier, marks=marks)
        assert panel.rows[0].text.rstrip("━─").endswith(shown)


def test_the_line_to_change_bears_the_sign_and_the_rule() -> None:
    session = recorded()
    wide = next(row.text for row in code_of(session, 120).rows if row.text.startswith("▶"))
    assert "⚑" in wide
    assert f"⚑ STK001 {BY_ID['STK001'].title}" in wide
    narrow = [row.text for row in code_of(session, 46).rows]
    place = next(number for number, text in enumerate(narrow) if text.startswith("▶"))
    assert "⚑" in narrow[place]
    assert narrow[place + 1].strip().startswith("⚑ STK001 ")
    assert all(len(text) <= 46 for text in narrow)


def test_before_its_moment_a_finding_is_not_on_the_code() -> None:
    session = recorded()
    session.back()
    assert "⚑" not in text(code_of(session, 120))


def test_plain_disassembly_bears_the_sign_too() -> None:
    session = recorded()
    so_far = findings.up_to(session.findings, session.moment)
    shown = code.panel(session.view, None, 120, lambda _: None, (), so_far)
    (marked,) = [row.text for row in shown.rows if "⚑" in row.text]
    assert marked.startswith("▶")
    assert "iretq" in marked
    assert "STK001" in marked


def test_a_finding_stands_among_the_events_in_front_of_what_came_of_it() -> None:
    session = recorded()
    rows = [row.text for row in log_of(session, 100).rows]
    assert ["#PF" in rows[0], "⚑ STK001 the handler" in rows[1], "#GP" in rows[2]] == [True] * 3
    assert [role for role, shown in lit(log_of(session, 100)) if "⚑" in shown] == [Role.CURRENT]
    assert [row.key for row in log_of(session, 100).rows][:3] == [0, -1, 1]


def test_a_finding_that_lies_ahead_is_dim_among_the_events() -> None:
    session = recorded()
    session.seek("0")
    row = next(row for row in log_of(session, 100).rows if "⚑" in row.text)
    assert {span.role for span in row.spans if span.text.strip()} == {Role.DIM}


def test_a_delivery_under_way_stands_behind_what_was_found_before_it() -> None:
    session = recorded()
    session.seek("#GP+2")
    rows = [row.text for row in log_of(session, 100).rows]
    assert "⚑" in rows[1]
    assert "step 2 of" in rows[2]
    assert sum("#GP" in text for text in rows) == 1


def test_the_timeline_shows_the_worst_of_what_was_found_at_one_place() -> None:
    session = recorded()
    here = session.moment.instruction
    found = [made(Severity.ERROR, here), made(Severity.WARNING, here), made(Severity.NOTE, 100)]
    scale = Scale.of_panel(timeline.whole(session.view, session.frontier), 120)
    axis = Axis()
    axis.update(session.events, session.rings)
    marks = timeline.finding_marks(found)
    shown = timeline.panel(session.view, scale, axis, session.frontier, marks=marks)
    assert ("⚑" in shown.rows[0].text, "⚐" in shown.rows[0].text, "¶" in shown.rows[0].text) == (True, False, True)
    assert "⚑ error found" in shown.note


def test_the_page_of_a_finding_tells_the_bug_the_reason_and_what_to_change() -> None:
    session = recorded()
    (finding,) = session.findings
    sheet = finding_pages.page(finding, session.view, 1, 90)
    words = " ".join(text(sheet.panel).split())
    rule = BY_ID[finding.rule]
    for part in (finding.message, finding.notes[0].text, rule.why, rule.fix, rule.source, "handler_return"):
        assert " ".join(part.split()) in words
    assert all(len(row.text) <= 90 for row in sheet.panel.rows)
    assert sheet.goals == ()
    session.seek("0")
    (goal,) = finding_pages.page(finding, session.view, 1, 90).goals
    assert goal.moment == finding.moment


def test_what_a_guest_has_named_cannot_break_a_page() -> None:
    session = recorded()
    odd = Finding("XYZ999", Severity.NOTE, "a \x1b[31m name", 0x10, None, (Note("\x07", None),))
    sheet = finding_pages.page(odd, session.view, 1, 60)
    assert all(row.text.isprintable() for row in sheet.panel.rows)
    assert findings.sentence((odd,), session.view).isprintable()


def test_the_list_goes_to_the_moments() -> None:
    session = recorded()
    sheet = finding_pages.listed(session.findings, 1, session.moment, 80)
    assert "1 so far, 1 known" in sheet.panel.title
    assert [goal.moment for goal in sheet.goals] == [session.moment]
    assert "Nothing was found" in text(finding_pages.listed((), 1, session.moment, 80).panel)


@pytest.mark.parametrize("word", ["STK001", "stk001", "idt.limit", "#PF", "14", "0xe", "pf"])
def test_rules_and_vectors_have_pages(word: str) -> None:
    sheet = explanations.explained(word, 80)
    assert sheet.panel.rows
    assert "source" in text(sheet.panel)
    assert all(len(row.text) <= 80 for row in sheet.panel.rows)


def test_a_word_without_a_page_is_answered_with_what_has_one() -> None:
    with pytest.raises(ValueError, match=r"STK001, idt\.limit"):
        explanations.explained("nonsense", 80)


def test_every_word_that_is_offered_has_a_page() -> None:
    assert all(explanations.explained(word, 60).panel.title for word in explanations.WORDS)
