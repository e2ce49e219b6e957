"""The stack panel: words from high addresses to low, with the names that interrupt frames give them."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.debugger.procedures import ProcedureView, Stage
from idtviz.debugger.view import View
from idtviz.view.layout import Line, line, printable, sentence, table, touched
from idtviz.view.row import Panel, Role, Row, Rows, Span
from idtviz.view.tss import slots
from idtviz.x86.error_codes import PageFaultCode, describe
from idtviz.x86.flags import RFlags
from idtviz.x86.selectors import Selector
from idtviz.x86.vectors import by_name

_BELOW = 32  # bytes shown below RSP: what was popped last is still there
_BARS = ("│", "┃")
_PAGE_FAULT = 14
_FIGURES = 16
_MARK_AT_TOP = -1  # the focus is the row in front of the first word
_FOLD = 3  # zeros that are still shown one by one
_ROOMY = 56  # columns from which all sixteen digits fit beside a meaning
_SHORT = 8  # digits of an address that always fit


@dataclass(frozen=True)
class _Word:
    """One quadword: what is there, and what it is. `coming`: a delivery is about to write `value`."""

    address: int
    value: int | None
    bar: str = ""
    name: str = ""
    meaning: str = ""
    was: int | None = None
    coming: bool = False
    dim: bool = False


def panel(view: View, before: View | None, width: int) -> Panel:
    """The stack in use, or the one that a delivery under way switches to. `key` is a word's address."""
    procedure = view.procedure
    switching = _switching(view)
    words = _frame_words(view, width)
    if procedure is not None and procedure.stage is Stage.UNDER_WAY and procedure.frame is not None:
        words |= _being_pushed(view, procedure, len(view.frames), width)
    if not switching:
        words = _window(view) | words
    elif procedure is not None and procedure.frame is not None:
        low, high = procedure.frame.address, procedure.frame.address + procedure.frame.size
        words = {at: word for at, word in words.items() if low <= at < high}
    rows, focus = _rows(view, before, words, width, switching=switching)
    if switching:
        rows += sentence(f"interrupted stack {view.registers.rsp:#x}{_of(view, view.registers.rsp)}", width)
        focus = focus or 0
    title = f"Stack  {_which(view, switching=switching)}"
    note = "(…) not pushed yet" if any(word.coming for word in words.values()) else f"◀ rsp {view.registers.rsp:#x}"
    return Panel(title, tuple(rows), note, focus)


def _switching(view: View) -> bool:
    """Whether the delivery under way goes to another stack, and knows which."""
    procedure = view.procedure
    if procedure is None or procedure.stage is not Stage.UNDER_WAY or procedure.frame is None:
        return False
    return procedure.stack is not None and procedure.stack.address is not None


def _which(view: View, *, switching: bool) -> str:
    """`ring 0, TSS.RSP0`: whose stack this is."""
    procedure = view.procedure
    if switching and procedure is not None and procedure.stack is not None:
        return f"new, {_source(procedure.stack.source)}"
    text = f"ring {view.registers.cpl}"
    if view.frames:
        pushed = view.frames[-1].pushed
        top = pushed.address + pushed.size
        for name, pointer in slots(view).items():
            if pointer & ~0xF == top:
                return f"{text}, TSS.{name}"
    return text


def _source(source: str) -> str:
    table_name, _, name = source.partition(".")
    return f"{table_name.upper()}.{name.upper()}" if name else source


def _of(view: View, address: int) -> str:
    symbol = view.name(address)
    return f" {printable(symbol)}" if symbol else ""


def _window(view: View) -> dict[int, _Word]:
    """The words around RSP, up to where another object begins."""
    stack = view.stack
    rsp = stack.pointer & ~7
    end = stack.start + 8 * len(stack.words)
    tops = [pointer for pointer in slots(view).values() if rsp < pointer < end]
    tops += [symbol.address for symbol in view.symbols.all if not symbol.code and rsp < symbol.address < end]
    top = rsp if rsp in slots(view).values() else min(tops, default=end)
    found = {}
    for address in range(max(stack.start, rsp - _BELOW), top & ~7, 8):
        value = stack.word(address)
        if value is None and address >= rsp:
            break
        meaning = _code_name(view, value) if value is not None else ""
        found[address] = _Word(address, value, meaning=meaning, dim=address < rsp)
    return found


def _code_name(view: View, value: int) -> str:
    symbol = view.symbols.at(value)
    return printable(view.name(value) or "") if symbol is not None and symbol.code else ""


def _frame_words(view: View, width: int) -> dict[int, _Word]:
    """The words of the frames of handlers that run, outermost first, as they are now."""
    found: dict[int, _Word] = {}
    for depth, frame in enumerate(view.frames):
        pushed, bar = frame.pushed, _BARS[depth % 2]
        now = {word.address: word.value for word in frame.now.words} if frame.now is not None else {}
        for place, word in enumerate(reversed(pushed.words)):
            value = now.get(word.address)
            name, meaning = _meaning(view, word.name, word.value if value is None else value, frame.name)
            if place == 0:
                meaning += _whose(frame.name, width)
            was = word.value if value is not None and value != word.value else None
            found[word.address] = _Word(word.address, value, bar, name, meaning, was)
    return found


def _being_pushed(view: View, procedure: ProcedureView, depth: int, width: int) -> dict[int, _Word]:
    """The words of the frame that a delivery is pushing: those there already, and those to come."""
    assert procedure.frame is not None
    event = procedure.event
    done = {
        span.address
        for step in procedure.steps[: procedure.performed]
        if step.ok
        for span in step.writes
        if span.size == 8
    }
    failed = procedure.frame if procedure.fault is not None else None
    found = {}
    name_of_event = event.name if event is not None else ""
    for place, word in enumerate(reversed(procedure.frame.words)):
        name, meaning = _meaning(view, word.name, word.value, name_of_event)
        if place == 0:
            meaning += _whose(name_of_event, width)
        performed = word.address in done
        if not performed and failed is not None and not _will_be_written(procedure, word.address):
            continue
        value = word.value
        if performed:
            real = view.stack.word(word.address)
            value = word.value if real is None else real
        found[word.address] = _Word(
            word.address, value, _BARS[depth % 2], name, meaning, coming=not performed, dim=not performed
        )
    return found


def _whose(event: str, width: int) -> str:
    return f" · {event} frame" if width >= _ROOMY else f" {event}"


def _will_be_written(procedure: ProcedureView, address: int) -> bool:
    return any(span.address == address for step in procedure.steps for span in step.writes)


def _meaning(view: View, name: str, value: int, event: str) -> tuple[str, str]:
    """The short name of a frame's word, and what its value means."""
    match name:
        case "SS" | "CS":
            selector = Selector(value & 0xFFFF)
            return name.lower(), f"ring {selector.rpl}" if not selector.null else f"null, ring {selector.rpl}"
        case "RFLAGS":
            return "rflags", " ".join(RFlags(value).names()) or "no flags"
        case "RIP":
            return "rip", printable(view.name(value) or "")
        case "RSP":
            return "rsp", ""
        case _:
            return "error", f"{value:#x}{_error(event, value)}"


def _error(event: str, value: int) -> str:
    try:
        vector = by_name(event).number
    except ValueError:
        return ""
    if vector == _PAGE_FAULT:
        names = " ".join(PageFaultCode(value).names())
        return f" = {names or 'supervisor read, P=0'}"
    return f" = {describe(vector, value)}" if value else ""


def _rows(
    view: View, before: View | None, words: dict[int, _Word], width: int, *, switching: bool
) -> tuple[list[Row], int | None]:
    """Words from the highest address down; gaps are marked, stretches without a page folded."""
    rsp = view.registers.rsp & ~7
    lines: list[Line] = []
    marks: dict[int, Row] = {}  # rows to put in front of the line with that number
    focus = None
    previous: int | None = None
    tops = {pointer & ~7: name for name, pointer in slots(view).items()}
    digits, figures = _digits(words, width), _figures(words, width)
    coming = any(word.coming for word in words.values())
    unmapped: int | None = None
    zeros = _zeros(view, before, words)
    for address in sorted(words, reverse=True):
        word = words[address]
        if previous is None or address != previous - 8:
            marks[len(lines)] = _top(view, address + 8, tops, digits, width)
            unmapped = None
        previous = address
        if word.value is None and not word.bar:
            row_of_gap = _unmapped(view, address, digits)
            lit = row_of_gap.lit
            if unmapped is None or lit is not None:
                lines.append(row_of_gap)
            unmapped = address
            if lit is not None or (focus is None and address == rsp and not switching):
                focus = len(lines) - 1
            continue
        unmapped = None
        if address in zeros:
            if address + 8 not in zeros:
                count = next(n for n in range(1, len(zeros) + 1) if address - 8 * n not in zeros)
                text = f"{count} words are zero"
                lines.append(Line((_address(address, digits), Span(text, Role.DIM)), key=address))
            continue
        made = _line(view, before, word, digits, figures, switching=switching, coming=coming)
        if made.lit or (focus is None and address == rsp and not switching):
            focus = len(lines)
        lines.append(made)
    if not switching and words and rsp not in words:
        # RSP points right behind the highest word shown: the stack is empty.
        if focus is None:
            focus = _MARK_AT_TOP
        marks[0] = line(
            width, Span(f"{rsp:x} ─ ", Role.ADDRESS), Span("◀ rsp", Role.CURRENT), Span(_of(view, rsp), Role.SYMBOL)
        )
    return _with_marks(table(lines, width, least=8), marks, focus)


def _with_marks(placed: Rows, marks: dict[int, Row], focus: int | None) -> tuple[list[Row], int | None]:
    """The rows with each mark in front of the row whose number it has, and where that leaves the focus."""
    rows: list[Row] = []
    moved = None
    for number, each in enumerate(placed):
        if number in marks:
            rows.append(marks[number])
        if number == focus:
            moved = len(rows)
        rows.append(each)
    return rows, 0 if focus == _MARK_AT_TOP else moved


def _unmapped(view: View, address: int, digits: int) -> Line:
    lit = touched(view, address, 8)
    text, role = ("not mapped", Role.WARNING) if lit is None else ("✗ not mapped", Role.BAD)
    return Line((_address(address, digits), Span(text, role)), lit, key=address)


def _digits(words: dict[int, _Word], width: int) -> int:
    """How many digits of each address are shown: all, unless the addresses are long and the panel narrow."""
    longest = max((len(f"{address:x}") for address in words), default=1)
    return longest if longest <= _SHORT or width >= 60 else _SHORT


def _zeros(view: View, before: View | None, words: dict[int, _Word]) -> frozenset[int]:
    """The addresses above RSP of long runs of zeros that nothing has happened to."""
    rsp = view.registers.rsp
    found: set[int] = set()
    run: list[int] = []
    for address in [*sorted(words), None]:
        word = words[address] if address is not None else None
        plain = word is not None and word.value == 0 and not word.bar and word.address > rsp
        if plain and word is not None and before is not None and before.stack.word(word.address) not in (0, None):
            plain = False
        if plain and word is not None and touched(view, word.address, 8) is None:
            if run and word.address != run[-1] + 8:
                found.update(run if len(run) > _FOLD else ())
                run = []
            run.append(word.address)
            continue
        found.update(run if len(run) > _FOLD else ())
        run = []
    return frozenset(found)


def _figures(words: dict[int, _Word], width: int) -> int:
    """How many digits of the values are shown: sixteen, or in a narrow panel as many as the longest of them has."""
    if width >= _ROOMY:
        return _FIGURES
    return max((len(f"{word.value:x}") for word in words.values() if word.value is not None), default=1)


def _address(address: int, digits: int) -> Span:
    text = f"{address:x}"
    return Span(text if len(text) <= digits else f"…{text[-digits:]}", Role.ADDRESS)


def _top(view: View, address: int, tops: dict[int, str], digits: int, width: int) -> Row:
    """The line above the highest word of a stretch."""
    name = tops.get(address)
    label = f"top, TSS.{name}" if name else printable(view.name(address) or "")
    return line(width, _address(address, digits), Span(f" ─ {label} ".rstrip() + " ───", Role.DIM))


def _line(
    view: View, before: View | None, word: _Word, digits: int, figures: int, *, switching: bool, coming: bool
) -> Line:
    old = before.stack.word(word.address) if before is not None else None
    changed = old is not None and word.value is not None and not word.coming and old != word.value
    lit = touched(view, word.address, 8)
    here = not switching and word.address == view.registers.rsp & ~7
    if word.value is None:
        value = Span("not mapped", Role.WARNING)
    elif word.coming:
        value = Span(f"{f'({word.value:x})':>{figures + 2}}", Role.DIM)
    else:
        role = Role.CHANGED if changed else Role.DIM if word.dim else Role.FRAME if word.bar else Role.VALUE
        zeros = f"{word.value:016x}" if figures == _FIGURES else f"{word.value:x}"
        value = Span(f"{zeros:>{figures}}{' ' if coming else ''}", role)
    text = word.meaning
    role = Role.DIM if word.dim else Role.FRAME if word.bar else Role.SYMBOL
    if word.name:
        text = f"{word.name:<6} {text}".rstrip()
    if word.was is not None:
        text, role = f"{word.name} was {word.was:#x}", Role.WARNING
    if word.coming and lit is not None:
        text, role = f"✗ {word.name} could not be pushed", Role.BAD
    if here and not text:
        text, role = "rsp", Role.CURRENT
    pointer = Span("◀" if here else "", Role.CURRENT)
    return Line(
        (_address(word.address, digits), value, pointer, Span(word.bar, Role.FRAME), Span(text, role)),
        lit,
        changed,
        word.address,
    )
