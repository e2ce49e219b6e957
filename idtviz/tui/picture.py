"""What each panel of the debugger shows: the session's present moment, turned into rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from idtviz.debugger.breakpoints import AddressBreakpoint
from idtviz.debugger.procedures import ProcedureView
from idtviz.debugger.session import Phase
from idtviz.debugger.stops import Reason
from idtviz.debugger.view import View
from idtviz.lab.narration import narration
from idtviz.lab.session import LabSession
from idtviz.machine.events import Noted
from idtviz.tui.actions import ACTIONS, PANELS, TABS
from idtviz.tui.dialogs import paragraphs, shortened
from idtviz.tui.rate import Rate
from idtviz.view import code, controllers, delivery, display, events, gdt, idt, registers, stack, status, timeline, tss
from idtviz.view.axis import Axis
from idtviz.view.layout import printable
from idtviz.view.row import Panel, Role, Rows
from idtviz.x86.addresses import MASK64

_STORY_ROWS, _STORY_ROWS_ON_A_SMALL_SCREEN = 3, 2  # as in idtviz.tcss
_QUIET = (Reason.STEP, Reason.MOMENT, Reason.START)


@dataclass(slots=True)
class Picture:
    """All that a screen shows: two views of `session` and what the person has asked for."""

    session: LabSession
    view: View
    before: View | None = None
    """The view that was drawn before this one: what differs is marked."""
    supposed: ProcedureView | None = None
    """The delivery that the person wanted to see ahead of time."""
    message: str = ""
    tab: str = "code"
    """The panel that is shown where there is no room for all."""
    wide: bool = True
    rate: Rate = field(default_factory=Rate)
    axis: Axis = field(default_factory=Axis)

    def rows(self, name: str, width: int) -> Panel:
        """The content of the panel called `name`."""
        return _PANELS[name](self, width)

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
    return status.head(picture.view, picture.session.setup.name, picture.state(), width)


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
    """A message; else what the scenario has to say; else why the step just performed exists."""
    why, source = delivery.why(picture.view)
    lesson = narration(picture.session)
    busy = picture.view.procedure is not None and picture.view.procedure.performed
    rows: Rows = ()
    said = " ".join(part for part in (picture.message, _note(picture)) if part)
    if said:
        rows = paragraphs("", said, width, role=Role.WARNING)
    elif lesson is not None and not busy:
        rows = paragraphs("", lesson.text, width, role=Role.SOURCE)
    elif why:
        rows = paragraphs("", f"{why} [{source}]", width, role=Role.SOURCE)
    most = _STORY_ROWS if picture.wide else _STORY_ROWS_ON_A_SMALL_SCREEN
    return Panel("", shortened(rows, most, width))


def _note(picture: Picture) -> str:
    """What the log says of this very instruction."""
    session, here = picture.session, picture.view.moment.instruction
    latest = session.events[max(0, session.seen - _RECENT) : session.seen]
    notes = [event.text for event in latest if isinstance(event, Noted) and event.instruction == here]
    return printable(notes[-1]) if notes else ""


_RECENT = 8  # events


def _code(picture: Picture, width: int) -> Panel:
    found = picture.view.code
    stops = {
        (address - found.linear(0)) & MASK64
        for item in picture.session.breakpoints.enabled
        if isinstance(item, AddressBreakpoint)
        for address in item.addresses
    }
    return code.panel(picture.view, picture.before, width, picture.session.source, stops)


def _delivery(picture: Picture, width: int) -> Panel:
    return delivery.panel(picture.view, picture.before, width, picture.supposed)


def _events(picture: Picture, width: int) -> Panel:
    return events.panel(picture.view, picture.before, width, picture.session.events, picture.session.seen)


def _timeline(picture: Picture, width: int) -> Panel:
    session = picture.session
    picture.axis.update(session.events, session.rings)
    found = timeline.panel(picture.view, width, session.frontier, picture.axis, len(session.events), session.seen)
    return found if picture.wide else Panel("", found.rows[:1])


_Rows = Callable[[Picture, int], Panel]


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
    "idt": _plain(idt.panel),
    "gdt": _plain(gdt.panel),
    "tss": _plain(tss.panel),
    "pic": _plain(controllers.panel),
    "display": _plain(display.panel),
    "timeline": _timeline,
    "events": _events,
    "story": _story,
    "foot": _foot,
}
