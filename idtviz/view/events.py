"""The events panel: what happened, one line each, and where in it the present lies."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from idtviz.checks.finding import Finding
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.procedures import Stage
from idtviz.debugger.view import View
from idtviz.machine.delivery.event import Event, Source
from idtviz.machine.events import (
    Context,
    Delivered,
    EndOfInterrupt,
    Halted,
    Happened,
    LineChanged,
    Noted,
    Returned,
    ShutDown,
    SwitchedOff,
)
from idtviz.view.findings import sign, when
from idtviz.view.layout import line, printable
from idtviz.view.places import name_at
from idtviz.view.row import Panel, Role, Row, Span
from idtviz.x86.error_codes import PageFaultCode

_BEFORE, _AFTER = 200, 100  # a log is a window on a list
_PAGE_FAULT = 14

SOURCE_SIGNS = {Source.EXCEPTION: "x", Source.SOFTWARE: "s", Source.EXTERNAL: "i", Source.NMI: "n"}
SIGN_ROLES = {
    "✗": Role.BAD,
    "o": Role.BAD,
    "x": Role.BAD,
    "n": Role.SYMBOL,
    "s": Role.WARNING,
    "!": Role.WRITTEN,
    "i": Role.GOOD,
    "↑": Role.READ,
    "r": Role.TEXT,
}
"""The looks of the signs that `glyph` gives; all others are dim."""


def panel(
    view: View,
    before: View | None,
    width: int,
    events: Sequence[Happened],
    seen: int,
    findings: Sequence[Finding] = (),
) -> Panel:
    """The events around the present, oldest first; those after it are dim. `key` is an event's place in `events`.

    What was found stands between them, in front of the event of the same moment; `key` is -1 for the first of
    `findings`, -2 for the second. In sight is kept what is under way, what is about to happen or was found at this
    moment, else what has happened last.
    """
    first, last = max(0, seen - _BEFORE), min(len(events), seen + _AFTER)
    log = _Log(view, before, width, events, seen, findings)
    rows: list[Row] = []
    if first:
        rows.append(line(width, Span(f"{first} earlier", Role.DIM)))
    focus = None
    for shown in log.rows(range(first, last)):
        if shown.lit:
            focus = len(rows)
        rows.append(shown)
    if last < len(events):
        rows.append(line(width, Span(f"{len(events) - last} later", Role.DIM)))
    if not rows:
        rows.append(line(width, Span("nothing has happened yet", Role.DIM)))
    return Panel("Events", tuple(rows), f"{seen} of {len(events)}", focus or 0)


@dataclass(frozen=True)
class _Log:
    """Events and findings in one order; see `panel` for the keys, by which both are known here too."""

    view: View
    before: View | None
    width: int
    events: Sequence[Happened]
    seen: int
    findings: Sequence[Finding]

    def rows(self, places: range) -> Iterator[Row]:
        """A row for each of the events at `places`, for the findings between them, and for what is under way."""
        keys = list(self._keys(places))
        pad = max(len(str(moment)) for moment in (*map(self._moment, keys), self.view.moment))
        present, here = under_way(self.view), self._here(keys)
        for key in keys:
            if present is not None and self._is_ahead(key):
                yield _present(self.view, present, pad, self.width)
                same = key >= 0 and _is_the_same(self.events[key], self.view, present)
                present = None
                if same:
                    continue
            yield self._row(key, pad, lit=key == here)
        if present is not None:
            yield _present(self.view, present, pad, self.width)

    def _keys(self, places: range) -> Iterator[int]:
        begin = _moment(self.events[places.start - 1]) if places.start else START
        found = ((when(finding), -1 - place) for place, finding in enumerate(self.findings))
        waiting = deque(sorted((moment, key) for moment, key in found if moment >= begin))
        for place in places:
            while waiting and waiting[0][0] <= _moment(self.events[place]):
                yield waiting.popleft()[1]
            yield place
        if places.stop == len(self.events):
            yield from (key for _, key in waiting)

    def _moment(self, key: int) -> Moment:
        return _moment(self.events[key]) if key >= 0 else when(self.findings[-1 - key])

    def _is_ahead(self, key: int) -> bool:
        return key >= self.seen if key >= 0 else self._moment(key) > self.view.moment

    def _here(self, keys: Sequence[int]) -> int | None:
        """What is about to happen at this moment, was found at it, or happened last; None while something goes on."""
        if under_way(self.view) is not None:
            return None
        now = [key for key in keys if self._moment(key) == self.view.moment and (key < 0 or key == self.seen)]
        if now:
            return now[-1]
        return self.seen - 1 if self.seen else None

    def _row(self, key: int, pad: int, *, lit: bool) -> Row:
        ahead = self._is_ahead(key)
        stamp = Span(f"{self._moment(key)!s:>{pad}}  ", Role.DIM if ahead else Role.ADDRESS)
        if key < 0:
            spans = _spans_of_finding(self.findings[-1 - key], future=ahead)
            new = self.before is not None and self._moment(key) > self.before.moment
        else:
            spans = _spans(self.view, self.events, self.events[key], future=ahead)
            new = self.before is not None and key >= self.before.events
        current = Role.CURRENT if lit else None
        return line(self.width, stamp, *spans, lit=current, changed=new and not ahead and not lit, key=key)


def _moment(event: Happened) -> Moment:
    return Moment(event.instruction, event.step)


def _spans_of_finding(finding: Finding, *, future: bool) -> tuple[Span, ...]:
    mark, role = sign(finding), Role.DIM if future else Role.TEXT
    return (
        Span(f"{mark.text} ", Role.DIM if future else mark.role),
        Span(f"{finding.rule} ", Role.DIM if future else Role.LABEL),
        Span(printable(finding.message), role),
    )


def under_way(view: View) -> Event | None:
    """What is being delivered at this moment; it is not recorded before its delivery has ended."""
    procedure = view.procedure
    return procedure.event if procedure is not None and procedure.stage is Stage.UNDER_WAY else None


def _is_the_same(happened: Happened, view: View, event: Event) -> bool:
    same = isinstance(happened, Delivered) and happened.event == event
    return same and happened.instruction == view.moment.instruction


def _present(view: View, event: Event, pad: int, width: int) -> Row:
    procedure = view.procedure
    assert procedure is not None
    text = f"step {procedure.performed} of {len(procedure.steps)}"
    stamp = Span(f"{view.moment!s:>{pad}}  ", Role.ADDRESS)
    return line(width, stamp, Span(_name(event), Role.CURRENT), Span(f"  {text}", Role.TEXT), lit=Role.CURRENT)


def _name(event: Event) -> str:
    text = event.name
    if event.error_code is not None:
        names = f" {' '.join(PageFaultCode(event.error_code).names())}" if event.vector == _PAGE_FAULT else ""
        text += (
            f" error {event.error_code:#x}{names}"
            if event.vector != _PAGE_FAULT
            else f" error {event.error_code}{names}"
        )
    if event.cr2 is not None:
        text += f" cr2 {event.cr2:#x}"
    return text


def glyph(event: Happened) -> str:
    """One sign for the kind of an event; the legend of the timeline names them."""
    match event:
        case Delivered(event=delivered):
            return SOURCE_SIGNS[delivered.source]
        case Returned():
            return "r"
        case LineChanged(level=level):
            return "↑" if level else "↓"
        case EndOfInterrupt():
            return "e"
        case Halted():
            return "h"
        case ShutDown():
            return "✗"
        case SwitchedOff():
            return "o"
        case Noted():
            return "!"
        case _:
            return "·"


def _place(view: View, context: Context) -> str:
    return name_at(view, context.mode, context.cs, context.rip)


def _spans(view: View, events: Sequence[Happened], event: Happened, *, future: bool) -> tuple[Span, ...]:
    text, role = told(view, events, event)
    sign = glyph(event)
    look = Role.DIM if future else SIGN_ROLES.get(sign, Role.DIM)
    return (Span(f"{sign} ", look), Span(text, Role.DIM if future else role))


def told(view: View, events: Sequence[Happened], event: Happened) -> tuple[str, Role]:
    """What happened, in words, and how it is shown."""
    match event:
        case Delivered(event=delivered, to=to, fault=fault):
            name = _name(delivered)
            if fault is not None:
                return f"{name} ✗ its delivery met {fault.name}", Role.BAD
            where = f" → {_place(view, to)}" if to is not None else ""
            return f"{name}{where}", Role.TEXT
        case Returned(to=to, origin=origin):
            ring = f" ring {origin.cpl} → {to.cpl}" if origin.cpl != to.cpl else ""
            return f"return → {_place(view, to)}{ring}", Role.TEXT
        case LineChanged(line=number, level=level):
            return f"IRQ{number} {'rises' if level else 'falls'}", Role.TEXT
        case EndOfInterrupt(controller=controller, ended=ended):
            return f"EOI {controller} {ended}", Role.TEXT
        case Halted():
            return "halt", Role.TEXT
        case ShutDown(cause=cause):
            names = [_delivery_name(events, index) for index in cause]
            return f"shutdown: {' → '.join(names)}", Role.BAD
        case SwitchedOff(how=how):
            return how, Role.BAD
        case Noted(text=text):
            return printable(text), Role.WARNING
        case _:
            return type(event).__name__, Role.TEXT


def _delivery_name(events: Sequence[Happened], index: int) -> str:
    for event in reversed(events):
        if isinstance(event, Delivered) and event.index == index:
            return event.event.name
    return f"delivery {index}"
