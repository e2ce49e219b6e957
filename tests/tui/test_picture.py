"""What a small screen says in one or two rows."""

from idtviz.lab.session import LabSession
from idtviz.lab.teaching.progress import Progress
from idtviz.lab.teaching.tutor import Tutor
from idtviz.tui.dialogs import paragraphs, shortened
from idtviz.tui.picture import Picture


def picture_at(name: str, moment: str) -> Picture:
    session = LabSession.open(name)
    session.seek(moment)
    return Picture(session, session.view, Tutor(session, Progress("")), wide=False)


def test_the_tab_of_the_controllers_is_called_by_what_it_shows() -> None:
    tabs = {moment: picture_at("lapic_timer", moment).rows("tabs", 80).rows[0].text for moment in ("0", "300")}
    assert " 8 PIC " in tabs["0"]
    assert " 8 APIC " in tabs["300"]
    assert tabs["300"].rstrip().endswith("0 log")
    apic = picture_at("lapic_timer", "300")
    apic.tab = "pic"
    assert "▸8 APIC " in apic.rows("tabs", 80).rows[0].text


def test_a_story_too_long_for_its_rows_ends_with_an_ellipsis() -> None:
    small = picture_at("page_fault", "#PF+7")
    rows = small.rows("story", 78).rows
    assert len(rows) == 2
    assert rows[1].text.endswith(" …")
    assert all(len(row.text) <= 78 for row in rows)
    small.wide = True
    wide = " ".join(row.text for row in small.rows("story", 158).rows)
    assert wide.startswith(rows[0].text)
    assert "…" not in wide


def test_a_text_that_fits_stays_as_it_is() -> None:
    rows = paragraphs("", "one two three four five six", 10)
    assert [row.text for row in rows] == ["one two", "three four", "five six"]
    assert shortened(rows, 3, 10) == rows
    assert [row.text for row in shortened(rows, 2, 10)] == ["one two", "three …"]
