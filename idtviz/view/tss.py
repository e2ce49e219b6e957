"""The TSS panel: where the processor finds the stack of a handler, and in protected mode a whole task."""

from __future__ import annotations

from idtviz.debugger.tables import Tss, TssView
from idtviz.debugger.view import View
from idtviz.view.idt import name_of_vector, never_loaded
from idtviz.view.layout import Line, line, printable, raw_bytes, sentence, structure, table, touched
from idtviz.view.row import Panel, Role, Row, Rows, Span
from idtviz.view.tasks import NARROW, TaskRows
from idtviz.x86.addresses import MASK64
from idtviz.x86.gates import Gate64
from idtviz.x86.tss import IST_OFFSETS, RSP_OFFSETS, Tss16, Tss32, Tss64

_SLOTS = (
    *((f"RSP{number}", offset) for number, offset in enumerate(RSP_OFFSETS)),
    *((f"IST{number}", offset) for number, offset in enumerate(IST_OFFSETS, 1)),
)
_BORDER = 9  # columns that a title cannot have: corners, the number of the panel, the dot before the limit
_REAL = "Real mode has no TSS: a handler uses the stack of the code that it interrupts."


def panel(view: View, before: View | None, width: int) -> Panel:
    """One row for each stack pointer that is set or used, and for what a task has saved; `key` is the TSS's selector.

    While tasks are switched the TSS of the other task stands below.
    """
    if view.mode == "real":
        return Panel("TSS", sentence(_REAL, width))
    olds = _before(before)
    first, second = view.tss, view.other_tss
    rows, focus = _rows(view, first, olds, width)
    if second is not None:
        more, its_focus = _rows(view, second, olds, width)
        if its_focus is not None and focus is None:
            # What the step touches comes first.
            first, second, rows, more, focus = second, first, more, rows, its_focus
        rows += [line(width, Span(_title(view, second), Role.TITLE)), *more]
    title, _, limit = _title(view, first).partition(" · ")
    note = f"selector {first.selector:#x}" if first.tss is not None else ""
    if len(title) + len(limit) + _BORDER > width:
        return Panel(title, tuple(rows), " · ".join(filter(None, (note, limit))), focus)
    return Panel(_title(view, first), tuple(rows), note, focus)


def _title(view: View, found: TssView) -> str:
    if not found.selector & ~3:
        return "TSS"
    what = "TSS" if found is view.tss else f"Other task, TSS {found.selector:#x}"
    return f"{what}  {found.base:#x} · limit {found.limit:#x}"


def _before(before: View | None) -> dict[int, Tss]:
    """The TSSs that were seen at the moment before, by selector."""
    seen = () if before is None else (before.tss, before.other_tss)
    return {found.selector: found.tss for found in seen if found is not None and found.tss is not None}


def _rows(view: View, found: TssView, olds: dict[int, Tss], width: int) -> tuple[list[Row], int | None]:
    tss, old = found.tss, olds.get(found.selector)
    if tss is None:
        return list(_missing(view, found, width)), None
    if isinstance(tss, Tss64):
        lines = _stacks(view, found, tss, old if isinstance(old, Tss64) else None)
    else:
        task = TaskRows(view, found, tss, old if isinstance(old, Tss32 | Tss16) else None)
        lines = [*task.stacks(), *task.registers(width)]
    if isinstance(tss, Tss64 | Tss32):
        lines.append(_io_map(view, found, tss, old if isinstance(old, Tss64 | Tss32) else None))
    if width < NARROW and not isinstance(tss, Tss64):
        return _with_remarks(lines, width)
    focus = next((place for place, each in enumerate(lines) if each.lit), None)
    return list(table(lines, width, least=6)), focus


def _with_remarks(lines: list[Line], width: int) -> tuple[list[Row], int | None]:
    """The rows, with what is to be said of a value on a row of its own."""
    rows: list[Row] = []
    focus = None
    short = [Line(each.cells[:2], each.lit, each.changed, each.key) for each in lines]
    for each, placed in zip(lines, table(short, width), strict=True):
        if each.lit and focus is None:
            focus = len(rows)
        rows.append(placed)
        rows += [line(width, Span(f"   {cell.text}", cell.role), key=each.key) for cell in each.cells[2:] if cell.text]
    return rows, focus


def _stacks(view: View, found: TssView, tss: Tss64, old: Tss64 | None) -> list[Line]:
    lines: list[Line] = []
    zero: list[str] = []
    for name, offset in _SLOTS:
        value = slot(tss, offset)
        lit = touched(view, (found.base + offset) & MASK64, 8)
        changed = old is not None and slot(old, offset) != value
        users = _users(view, name)
        if not (value or lit or changed or users or name == "RSP0"):
            zero.append(name)
            continue
        _fold(lines, zero)
        lines.append(_line(view, name, value, users, lit, changed=changed))
    _fold(lines, zero)
    return lines


def detail(view: View, selector: int | None = None) -> Panel:
    """The whole TSS: its bytes and every field. Width: 80."""
    return detail_in(view, 80, selector)


def detail_in(view: View, width: int, selector: int | None = None) -> Panel:
    """As `detail`, for another width. `selector`: which of the TSSs in sight, that of TR if not given."""
    found = view.tss
    if view.other_tss is not None and view.other_tss.selector == selector:
        found = view.other_tss
    title = f"TSS  {found.base:#x}"
    tss = found.tss
    if view.mode == "real":
        return Panel("TSS", sentence(_REAL, width))
    if tss is None:
        return Panel(title, _missing(view, found, width))
    holds = "TR holds selector" if found is view.tss else "The other task has selector"
    text = f"{holds} {found.selector:#x}: base {found.base:#x}, limit {found.limit:#x}."
    rows: list[Row] = [*sentence(text, width, Role.LABEL), *structure(tss, width)]
    rows += raw_bytes(found.base, tss.encode(), width)
    return Panel(title, tuple(rows))


def slot(tss: Tss64, offset: int) -> int:
    """The quadword at `offset` of the TSS."""
    return tss.value >> 8 * offset & MASK64


def slots(view: View) -> dict[str, int]:
    """Linear addresses of the stacks that the TSS names, as far as they are not zero: `RSP0`, `IST1`; `ESP0`, `SP0`."""
    tss = view.tss.tss
    if tss is None or view.mode == "real":
        return {}
    if isinstance(tss, Tss64):
        return {name: value for name, offset in _SLOTS if (value := slot(tss, offset))}
    return dict(TaskRows(view, view.tss, tss, None).linear_stacks())


def _missing(view: View, found: TssView, width: int) -> Rows:
    if not found.selector & ~3:
        text = (
            "TR holds a null selector: no TSS has been loaded. An interrupt that changes rings has no stack to go to."
        )
        return sentence(text, width, Role.WARNING if _needed(view) else Role.DIM)
    if found.limit + 1 < found.kind.SIZE:
        size = found.kind.SIZE
        text = f"The TSS is too small: limit {found.limit:#x}, and its {size} bytes need {size - 1:#x}."
    else:
        text = f"The TSS is not mapped: no page at {found.base:#x}."
    return sentence(text, width, Role.WARNING)


def _needed(view: View) -> bool:
    """Whether what comes, or may come, takes its stack from the TSS."""
    found = view.procedure
    if view.registers.cpl or (found is not None and found.event is not None and found.before.cpl):
        return True
    failed = found.steps[-1].rule.id if found is not None and found.fault is not None else ""
    return failed.startswith(("stack.", "task.")) or any(_users(view, f"IST{number}") for number in range(1, 8))


def _users(view: View, name: str) -> str:
    """The gates that use an IST slot: `← #DF #MC`."""
    if not name.startswith("IST") or never_loaded(view):
        return ""
    number = int(name[3:])
    users = [
        name_of_vector(view, vector)
        for vector, gate in enumerate(view.idt.gates)
        if isinstance(gate, Gate64) and gate.present and gate.ist == number
    ]
    return f"← {' '.join(users)}" if users else ""


def _line(view: View, name: str, value: int, users: str, lit: Role | None, *, changed: bool) -> Line:
    symbol = view.name(value) if value else None
    text = f"{users}: zero" if users and not value else " ".join(filter(None, (users, printable(symbol or ""))))
    return Line(
        (
            Span(name, Role.LABEL),
            Span(f"{value:016x}", Role.CHANGED if changed else Role.VALUE if value else Role.DIM),
            Span(text, Role.WARNING if users and not value else Role.SYMBOL),
        ),
        lit,
        changed,
        view.tss.selector,
    )


def _fold(lines: list[Line], zero: list[str]) -> None:
    """One row for the slots that are zero and that nothing uses."""
    for kind in ("RSP", "IST"):
        numbers = [name[3:] for name in zero if name.startswith(kind)]
        if numbers:
            last = f"-{numbers[-1]}" if len(numbers) > 1 else ""
            lines.append(Line((Span(f"{kind}{numbers[0]}{last}", Role.DIM), Span("zero", Role.DIM))))
    zero.clear()


def _io_map(view: View, found: TssView, tss: Tss64 | Tss32, old: Tss64 | Tss32 | None) -> Line:
    base = tss.io_map_base
    changed = old is not None and old.io_map_base != base
    what = "none" if base >= found.limit else f"offset {base:#x}"
    lit = touched(view, (found.base + 102) & MASK64, 2)
    value = Span(f"{base:#x}: {what}" if base >= found.limit else f"at {what}", Role.CHANGED if changed else Role.VALUE)
    return Line((Span("I/O map", Role.LABEL), value), lit, changed, found.selector)
