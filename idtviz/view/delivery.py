"""The delivery path: the event, the pointers that the processor follows, and each step with what it found."""

from __future__ import annotations

from idtviz.debugger.procedures import Link, ProcedureView, Stage
from idtviz.debugger.view import View
from idtviz.machine.delivery.event import Event, Source
from idtviz.machine.delivery.procedure import Step
from idtviz.view import pointers
from idtviz.view.fitting import clip, fitted, told
from idtviz.view.layout import printable
from idtviz.view.places import far, frame_mode, linear, name_at
from idtviz.view.row import Panel, Role, Row, Rows, Span, row
from idtviz.x86 import error_codes
from idtviz.x86.flags import NT
from idtviz.x86.tss import Tss16, Tss32
from idtviz.x86.vectors import VECTORS

_STAGES = {
    Stage.UNDER_WAY: "",
    Stage.DONE: "delivered",
    Stage.NEXT: "comes next",
    Stage.SUPPOSED: "if it came now",
}


def panel(view: View, _before: View | None, width: int, supposed: ProcedureView | None = None) -> Panel:
    """The procedure that this moment is about; without one, how the handlers return and what `supposed` does."""
    made = _panel(view, width, supposed)
    return Panel(made.title, tuple(fitted(each, width) for each in made.rows), focus=made.focus)


def _panel(view: View, width: int, supposed: ProcedureView | None) -> Panel:
    found = view.procedure
    if found is None:
        return Panel("Delivery", (*_at_rest(view, width), *_supposed(view, supposed, width)))
    rows = _procedure(view, found, width)
    focus = next((index for index, item in enumerate(rows) if item.lit is not None), None)
    if view.shut_down:
        return Panel("Delivery", (*_shutdown(found, width), *rows), focus=0)
    return Panel("Delivery" if found.event else "Return" if found.is_return else "Transfer", rows, focus=focus)


def why(view: View) -> tuple[str, str]:
    """The explanation of the step just performed, or of the one to come, and the manual's section."""
    found = view.procedure
    if found is None or not found.steps:
        return "", ""
    step = found.current or found.steps[min(found.performed, len(found.steps) - 1)]
    return step.rule.why, step.rule.source


def headline(found: ProcedureView) -> str:
    """`#PF page fault`, `IRQ1 keyboard`, `IRET`, `CALL far`."""
    if found.event is None:
        return found.instruction
    vector = VECTORS[found.event.vector]
    if found.event.source is Source.EXCEPTION:
        return f"{found.event.name} {vector.title.lower()}"
    return found.event.name


def _procedure(view: View, found: ProcedureView, width: int) -> Rows:
    stage = _STAGES[found.stage]
    if found.event is None and found.stage is Stage.DONE:
        stage = "returned" if found.is_return else "arrived"
    if found.stage is Stage.DONE and found.fault is not None:
        stage = "failed"
    count = f"check {found.performed} of {len(found.steps)}" if found.stage is Stage.UNDER_WAY else stage
    rows = [_spread([Span(headline(found), Role.TITLE)], [Span(count, Role.LABEL)], width)]
    if found.event is not None:
        rows += _event(view, found, found.event, width)
        rows += [Row(), *pointers.way_in(view, found)]
    elif found.is_return:
        rows += [Row(), *pointers.way_back(view, found)]
    else:
        rows += [Row(), *pointers.transfer(view, found)]
    rows.append(Row())
    for number, step in enumerate(found.steps):
        rows += _step(step, number - found.performed, width, active=found.active, real=found.before.mode == "real")
    return tuple(rows)


def _shutdown(found: ProcedureView, width: int) -> Rows:
    """The chain that ended in a shutdown, first cause first."""
    rows = [row(("✗ The processor has shut down", Role.BAD))]
    links = list(found.chain)
    if found.event is not None and found.fault is not None:
        links.append(Link(found.event.name, found.steps[found.performed - 1].text, found.fault.name))
    for number, link in enumerate(links, 1):
        text = f"{link.name}: its delivery met {link.fault} at “{link.step}”"
        rows += told([Span(f"  {number}. ")], Span(text), width)
    rows.append(row(("  A fault on top of #DF: nothing is left to try.", Role.TEXT)))
    rows.append(Row())
    return tuple(rows)


def _event(view: View, found: ProcedureView, event: Event, width: int) -> list[Row]:
    rows = []
    for link in found.chain:
        met = Span(f"{link.name} met {link.fault} at “{link.step}”", Role.BAD)
        rows += told([Span("because     ", Role.LABEL)], met, width)
    rows += _vector(view, found, event, width)
    if event.error_code is not None:
        head = [Span("error code  ", Role.LABEL), Span(f"{event.error_code:#x}", Role.VALUE), Span(" = ")]
        rows += told(head, Span(error_codes.describe(event.vector, event.error_code)), width)
    if event.cr2 is not None:
        name = printable(view.name(event.cr2) or "")
        address = (f"{event.cr2:#x}", Role.VALUE)
        rows.append(row(("CR2         ", Role.LABEL), address, (f"  {name}" if name else "", Role.SYMBOL)))
    return rows


def _vector(view: View, found: ProcedureView, event: Event, width: int) -> list[Row]:
    """The vector, what kind of event it is, and the address that is saved: in two rows if one has no room."""
    place = linear(view, found.before.mode, found.before.cs.selector, event.rip)
    name = printable(view.name(place) or "")
    at = (f"  {name}" if name else "", Role.SYMBOL)
    if event.source is Source.EXCEPTION:
        text = f"vector {event.vector} · {VECTORS[event.vector].kind.value}"
    else:
        kind = {Source.SOFTWARE: "software", Source.EXTERNAL: "external", Source.NMI: "non-maskable"}[event.source]
        code = "" if event.real else " · no error code"
        text = f"vector {event.vector:#x} · {kind}{code}"
    label, saved = _saved(found, event)
    one = row((f"{text} · saves {label}{saved}", Role.DIM), at)
    if len(one.text) <= width:
        return [one]
    return [row((text, Role.DIM)), row((f"saves {label}".ljust(12), Role.LABEL), (saved, Role.VALUE), at)]


def _saved(found: ProcedureView, event: Event) -> tuple[str, str]:
    """What is saved, and the return address as the frame or the TSS will hold it."""
    at = found.before
    if at.mode in ("real", "vm86"):
        return "CS:IP ", far(at.mode, at.cs.selector, event.rip)
    return "RIP " if at.mode == "long" else "EIP ", f"{event.rip:#x}"


def _step(step: Step, distance: int, width: int, *, active: bool, real: bool) -> list[Row]:
    """One step. `distance`: below zero it has been performed, -1 is the last one; from zero on it is to come."""
    performed = active and distance < 0
    current = active and distance == -1
    mark = "✓" if step.ok else "✗"
    if not performed:
        mark = "·" if step.ok else "✗"
    role = Role.DIM
    if performed:
        role = Role.GOOD if step.ok else Role.BAD
    gutter = "▶ " if current else "  "
    text_role = Role.CURRENT if current else Role.TEXT if performed else Role.DIM
    left = [Span(gutter, Role.CURRENT), Span(f"{mark} ", role), Span(step.text, text_role)]
    value = Span(step.value, Role.VALUE if performed else Role.DIM)
    lit = Role.CURRENT if current and step.ok else Role.BAD if current else None
    rows = [_spread(left, [value], width, lit)]
    if step.fault is not None:
        fault = step.fault
        verb = "→" if performed else "→ will be"
        code = f" error code {fault.error_code:#x}" if VECTORS[fault.vector].error_code and not real else ""
        meaning = VECTORS[fault.vector].title.lower() if real else error_codes.describe(fault.vector, fault.error_code)
        met = Span(f"{verb} {fault.name}{code}: {meaning}", Role.BAD)
        rows += told([Span("      ")], met, width, lit=lit)
    return rows


def _at_rest(view: View, width: int) -> Rows:
    """Nothing is being delivered: say so, and how the handlers that run will return."""
    if view.halted:
        waiting = "until an interrupt comes" if view.registers.rflags & 0x200 else "for ever: IF=0 lets none in"
        return (row(("HLT", Role.TITLE), f" the processor waits {waiting}"),)
    rows = [row(("Nothing is being delivered.", Role.DIM)), *_nested_task(view)]
    for frame in reversed(view.frames):
        back = frame.now or frame.pushed
        mode = frame_mode(view, back)
        place = name_at(view, mode, back.cs, back.rip)
        ring = "" if mode == "real" else f" in {mode} mode" if mode == "vm86" else f" in ring {back.cs & 3}"
        head = [Span(f"{frame.name} handler runs", Role.FRAME), Span(" · ")]
        rows += told(head, Span(f"IRET will go to {place}{ring}"), width)
    return tuple(rows)


def _nested_task(view: View) -> Rows:
    """A task that was entered by an interrupt or a CALL goes back through the link in its TSS."""
    tss = view.tss.tss
    if view.mode != "protected" or not view.registers.rflags & NT or not isinstance(tss, Tss32 | Tss16):
        return ()
    return (row((f"NT=1 · IRET will go back to task {tss.link:#x}, by the link in the TSS", Role.FRAME)),)


def _supposed(view: View, supposed: ProcedureView | None, width: int) -> Rows:
    if supposed is None:
        return ()
    return (Row(), *_procedure(view, supposed, width))


def _spread(left: list[Span], right: list[Span], width: int, lit: Role | None = None) -> Row:
    """`left` and `right` at the two ends of the line; the end of `left` yields if there is no room for both."""
    used = sum(len(span.text) for span in left)
    wanted = sum(len(span.text) for span in right)
    if used + wanted + 1 > width:
        text = left[-1].text
        room = max(8, len(text) - (used + wanted + 1 - width))
        if room < len(text):
            left = [*left[:-1], Span(clip(text, room), left[-1].role)]
            used = sum(len(span.text) for span in left)
    gap = max(1, width - used - wanted)
    return Row((*left, Span(" " * gap), *right), lit)
