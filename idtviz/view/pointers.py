"""The real pointers that a procedure follows, each with where it was read: what the delivery panel draws on top."""

from __future__ import annotations

from idtviz.debugger.procedures import ProcedureView
from idtviz.debugger.view import View
from idtviz.machine.delivery.delivery import Gate
from idtviz.machine.delivery.stack import Stack, stack_of
from idtviz.machine.registers import Registers
from idtviz.view.layout import printable
from idtviz.view.places import far, linear
from idtviz.view.row import Role, Row, Span, row
from idtviz.x86.control import EFER_LMA
from idtviz.x86.descriptors import TSS16_AVAILABLE, TSS16_BUSY
from idtviz.x86.gates import Gate32, IvtEntry
from idtviz.x86.selectors import Selector

_PARTS = {
    "idt": ("idt.", "ivt.", "gate."),
    "segment": ("selector.", "descriptor.", "task.selector", "task.read", "task.type", "task.present"),
    "stack": ("stack.", "push."),
    "handler": ("handler.", "cs.", "ss.", "enter"),
    "left": ("task.leave", "task.save", "task.link"),
    "entered": ("task.state", "task.busy", "task.commit", "task.enter"),
}
_ARROW = " ──▶ "


def way_in(view: View, found: ProcedureView) -> list[Row]:
    """From the vector to the handler; dim until the step that reads it."""
    assert found.event is not None
    table = view.idt.name
    rows = [
        row(
            ("IDTR ", Role.LABEL),
            (f"{found.before.idtr.base:#x}", Role.VALUE),
            _ARROW,
            (f"{table}[{found.event.vector}]", _look(found, "idt")),
            _where(found.gate_address if found.gate else None),
        )
    ]
    if found.gate is None:
        return rows
    if isinstance(found.gate, IvtEntry):
        rows.append(_vector(view, found, found.gate))
    elif found.gate.kind == "task":
        rows += [_segment(found, found.gate), *_task(view, found)]
        return rows
    else:
        rows += [_segment(found, found.gate), _offset(view, found, found.gate)]
    if found.stack is not None:
        rows.append(_stack(view, found))
    return rows


def way_back(view: View, found: ProcedureView) -> list[Row]:
    """From the frame to where IRET goes."""
    at = found.before
    assert found.return_address is not None
    rows = [
        row(
            ("frame    ", Role.LABEL),
            (_stack_pointer(at, found.return_address), Role.VALUE),
            _symbol(view, found.return_address),
        )
    ]
    if found.returns_to is not None:
        cs, rip = found.returns_to
        mode = found.after.mode if found.after is not None else at.mode
        rows.append(_goes(view, "returns  ", mode, cs, rip, at.cpl, cs & 3))
    elif found.task is not None:
        rows += _task(view, found)
    return rows


def transfer(view: View, found: ProcedureView) -> list[Row]:
    """From one code segment to another."""
    at, after = found.before, found.after
    rows = [
        row(
            ("from     ", Role.LABEL),
            (far(at.mode, at.cs.selector, at.rip), Role.VALUE),
            *_ring(at.mode, at.cpl, at.cpl),
        )
    ]
    if after is None:
        return rows
    if found.task is not None:
        return [*rows, *_task(view, found)]
    mode = after.mode
    rows.append(_goes(view, "to       ", mode, after.cs.selector, after.rip, at.cpl, after.cpl))
    if mode != at.mode:
        rows.append(row(("mode     ", Role.LABEL), (f"{at.mode} → {mode}", Role.CURRENT)))
    if (at.ss.selector, at.cpl) != (after.ss.selector, after.cpl):
        kept = "  the same: it switches no stack" if after.rsp == at.rsp else ""
        pointer = (_stack_at(after), Role.VALUE)
        rows.append(row(("stack    ", Role.LABEL), pointer, _symbol(view, _top(after)), (kept, Role.DIM)))
    return rows


def _vector(view: View, found: ProcedureView, entry: IvtEntry) -> Row:
    """An entry of the IVT is the handler's CS:IP itself."""
    look = _look(found, "handler")
    return row(
        (" CS:IP    ", Role.LABEL),
        (f"{entry.segment:04x}:{entry.offset:04x}", look),
        _ARROW,
        (f"{entry.segment << 4:#x} + {entry.offset:#x} = {entry.linear:#x}", look),
        _symbol(view, entry.linear),
    )


def _segment(found: ProcedureView, gate: Gate) -> Row:
    """The gate's selector, and the descriptor that it names."""
    assert not isinstance(gate, IvtEntry)
    look, descriptor = _look(found, "segment"), found.descriptor
    return row(
        (" selector ", Role.LABEL),
        (f"{gate.selector:#x}", look),
        _ARROW,
        (_entry(gate.selector), look),
        (f" {descriptor.summary}" if descriptor else "", look),
        _where(found.descriptor_address if descriptor else None),
    )


def _offset(view: View, found: ProcedureView, gate: Gate) -> Row:
    """The gate's offset: with the base of the code segment the address of the handler."""
    look, descriptor = _look(found, "handler"), found.descriptor
    base = descriptor.base if isinstance(gate, Gate32) and descriptor is not None else 0
    address = base + gate.offset
    name = printable(view.name(address) or "")
    return row(
        (" offset   ", Role.LABEL),
        (f"{gate.offset:#x}", look),
        (f" + base {base:#x} = {address:#x}" if base else "", look),
        _ARROW,
        (name or "no symbol", Role.SYMBOL if name else Role.DIM),
    )


def _stack(view: View, found: ProcedureView) -> Row:
    """Where the handler's stack pointer comes from, and where it points."""
    stack, look = found.stack, _look(found, "stack")
    assert stack is not None
    after = found.after or found.before
    source = stack_source(found.before, stack.source)
    if after.mode == "long":
        text, address = f"{stack.pointer:#x}", stack.pointer
    else:
        reached = Stack(after.ss, flat=False)
        text, address = far(after.mode, after.ss.selector, stack.pointer & reached.mask), reached.address(stack.pointer)
        text += f" = {address:x}" if after.ss.base else ""
    return row(
        (" stack    ", Role.LABEL),
        (source, look),
        _where(stack.address),
        _ARROW,
        (text, look),
        _symbol(view, address),
    )


def stack_source(at: Registers, source: str) -> str:
    """`TSS.RSP0`, `TSS.IST1`; `TSS.SS0:ESP0` where the TSS is that of protected mode."""
    if source == "same":
        return "same stack"
    name = source.removeprefix("tss.").upper()
    if at.efer & EFER_LMA or not name.startswith("RSP"):
        return f"TSS.{name}" if source.startswith("tss.") else source
    narrow = at.tr.flags >> 8 & 0xF in (TSS16_AVAILABLE, TSS16_BUSY)
    return f"TSS.SS{name[-1]}:{'SP' if narrow else 'ESP'}{name[-1]}"


def _task(view: View, found: ProcedureView) -> list[Row]:
    """The task that is gone to: its TSS, where it goes on, its stack, and the link back."""
    task, after, look = found.task, found.after, _look(found, "segment")
    left, entered = _look(found, "left"), _look(found, "entered")
    if task is None:
        return []
    rows = [
        row(
            (" TSS      ", Role.LABEL),
            (f"{task.base:#x}", look),
            _symbol(view, task.base),
            (f"  limit {task.limit:#x}", Role.DIM),
        ),
        row(
            (" saves in ", Role.LABEL),
            (f"TSS {found.before.tr.selector:#x}", left),
            _where(found.before.tr.base),
            (" the registers of the task left", Role.DIM),
        ),
    ]
    if after is not None:
        mode, cs, ring = after.mode, after.cs.selector, found.before.cpl
        rows.append(_goes(view, " task     ", mode, cs, after.rip, ring, after.cpl, look=entered))
        rows.append(row((" stack    ", Role.LABEL), (_stack_at(after), entered), _symbol(view, _top(after))))
    return rows


def _goes(view: View, label: str, mode: str, cs: int, rip: int, ring: int, to: int, *, look: Role = Role.VALUE) -> Row:
    name = printable(view.name(linear(view, mode, cs, rip)) or "")
    text = f"{cs:#x}:{rip:#x}" if mode == "long" else far(mode, cs, rip)
    return row(
        (label, Role.LABEL),
        (text, look),
        *_ring(mode, ring, to),
        (f"{_ARROW}{name}" if name else "", Role.SYMBOL),
    )


def _ring(mode: str, ring: int, to: int) -> tuple[str, ...]:
    if mode == "real":
        return ()
    return (f" ring {to}",) if ring == to else (f" ring {ring} → {to}",)


def _stack_pointer(at: Registers, address: int) -> str:
    if at.mode == "long":
        return f"RSP {at.rsp:#x}"
    pointer = (address - at.ss.base) & 0xFFFFFFFF
    where = f" = {address:#x}" if at.ss.base else ""
    return f"SS:{'SP' if at.mode in ('real', 'vm86') else 'ESP'} {far(at.mode, at.ss.selector, pointer)}{where}"


def _top(at: Registers) -> int:
    """Linear address of the top of the stack."""
    return stack_of(at).address(at.rsp)


def _stack_at(at: Registers) -> str:
    """`0x18000`, `10:00018000`; with the linear address where the base of SS is not 0."""
    text = far(at.mode, at.ss.selector, at.rsp & stack_of(at).mask)
    return text if at.mode == "long" or not at.ss.base else f"{text} = {_top(at):x}"


def _where(address: int | None) -> tuple[str, Role]:
    return (f" @{address:x}" if address is not None else "", Role.ADDRESS)


def _symbol(view: View, address: int) -> Span:
    name = printable(view.name(address) or "")
    return Span(f"  {name}" if name else "", Role.SYMBOL)


def _entry(selector: int) -> str:
    value = Selector(selector)
    return "null" if value.null else f"{value.table}[{value.index}]"


def _look(found: ProcedureView, part: str) -> Role:
    """How far the part of the path has come whose rules begin so."""
    mine = [number for number, step in enumerate(found.steps) if step.rule.id.startswith(_PARTS[part])]
    if not mine or not found.active or mine[0] >= found.performed:
        return Role.DIM
    last = found.performed - 1
    if any(not found.steps[number].ok and number <= last for number in mine):
        return Role.BAD
    return Role.CURRENT if last in mine else Role.VALUE
