"""What `e` edits at the row under the cursor: the slots of what the row shows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from idtviz.debugger import editing
from idtviz.debugger.editing import EditError, Slot
from idtviz.debugger.procedures import ProcedureView
from idtviz.debugger.session import Session
from idtviz.debugger.view import View
from idtviz.view import controllers
from idtviz.view.row import Row
from idtviz.x86.gates import Gate32, Gate64
from idtviz.x86.selectors import Selector
from idtviz.x86.tss import Tss16, Tss64

_TI = 1 << 2
_REGISTER = re.compile(r"\b([a-z][a-z0-9]{1,6}) +[0-9a-f]+\b")
_CHIPS = (
    ("8254", ("pit",)),
    ("8042", ("keyboard",)),
    ("RTC", ("cmos",)),
    ("COM1", ("com1",)),
    ("TPR", ("lapic.tpr",)),
    ("SVR", ("lapic",)),
    ("I/O APIC", ("ioapic",)),
    ("8259", ("pic",)),
)
"""What rows of the controllers panel begin with, and the chips that they show."""
_NOTHING = "There is nothing to edit in this row. `:set` takes a path: idt[14].dpl = 3, rflags.if = 0, [rsp]:8 = 1"


@dataclass(frozen=True, slots=True)
class Target:
    """What there is to edit. `text`: what stands in the line to begin with, where that is not the value."""

    title: str
    slots: tuple[Slot, ...]
    text: str = ""


def target(session: Session, view: View, panel: str | None, row: Row) -> Target:
    """The slots behind a row of a panel. Raises EditError where there are none."""
    match panel:
        case "registers":
            return _registers(session, row)
        case "code" if row.key is not None:
            return _instruction(session, view, row.key)
        case "stack" if row.key is not None:
            return _word(session, view, row.key)
        case "idt":
            return _one(session, *(["idtr.base", "idtr.limit"] if row.key is None else [f"idt[{row.key}]"]))
        case "gdt" if row.key is not None:
            return _one(session, f"{'ldt' if row.key & _TI else 'gdt'}[{row.key & ~7:#x}]")
        case "gdt":
            return _one(session, "gdtr.base", "gdtr.limit", "ldtr")
        case "tss":
            return _task(session, view, row.key)
        case "pic":
            return _one(session, *_chips(view, row.text.strip()))
        case "delivery" if view.procedure is not None:
            return _path(session, view, view.procedure)
    raise EditError(_NOTHING)


def sheet_slots(session: Session, panel: str | None, key: int | None) -> tuple[Slot, ...]:
    """The slots of what Enter opens at a row: the structure bit by bit, or a page walk."""
    try:
        match panel:
            case "idt":
                return editing.slots(session, f"idt[{key}]")
            case "gdt" if key is not None:
                return editing.slots(session, f"{'ldt' if key & _TI else 'gdt'}[{key & ~7:#x}]")
            case "tss":
                return _task(session, session.view, key).slots
            case "registers":
                return editing.slots(session, f"walk[{key}]")
    except EditError:
        pass
    return ()


def _one(session: Session, *prefixes: str) -> Target:
    found = tuple(slot for prefix in prefixes for slot in editing.slots(session, prefix))
    return Target(" ".join(prefixes), found)


def _registers(session: Session, row: Row) -> Target:
    """The registers that the row names: each, and its fields."""
    if not row.text:
        return _one(session, "registers")
    found: list[Slot] = []
    names = []
    for name in _REGISTER.findall(row.text):
        try:
            whole = editing.slot(session, name)
        except EditError:
            continue
        names.append(whole.path)
        fields = editing.slots(session, name) if whole.cell.structure is not None and len(name) > 2 else ()
        found += (whole, *fields)
    if not found:
        raise EditError(_NOTHING)
    return Target(" ".join(names), tuple(found))


def _instruction(session: Session, view: View, address: int) -> Target:
    """The bytes of an instruction, as a run."""
    linear = view.code.linear(address)
    slot = editing.slot(session, f"[{linear:#x}]")
    item = next((found for found in view.code.instructions if found.address == address), None)
    raw = bytes((slot.value,)) if item is None else item.raw
    return Target(slot.path, (slot,), raw.hex(" ") if len(raw) > 1 else "")


def _word(session: Session, view: View, address: int) -> Target:
    """A word of the stack; one of the innermost interrupt frame by its name."""
    frame = view.frame
    named = next((word.name for word in frame.words if word.address == address), None) if frame is not None else None
    path = f"[{address:#x}]:{view.stack.word_size}" if named is None else f"frame.{named.lower().replace(' ', '_')}"
    slot = editing.slot(session, path)
    return Target(slot.path, (slot,))


def _task(session: Session, view: View, key: int | None) -> Target:
    if key is not None and view.other_tss is not None and view.other_tss.selector == key:
        raise EditError("That is the TSS of the other task: edit its bytes, [ADDRESS]:4 = VALUE")
    return _one(session, "tss")


def _path(session: Session, view: View, found: ProcedureView) -> Target:
    """What a delivery goes through: gate, code segment, place of the stack; what an IRET pops."""
    if found.event is None:
        if not found.is_return:
            raise EditError(_NOTHING)
        return _one(session, "frame")
    prefixes = [f"idt[{found.event.vector}]"]
    gate, stack = found.gate, found.stack
    if isinstance(gate, Gate32 | Gate64) and found.descriptor is not None:
        selector = Selector(gate.selector)
        prefixes.append(f"{selector.table.lower()}[{selector.offset:#x}]")
    if stack is not None and stack.source.startswith("tss."):
        name = stack.source.removeprefix("tss.")
        outside_long_mode = (f"{'' if view.tss.kind is Tss16 else 'e'}{name[1:]}", f"ss{name[-1]}")
        names = (name,) if view.tss.kind is Tss64 else outside_long_mode
        prefixes += [f"tss.{name}" for name in names]
    return _one(session, *prefixes)


def _chips(view: View, text: str) -> tuple[str, ...]:
    apic = controllers.shows_apic(view)
    pin = re.match(r"(\d{1,2}) ", text)
    if apic and pin:
        return (f"ioapic[{pin[1]}]",)
    for name in ("IRR", "IMR", "ISR"):
        if text.startswith(name):
            return (f"lapic.{name.lower()}",) if apic else tuple(f"pic.{side}.{name.lower()}" for side in _SIDES)
    for start, chips in _CHIPS:
        if text.startswith(start):
            return chips
    return ("lapic", "pic") if apic else ("pic",)


_SIDES = ("master", "slave")
