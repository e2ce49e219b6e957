"""What each panel of the debugger shows: the session's present moment, turned into rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from idtviz.checks.finding import Finding
from idtviz.debugger.branching import parted
from idtviz.debugger.breakpoints import AddressBreakpoint
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.procedures import ProcedureView
from idtviz.debugger.session import Phase
from idtviz.debugger.stops import Reason
from idtviz.debugger.view import View
from idtviz.lab.session import LabSession
from idtviz.lab.teaching.tutor import Tutor
from idtviz.machine.events import Noted
from idtviz.machine.watch import Bytes
from idtviz.tui.actions import ACTIONS, PANELS, TABS
from idtviz.tui.cursor import bytes_of
from idtviz.tui.dialogs import paragraphs, shortened
from idtviz.tui.rate import Rate
from idtviz.view import (
    code,
    controllers,
    delivery,
    display,
    events,
    findings,
    gdt,
    idt,
    lessons,
    registers,
    stack,
    status,
    timeline,
    tss,
)
from idtviz.view.axis import Axis
from idtviz.view.layout import printable
from idtviz.view.row import Panel, Role, Rows
from idtviz.view.timeline import Mark, Scale
from idtviz.view.window import Window
from idtviz.x86.addresses import MASK64

_STORY_ROWS, _STORY_ROWS_ON_A_SMALL_SCREEN = 3, 2  # as in idtviz.tcss
_QUIET = (Reason.STEP, Reason.MOMENT, Reason.START)


@dataclass(slots=True)
class Picture:
    """All that a screen shows: two views of `session` and what the person has asked for."""

    session: LabSession
    view: View
    tutor: Tutor
    before: View | None = None
    """The view that was drawn before this one: what differs is marked."""
    supposed: ProcedureView | None = None
    """The delivery that the person wanted to see ahead of time."""
    message: str = ""
    findings: tuple[Finding, ...] = ()
    """What the rules have found, up to the frontier."""
    fresh: tuple[Finding, ...] = ()
    """Those of them that the last move has come to."""
    tab: str = "code"
    """The panel that is shown where there is no room for all."""
    wide: bool = True
    rate: Rate = field(default_factory=Rate)
    axis: Axis = field(default_factory=Axis)
    window: Window | None = None
    """The stretch of the run that the timeline shows; None: all of it."""
    scale: Scale | None = None
    """Where the axis of the timeline lies, as it was drawn last."""

    def rows(self, name: str, width: int) -> Panel:
        """The content of the panel called `name`; none of it where a question covers that."""
        if name in self.tutor.covered:
            return lessons.covered(name.upper() if len(name) == 3 else name.capitalize())
        return _PANELS[name](self, width)

    @property
    def whole(self) -> Window:
        """All that is known of the run."""
        return timeline.whole(self.view, self.session.frontier)

    @property
    def found(self) -> tuple[Finding, ...]:
        """What the rules have found up to this moment."""
        return findings.up_to(self.findings, self.view.moment)

    def look(self, view: View, found: tuple[Finding, ...]) -> None:
        """The session has moved: how it looks now, and what the rules have found by now."""
        known = self.found
        self.before, self.view = self.view, view
        self.findings = found
        self.fresh = tuple(finding for finding in self.found if finding not in known)

    @property
    def news(self) -> tuple[Finding, ...]:
        """What the last move has come to, or what was found at this very moment."""
        return self.fresh or tuple(each for each in self.findings if findings.when(each) == self.view.moment)

    def zoom(self, around: int, *, nearer: bool) -> None:
        """Show half as long a stretch of the run on the timeline, or twice as long."""
        self._show((self.window or self.whole).zoomed(around, self.whole, nearer=nearer))

    def follow(self) -> None:
        """The present is another one: if it has left the timeline, that follows."""
        if self.window is not None:
            self._show(self.window.following(self.view.moment.instruction, self.whole))

    @property
    def marks(self) -> Sequence[Mark]:
        """What was found, what was typed or edited, where branches part, what was noted; the later hide the earlier."""
        session = self.session
        others = [other for other in session.branches if other is not session.branch]
        return (
            *timeline.finding_marks(self.findings),
            *(Mark(given.moment, "+", Role.CHANGED, "typed or edited") for given in session.branch.own),
            *(Mark(parted(session.branch, other), "Y", Role.CHANGED, "branches part") for other in others),
            *(Mark(note.moment, "*", Role.WARNING, "your note") for note in session.notes),
        )

    def moment_at(self, x: int) -> Moment | None:
        """What column `x` of the timeline shows: a mark, else its most notable event, else its first instruction."""
        if self.scale is None:
            return None
        scale, column = self.scale, self.scale.column_at(x)
        mark = timeline.placed(self.marks, self.axis.columns(scale.window, scale.columns), scale).get(column)
        if mark is not None:
            return mark.moment
        place = self.axis.notable(scale.window, column, scale.columns)
        if place is None or place >= len(self.session.events):
            return Moment(scale.stretch(x)[0])
        event = self.session.events[place]
        return Moment(event.instruction, event.step)

    def _show(self, window: Window) -> None:
        self.window = None if window == self.whole else window

    def state(self) -> str:
        """What the session is doing, or why it stopped."""
        session = self.session
        if session.phase is Phase.RUNNING:
            progress = session.progress
            instructions, seconds = progress.moment.instruction, progress.ticks / self.view.hertz
            return status.running(instructions, seconds, self.rate.look(instructions))
        if session.stop.reason in _QUIET:
            return "stopped" if session.phase is Phase.STOPPED else "ended"
        return str(session.stop.reason.value)


def _head(picture: Picture, width: int) -> Panel:
    session = picture.session
    branch, count = session.branch, len(session.branches)
    told: tuple[str, ...] = ()
    if count > 1:
        number = f"branch {branch.number} of {count}"
        whence = "" if branch.parent is None else f", from {branch.fork}"
        told = (f"{number}: {printable(branch.name)}{whence}", number)
    count_of_findings = findings.counted(picture.findings, picture.view.moment)
    return status.head(picture.view, session.setup.name, picture.state(), width, told, count_of_findings)


def _tabs(picture: Picture, width: int) -> Panel:
    called = list(TABS)
    if controllers.shows_apic(picture.view):
        called[PANELS.index("pic")] = "APIC"
    names = [(str((place + 1) % 10), name) for place, name in enumerate(called)]
    return status.tabs(names, called[PANELS.index(picture.tab)], width)


def _foot(_picture: Picture, width: int) -> Panel:
    shown = [(action.keys.split(",")[0], action.label) for action in ACTIONS if action.footer]
    return status.foot(shown, width)


def _story(picture: Picture, width: int) -> Panel:
    """A message; what the scenario says, asks or sets at this moment; else why the step just performed exists."""
    found = findings.sentence(picture.news, picture.view)
    said = " · ".join(part for part in (picture.message, found, _note(picture), _own_note(picture)) if part)
    rows: Rows = paragraphs("", said, width, role=Role.WARNING) if said else ()
    tutor = picture.tutor
    present = tutor.present
    if present is not None and (tutor.tells or not said):
        return Panel("", (*rows, *lessons.present(present, width, tells=tutor.tells)))
    if not said or (said == found and picture.wide):
        rows += _told(picture, width, alone=not said)
    most = _STORY_ROWS if picture.wide else _STORY_ROWS_ON_A_SMALL_SCREEN
    return Panel("", shortened(rows, most, width))


def _told(picture: Picture, width: int, *, alone: bool) -> Rows:
    """What the scenario has to say; while a delivery or return is under way, why its last step exists."""
    lesson, scenario = picture.tutor.lesson, picture.session.scenario
    busy = picture.view.procedure is not None and picture.view.procedure.performed
    if not busy and lesson is not None:
        return paragraphs("", lesson.text, width, role=Role.SOURCE)
    if not busy and alone and picture.view.moment == START and scenario.summary:
        return paragraphs("", " ".join(f"{scenario.summary} {_BEGIN}".split()), width, role=Role.SOURCE)
    if alone:
        why, source = delivery.why(picture.view)
        return paragraphs("", f"{why} [{source}]", width, role=Role.SOURCE) if why else ()
    return ()


_BEGIN = "(s goes on by one instruction, c runs.)"


def _note(picture: Picture) -> str:
    """What the log says of this very instruction."""
    session, here = picture.session, picture.view.moment.instruction
    latest = session.events[max(0, session.seen - _RECENT) : session.seen]
    notes = [event.text for event in latest if isinstance(event, Noted) and event.instruction == here]
    return printable(notes[-1]) if notes else ""


def _own_note(picture: Picture) -> str:
    """What the person has noted about this moment."""
    noted = [note.text for note in picture.session.notes if note.moment == picture.view.moment]
    return f"Your note: {printable(noted[0])}" if noted else ""


_RECENT = 8  # events


def _code(picture: Picture, width: int) -> Panel:
    found = picture.view.code
    stops = {
        (address - found.linear(0)) & MASK64
        for item in picture.session.breakpoints.enabled
        if isinstance(item, AddressBreakpoint)
        for address in item.addresses
    }
    return code.panel(picture.view, picture.before, width, picture.session.source, stops, picture.found)


def _delivery(picture: Picture, width: int) -> Panel:
    return delivery.panel(picture.view, picture.before, width, picture.supposed)


def _events(picture: Picture, width: int) -> Panel:
    session = picture.session
    return events.panel(picture.view, picture.before, width, session.events, session.seen, picture.findings)


def _timeline(picture: Picture, width: int) -> Panel:
    session, view, axis = picture.session, picture.view, picture.axis
    axis.update(session.events, session.rings)
    window, marks = picture.window or picture.whole, picture.marks
    if not picture.wide:
        picture.scale = Scale.of_row(window, width)
        return timeline.strip(view, picture.scale, axis, marks)
    picture.scale = Scale.of_panel(window, width)
    ahead = len(session.events) - session.seen
    return timeline.panel(view, picture.scale, axis, session.frontier, ahead=ahead, marks=marks)


_Rows = Callable[[Picture, int], Panel]


def _flagged(name: str, panel: Callable[[View, View | None, int], Panel]) -> _Rows:
    """A panel of structures in memory: those in which something was found up to this moment bear its sign.

    Where it keeps no other row in sight, it keeps the one that the news are about.
    """

    def rows(picture: Picture, width: int) -> Panel:
        made = panel(picture.view, picture.before, width)
        found = [each for each in picture.found if each.address is not None]
        if not found:
            return made
        keys = {row.key for row in made.rows if row.key is not None}
        places = {key: bytes_of(picture.view, name, key) for key in keys}
        flags = {key: each for each in found for key, place in places.items() if _lies_in(each.address, place)}
        shown, focus = findings.flagged(made.rows, flags), made.focus
        if focus is None:
            news = {key for key, each in flags.items() if each in picture.news}
            focus = next((at for at, row in enumerate(shown) if row.key in news), None)
        return replace(made, rows=shown, focus=focus)

    return rows


def _lies_in(address: int | None, place: Bytes | None) -> bool:
    return address is not None and place is not None and place.address <= address < place.address + place.size


def _plain(panel: Callable[[View, View | None, int], Panel]) -> _Rows:
    """A panel that needs nothing but the views."""
    return lambda picture, width: panel(picture.view, picture.before, width)


_PANELS: dict[str, _Rows] = {
    "head": _head,
    "tabs": _tabs,
    "code": _code,
    "delivery": _delivery,
    "registers": _plain(registers.panel),
    "stack": _plain(stack.panel),
    "idt": _flagged("idt", idt.panel),
    "gdt": _flagged("gdt", gdt.panel),
    "tss": _flagged("tss", tss.panel),
    "pic": _plain(controllers.panel),
    "display": _plain(display.panel),
    "timeline": _timeline,
    "events": _events,
    "story": _story,
    "foot": _foot,
}
