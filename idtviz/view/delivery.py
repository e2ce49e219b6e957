"""The delivery path: the event, the pointers that the processor follows, and each step with what it found."""

from __future__ import annotations

from idtviz.debugger.procedures import Link, ProcedureView, Stage
from idtviz.debugger.view import View
from idtviz.machine.delivery.event import Event, Source
from idtviz.machine.delivery.procedure import Step
from idtviz.view.row import Panel, Role, Row, Rows, Span, row
from idtviz.x86 import error_codes
from idtviz.x86.selectors import Selector
from idtviz.x86.vectors import VECTORS

_STAGES = {
    Stage.UNDER_WAY: "",
    Stage.DONE: "delivered",
    Stage.NEXT: "comes next",
    Stage.SUPPOSED: "if it came now",
}
_PARTS = {
    "idt": ("idt.", "gate."),
    "segment": ("selector.", "descriptor."),
    "stack": ("stack.", "push."),
    "handler": ("handler.", "cs.", "ss.", "enter"),
}


def panel(view: View, _before: View | None, width: int, supposed: ProcedureView | None = None) -> Panel:
    """The procedure that this moment is about; without one, how the handlers return and what `supposed` does."""
    found = view.procedure
    if found is None:
        return Panel("Delivery", (*_at_rest(view, width), *_supposed(view, supposed, width)))
    rows = _procedure(view, found, width)
    focus = next((index for index, item in enumerate(rows) if item.lit is not None), None)
    if view.shut_down:
        return Panel("Delivery", (*_shutdown(found, width), *rows), focus=0)
    return Panel("Delivery" if found.event else "Return", rows, focus=focus)


def why(view: View) -> tuple[str, str]:
    """The explanation of the step just performed, or of the one to come, and the manual's section."""
    found = view.procedure
    if found is None or not found.steps:
        return "", ""
    step = found.current or found.steps[min(found.performed, len(found.steps) - 1)]
    return step.rule.why, step.rule.source


def headline(found: ProcedureView) -> str:
    """`#PF page fault`, `IRQ1 keyboard`, `IRET`."""
    if found.event is None:
        return "IRET"
    vector = VECTORS[found.event.vector]
    if found.event.source is Source.EXCEPTION:
        return f"{found.event.name} {vector.title.lower()}"
    return found.event.name


def _procedure(view: View, found: ProcedureView, width: int) -> Rows:
    stage = _STAGES[found.stage] if found.event or found.stage is not Stage.DONE else "returned"
    if found.stage is Stage.DONE and found.fault is not None:
        stage = "failed"
    count = f"check {found.performed} of {len(found.steps)}" if found.stage is Stage.UNDER_WAY else stage
    rows = [_spread([Span(headline(found), Role.TITLE)], [Span(count, Role.LABEL)], width)]
    if found.event is not None:
        rows += _event(found.event, found.chain)
        rows += [Row(), *_pointers(view, found)]
    else:
        rows += [Row(), *_way_back(view, found)]
    rows.append(Row())
    for number, step in enumerate(found.steps):
        rows += _step(step, number - found.performed, found.active, width)
    return tuple(rows)


def _shutdown(found: ProcedureView, width: int) -> Rows:
    """The chain that ended in a shutdown, first cause first."""
    rows = [row(("✗ The processor has shut down", Role.BAD))]
    links = list(found.chain)
    if found.event is not None and found.fault is not None:
        links.append(Link(found.event.name, found.steps[found.performed - 1].text, found.fault.name))
    for number, link in enumerate(links, 1):
        text = f"  {number}. {link.name}: its delivery met {link.fault} at “{link.step}”"
        rows.append(row((text[:width], Role.TEXT)))
    rows.append(row(("  A fault on top of #DF: nothing is left to try.", Role.TEXT)))
    rows.append(Row())
    return tuple(rows)


def _event(event: Event, chain: tuple[Link, ...]) -> list[Row]:
    vector = VECTORS[event.vector]
    rows = []
    rows += [
        row(("because     ", Role.LABEL), (f"{link.name} met {link.fault} at “{link.step}”", Role.BAD))
        for link in chain
    ]
    if event.source is Source.EXCEPTION:
        rows.append(row((f"vector {event.vector} · {vector.kind.value} · saves RIP {event.rip:#x}", Role.DIM)))
    else:
        kind = {Source.SOFTWARE: "software", Source.EXTERNAL: "external", Source.NMI: "non-maskable"}[event.source]
        rows.append(row((f"vector {event.vector:#x} · {kind} · no error code · saves RIP {event.rip:#x}", Role.DIM)))
    if event.error_code is not None:
        text = error_codes.describe(event.vector, event.error_code)
        rows.append(row(("error code  ", Role.LABEL), (f"{event.error_code:#x}", Role.VALUE), f" = {text}"))
    if event.cr2 is not None:
        rows.append(row(("CR2         ", Role.LABEL), (f"{event.cr2:#x}", Role.VALUE)))
    return rows


def _pointers(view: View, found: ProcedureView) -> list[Row]:
    """The real pointers, each with where it was read; dim until the step that reads it."""
    assert found.event is not None
    looks = {part: _look(found, prefixes) for part, prefixes in _PARTS.items()}
    number = f"IDT[{found.event.vector}]"
    rows = [
        row(
            ("IDTR ", Role.LABEL),
            (f"{found.before.idtr.base:#x}", Role.VALUE),
            " ──▶ ",
            (number, looks["idt"]),
            (f" @{found.gate_address:x}" if found.gate else "", Role.ADDRESS),
        )
    ]
    gate, descriptor = found.gate, found.descriptor
    if gate is not None:
        rows.append(
            row(
                (" selector ", Role.LABEL),
                (f"{gate.selector:#x}", looks["segment"]),
                " ──▶ ",
                (_segment_name(gate.selector), looks["segment"]),
                (f" {descriptor.summary}" if descriptor else "", looks["segment"]),
                (f" @{found.descriptor_address:x}" if descriptor else "", Role.ADDRESS),
            )
        )
        name = view.name(gate.offset)
        rows.append(
            row(
                (" offset   ", Role.LABEL),
                (f"{gate.offset:#x}", looks["handler"]),
                " ──▶ ",
                (name or "no symbol", Role.SYMBOL if name else Role.DIM),
            )
        )
    if found.stack is not None:
        source = "same stack" if found.stack.source == "same" else found.stack.source.upper().replace("TSS.", "TSS.")
        rows.append(
            row(
                (" stack    ", Role.LABEL),
                (source, looks["stack"]),
                (f" @{found.stack.address:x}" if found.stack.address is not None else "", Role.ADDRESS),
                " ──▶ ",
                (f"{found.stack.pointer:#x}", looks["stack"]),
                (_symbol(view, found.stack.pointer), Role.SYMBOL),
            )
        )
    return rows


def _way_back(view: View, found: ProcedureView) -> list[Row]:
    rows = [
        row(
            ("frame    ", Role.LABEL),
            (f"RSP {found.before.rsp:#x}", Role.VALUE),
            (_symbol(view, found.before.rsp), Role.SYMBOL),
        )
    ]
    if found.returns_to is not None:
        cs, rip = found.returns_to
        name = view.name(rip)
        rows.append(
            row(
                ("returns  ", Role.LABEL),
                (f"{cs:#x}:{rip:#x}", Role.VALUE),
                f" ring {cs & 3}",
                (f" ──▶ {name}" if name else "", Role.SYMBOL),
            )
        )
    return rows


def _step(step: Step, distance: int, active: bool, width: int) -> list[Row]:
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
        code = f" error code {fault.error_code:#x}" if VECTORS[fault.vector].error_code else ""
        told = error_codes.describe(fault.vector, fault.error_code)
        rows.append(row(("      ", Role.TEXT), (f"{verb} {fault.name}{code}: {told}"[: width - 6], Role.BAD), lit=lit))
    return rows


def _at_rest(view: View, width: int) -> Rows:
    """Nothing is being delivered: say so, and how the handlers that run will return."""
    if view.halted:
        waiting = "until an interrupt comes" if view.registers.rflags & 0x200 else "for ever: IF=0 lets no interrupt in"
        return (row(("HLT", Role.TITLE), f" the processor waits {waiting}"),)
    rows = [row(("Nothing is being delivered.", Role.DIM))]
    for frame in reversed(view.frames):
        back = frame.now or frame.pushed
        place = view.name(back.rip) or f"{back.rip:#x}"
        ring = back.cs & 3
        rows.append(
            row(
                (f"{frame.name} handler runs", Role.FRAME),
                (f" · IRET will go to {place} in ring {ring}"[: max(0, width - len(frame.name) - 13)], Role.TEXT),
            )
        )
    return tuple(rows)


def _supposed(view: View, supposed: ProcedureView | None, width: int) -> Rows:
    if supposed is None:
        return ()
    return (Row(), *_procedure(view, supposed, width))


def _look(found: ProcedureView, prefixes: tuple[str, ...]) -> Role:
    """How far the part of the path has come whose rules begin so."""
    mine = [number for number, step in enumerate(found.steps) if step.rule.id.startswith(prefixes)]
    if not mine or not found.active or mine[0] >= found.performed:
        return Role.DIM
    last = found.performed - 1
    if any(not found.steps[number].ok and number <= last for number in mine):
        return Role.BAD
    return Role.CURRENT if last in mine else Role.VALUE


def _segment_name(selector: int) -> str:
    value = Selector(selector)
    return "null" if value.null else f"{value.table}[{value.index}]"


def _symbol(view: View, address: int) -> str:
    name = view.name(address)
    return f"  {name}" if name else ""


def _spread(left: list[Span], right: list[Span], width: int, lit: Role | None = None) -> Row:
    """`left` and `right` at the two ends of the line; the right one yields if there is no room for both."""
    used = sum(len(span.text) for span in left)
    wanted = sum(len(span.text) for span in right)
    if used + wanted + 1 > width:
        text = left[-1].text
        room = max(8, len(text) - (used + wanted + 1 - width))
        if room < len(text):
            left = [*left[:-1], Span(text[: room - 1] + "…", left[-1].role)]
            used = sum(len(span.text) for span in left)
    gap = max(1, width - used - wanted)
    return Row((*left, Span(" " * gap), *right), lit)
