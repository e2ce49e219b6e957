"""The stack panel: words from high addresses to low, with the names that interrupt frames give them."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.debugger.procedures import Stage
from idtviz.debugger.view import View
from idtviz.machine.registers import Segment
from idtviz.view.layout import Line, line, printable, sentence, table, touched
from idtviz.view.places import far
from idtviz.view.pointers import stack_source
from idtviz.view.row import Panel, Role, Row, Span
from idtviz.view.tss import slots
from idtviz.view.words import ROOMY, Word, Words, being_pushed, of_frames, of_window
from idtviz.x86.addresses import MASK32

_MARK_AT_TOP = -1  # the focus is the row in front of the first word
_FOLD = 3  # zeros that are still shown one by one
_SHORT = 8  # digits of an address that always fit


def panel(view: View, before: View | None, width: int) -> Panel:
    """The stack in use, or the one that a delivery under way switches to. `key` is a word's address."""
    procedure = view.procedure
    switching = _switches(view)
    words = of_frames(view, width)
    pushed: Words = {}
    if procedure is not None and procedure.stage is Stage.UNDER_WAY:
        pushed = being_pushed(view, procedure, width)
    words = pushed if switching else of_window(view, words | pushed)
    columns = _Columns.of(_base(view, switching=switching), words, width)
    rows, focus = _Rows(view, before, words, columns, width, switching=switching).rows()
    if switching:
        rows += sentence(f"interrupted stack {_pointer(view)}{_of(view, view.stack.linear)}", width)
        focus = focus or 0
    title = f"Stack  {_which(view, switching=switching)}"
    note = (
        "(…) not pushed yet"
        if any(word.coming for word in words.values())
        else f"◀ {pointer_name(view)} {_pointer(view)}"
    )
    return Panel(title, tuple(rows), note, focus)


def pointer_name(view: View) -> str:
    """What the stack pointer is called: by the mode and the B flag of the stack segment."""
    if view.mode == "long":
        return "rsp"
    return "esp" if view.registers.ss.flags & Segment.CODE_32 else "sp"


def _pointer(view: View) -> str:
    """The stack pointer as a value: `0x18000`; with SS, and the linear address, where the base of SS is not 0."""
    stack = view.stack
    if not stack.base:
        return f"{stack.pointer:#x}"
    return f"{far(view.mode, stack.selector, stack.pointer)} = {stack.linear:x}"


def _switches(view: View) -> bool:
    """Whether the delivery under way goes to another stack, and knows which."""
    procedure = view.procedure
    if procedure is None or procedure.stage is not Stage.UNDER_WAY:
        return False
    if procedure.event is None:
        return procedure.after is not None and bool(procedure.pushed) and procedure.after.cpl != procedure.before.cpl
    pushes = procedure.frame is not None or bool(procedure.pushed)
    return pushes and procedure.stack is not None and procedure.stack.address is not None


def _base(view: View, *, switching: bool) -> int:
    """Base of the stack segment of the words that are shown."""
    procedure = view.procedure
    if switching and procedure is not None and procedure.after is not None and procedure.after.mode != "long":
        return procedure.after.ss.base
    return view.stack.base


def _which(view: View, *, switching: bool) -> str:
    """`ring 0, TSS.RSP0`: whose stack this is."""
    procedure = view.procedure
    if switching and procedure is not None:
        if procedure.task is not None:
            return "new, of the other task"
        found = procedure.stack
        return f"new, {stack_source(procedure.before, found.source)}" if found is not None else "new, of the inner ring"
    if view.mode in ("real", "vm86"):
        return f"SS {view.stack.selector:04x} base {view.stack.base:05x}"
    text = f"ring {view.registers.cpl}"
    if view.frames:
        pushed = view.frames[-1].pushed
        top = pushed.address + pushed.size
        for name, pointer in slots(view).items():
            if (pointer & ~0xF if view.mode == "long" else pointer) == top:
                return f"{text}, TSS.{name}"
    return f"{text}, SS base {view.stack.base:x}" if view.stack.base else text


def _of(view: View, address: int) -> str:
    symbol = view.name(address)
    return f" {printable(symbol)}" if symbol else ""


@dataclass(frozen=True)
class _Columns:
    """How many digits addresses and values have. `base`: where it is not 0, offsets in SS stand in front."""

    base: int
    offset: int
    address: int
    value: int
    roomy: bool

    @classmethod
    def of(cls, base: int, words: Words, width: int) -> _Columns:
        """As many digits as `words` need, and as `width` has room for."""
        longest = max((len(f"{address:x}") for address in words), default=1)
        address = longest if longest <= _SHORT or width >= 60 else _SHORT
        size = max((word.size for word in words.values()), default=8)
        offset = max((len(f"{cls._offset(at, base):x}") for at in words), default=4) if base else 0
        if size < 8:
            return cls(base, max(offset, 4) if base else 0, address, 2 * size, roomy=True)
        if width >= ROOMY:
            return cls(base, offset, address, 16, roomy=True)
        most = max((len(f"{word.value:x}") for word in words.values() if word.value is not None), default=1)
        return cls(base, offset, address, most, roomy=False)

    @staticmethod
    def _offset(address: int, base: int) -> int:
        return address - base & MASK32

    def place(self, address: int) -> str:
        """An address as the panel shows it."""
        text = f"{address:x}"
        text = text if len(text) <= self.address else f"…{text[-self.address :]}"
        return f"{self._offset(address, self.base):0{self.offset}x} = {text}" if self.base else text

    def figures(self, word: Word) -> str:
        """The value of a word."""
        if word.value is None:
            return ""
        if word.coming:
            return f"{f'({word.value:x})':>{self.value + 2}}"
        return f"{f'{word.value:0{2 * word.size}x}' if self.roomy else f'{word.value:x}':>{self.value}}"


class _Rows:
    """Words from the highest address down; gaps are marked, stretches without a page folded."""

    def __init__(
        self, view: View, before: View | None, words: Words, columns: _Columns, width: int, *, switching: bool
    ) -> None:
        self._view = view
        self._before = before
        self._words = words
        self._columns = columns
        self._width = width
        self._switching = switching
        self._here = view.stack.linear
        self._coming = any(word.coming for word in words.values())
        self._zeros = self._long_runs_of_zeros()
        self._tops = {pointer: name for name, pointer in slots(view).items()}

    def rows(self) -> tuple[list[Row], int | None]:
        """The rows, and the one to keep in sight."""
        lines: list[Line] = []
        marks: dict[int, Row] = {}  # rows to put in front of the line with that number
        focus = None
        previous: int | None = None
        unmapped = False
        for address in sorted(self._words, reverse=True):
            word = self._words[address]
            if previous is None or address + word.size != previous:
                marks[len(lines)] = self._top(address + word.size)
                unmapped = False
            previous = address
            is_here = focus is None and self._is_top(word)
            if word.value is None and not word.bar:
                made = self._unmapped(word)
                if unmapped and made.lit is None:
                    continue
                unmapped = True
            elif address in self._zeros:
                unmapped = False
                if address + word.size not in self._zeros:
                    lines.append(self._folded(address, word.size))
                continue
            else:
                unmapped = False
                made = self._line(word)
            if made.lit or is_here:
                focus = len(lines)
            lines.append(made)
        if not self._switching and self._words and not any(self._is_top(word) for word in self._words.values()):
            # The stack pointer stands right behind the highest word shown: the stack is empty.
            focus = _MARK_AT_TOP if focus is None else focus
            marks[0] = self._empty()
        return _with_marks(table(lines, self._width, least=8), marks, focus)

    def _is_top(self, word: Word) -> bool:
        return not self._switching and word.address <= self._here < word.address + word.size

    def _place(self, address: int) -> Span:
        return Span(self._columns.place(address), Role.ADDRESS)

    def _empty(self) -> Row:
        pointer = Span(f"◀ {pointer_name(self._view)}", Role.CURRENT)
        symbol = Span(_of(self._view, self._here), Role.SYMBOL)
        return line(self._width, self._place(self._here), Span(" ─ ", Role.ADDRESS), pointer, symbol)

    def _top(self, address: int) -> Row:
        """The line above the highest word of a stretch."""
        name = self._tops.get(address)
        label = f"top, TSS.{name}" if name else printable(self._view.name(address) or "")
        return line(self._width, self._place(address), Span(f" ─ {label} ".rstrip() + " ───", Role.DIM))

    def _unmapped(self, word: Word) -> Line:
        lit = touched(self._view, word.address, word.size)
        text, role = ("not mapped", Role.WARNING) if lit is None else ("✗ not mapped", Role.BAD)
        return self._remark(word.address, Span(text, role), lit)

    def _folded(self, address: int, size: int) -> Line:
        count = next(n for n in range(1, len(self._zeros) + 1) if address - size * n not in self._zeros)
        return self._remark(address, Span(f"{count} words are zero", Role.DIM))

    def _remark(self, address: int, text: Span, lit: Role | None = None) -> Line:
        """A row without a value: the remark takes its place, where that is wide enough for one."""
        blanks = () if self._columns.value > 8 or not self._columns.roomy else (Span(""),) * 3
        return Line((self._place(address), *blanks, text), lit, key=address)

    def _line(self, word: Word) -> Line:
        view, before = self._view, self._before
        old = before.stack.word(word.address, word.size) if before is not None else None
        changed = old is not None and word.value is not None and not word.coming and old != word.value
        lit = touched(view, word.address, word.size)
        here = self._is_top(word)
        figures = self._columns.figures(word)
        if word.value is None:
            value = Span("not mapped", Role.WARNING)
        elif word.coming:
            value = Span(figures, Role.DIM)
        else:
            role = Role.CHANGED if changed else Role.DIM if word.dim else Role.FRAME if word.bar else Role.VALUE
            value = Span(f"{figures}{' ' if self._coming else ''}", role)
        text = word.meaning
        role = Role.DIM if word.dim else Role.FRAME if word.bar else Role.SYMBOL
        if word.name:
            text = f"{word.name:<6} {text}".rstrip()
        if word.was is not None:
            text, role = f"{word.name} was {word.was:#x}", Role.WARNING
        if word.coming and lit is not None:
            text, role = f"✗ {word.name} could not be pushed", Role.BAD
        pointer = Span("◀" if here else "", Role.CURRENT)
        if here and not text:
            text, role = pointer_name(view), Role.CURRENT
        elif here and not word.name:
            text = f"{pointer_name(view)}  {text}"
        cells = (self._place(word.address), value, pointer, Span(word.bar, Role.FRAME), Span(text, role))
        return Line(cells, lit, changed, word.address)

    def _long_runs_of_zeros(self) -> frozenset[int]:
        """The addresses above the stack pointer of long runs of zeros that nothing has happened to."""
        found: set[int] = set()
        run: list[Word] = []
        for address in sorted(self._words):
            word = self._words[address]
            if not self._is_plain_zero(word) or (run and word.address != run[-1].address + run[-1].size):
                found.update(item.address for item in run if len(run) > _FOLD)
                run = []
            if self._is_plain_zero(word):
                run.append(word)
        return frozenset(found | {item.address for item in run if len(run) > _FOLD})

    def _is_plain_zero(self, word: Word) -> bool:
        if word.value != 0 or word.bar or word.address <= self._here:
            return False
        if self._before is not None and self._before.stack.word(word.address, word.size) not in (0, None):
            return False
        return touched(self._view, word.address, word.size) is None


def _with_marks(placed: tuple[Row, ...], marks: dict[int, Row], focus: int | None) -> tuple[list[Row], int | None]:
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
