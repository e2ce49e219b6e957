"""The events panel: what happened, one line each, and where in it the present lies."""

from __future__ import annotations

from collections.abc import Sequence

from idtviz.debugger.moment import Moment
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


def panel(view: View, before: View | None, width: int, events: Sequence[Happened], seen: int) -> Panel:
    """The events around the present, oldest first; those after it are dim. `key` is an event's place in `events`.

    In sight is kept what is under way or about to happen at this moment, else what has happened last.
    """
    known = before.events if before is not None else seen
    first, last = max(0, seen - _BEFORE), min(len(events), seen + _AFTER)
    moments = [str(Moment(event.instruction, event.step)) for event in events[first:last]]
    present = under_way(view)
    pad = max((len(text) for text in (*moments, str(view.moment))), default=1)
    here = seen if seen < len(events) and moments[seen - first] == str(view.moment) else seen - 1
    rows: list[Row] = []
    if first:
        rows.append(line(width, Span(f"{first} earlier", Role.DIM)))
    focus = 0
    for place in range(first, last):
        if place == seen and present is not None:
            focus = len(rows)
            rows.append(_present(view, present, pad, width))
            if _is_the_same(events[place], view, present):
                continue
        lit = Role.CURRENT if place == here and present is None else None
        if lit:
            focus = len(rows)
        spans = _spans(view, events, events[place], future=place >= seen)
        stamp = Span(f"{moments[place - first]:>{pad}}  ", Role.DIM if place >= seen else Role.ADDRESS)
        rows.append(line(width, stamp, *spans, lit=lit, changed=known <= place < seen and lit is None, key=place))
    if last == seen and present is not None:
        focus = len(rows)
        rows.append(_present(view, present, pad, width))
    if last < len(events):
        rows.append(line(width, Span(f"{len(events) - last} later", Role.DIM)))
    if not rows:
        rows.append(line(width, Span("nothing has happened yet", Role.DIM)))
    return Panel("Events", tuple(rows), f"{seen} of {len(events)}", focus)


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
