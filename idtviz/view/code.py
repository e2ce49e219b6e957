"""The code around RIP: source lines with the instructions of the current one, or plain disassembly."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from idtviz.checks.finding import Finding
from idtviz.debugger.disassembly import Instruction
from idtviz.debugger.symbols import Line
from idtviz.debugger.view import View
from idtviz.view.findings import sign, title
from idtviz.view.fitting import fitted
from idtviz.view.instructions import address_text, instruction, operand_note
from idtviz.view.layout import cut, printable
from idtviz.view.row import Panel, Role, Row, Rows, Span, row

Source = Callable[[str], Sequence[str] | None]
"""The lines of a source file, by the path that a Line has; None where it is not at hand."""

_LINES_AROUND = 40
_TAB = 4
_GUTTER = 7  # columns in front of a source line: two marks, four digits, a blank
_MOST_ROWS = 3  # of the current line, where it is longer than the panel is wide
_SHORTEST_COMMENT = 16
_COMMENTS = (" //", " /*", " # ")
_BEFORE, _AFTER = 4, 8  # instructions of the current line that are shown around the present one
_POINTERS = {64: "RIP", 32: "CS:EIP", 16: "CS:IP"}


def panel(
    view: View,
    _before: View | None,
    width: int,
    source: Source,
    breakpoints: Collection[int] = (),
    findings: Sequence[Finding] = (),
) -> Panel:
    """Source where there is some, else disassembly. `breakpoints` are addresses, marked ■; findings have their sign."""
    code = view.code
    note = "" if code.bits == 64 else f"{code.bits}-bit code"
    linear = code.linear(code.rip)
    if code.here is None:
        place = f"{code.rip:#x}" if linear == code.rip else f"{address_text(view, code.rip)} = {linear:#x}"
        text = f"{_POINTERS[code.bits]} {place} cannot be read: no page is mapped there"
        return Panel("Code", (row((text, Role.BAD)),), note)
    line = view.line(linear)
    lines = source(line.path) if line is not None else None
    name = printable(view.name(linear) or f"{linear:#x}")
    if line is None:
        rows, focus = _disassembly(view, width, breakpoints, findings)
        return Panel(f"Code  {name}", rows, note, focus)
    file = printable(line.file)
    if lines is None or line.number > len(lines):
        # The source is not at hand, or it is not what was compiled.
        rows, focus = _disassembly(view, width, breakpoints, findings)
        return Panel(f"Code  {file}:{line.number} · {name}", rows, note, focus)
    rows, focus = _Source(view, line, code.here, lines, width, breakpoints, findings).rows()
    return Panel(f"Code  {file} · {name}", rows, note, focus)


@dataclass(frozen=True)
class _Source:
    """The rows around a source line; below it the instructions that it became, as far as they lie around RIP."""

    view: View
    line: Line
    here: Instruction
    lines: Sequence[str]
    width: int
    breakpoints: Collection[int]
    findings: Sequence[Finding]

    def rows(self) -> tuple[Rows, int]:
        """The rows, and the one to keep in sight."""
        by_line = self._by_line()
        found = self._found_by_line()
        rows: list[Row] = []
        focus = 0
        first = max(1, self.line.number - _LINES_AROUND)
        for number in range(first, min(len(self.lines), self.line.number + _LINES_AROUND) + 1):
            rows += self._line(number, by_line.get(number, []), found.get(number, []))
            if number == self.line.number:
                below, focus = self._instructions(len(rows))
                rows += below
        return tuple(rows), focus

    def _by_line(self) -> dict[int, list[Instruction]]:
        """The instructions of each line of the file, as far as they lie near RIP."""
        found: dict[int, list[Instruction]] = {}
        for item in self.view.code.instructions:
            line = self._line_of(item)
            if line is not None and line.path == self.line.path:
                found.setdefault(line.number, []).append(item)
        return found

    def _found_by_line(self) -> dict[int, list[Finding]]:
        """What was found at each line of the file."""
        found: dict[int, list[Finding]] = {}
        for finding in self.findings:
            line = None if finding.address is None else self.view.line(finding.address)
            if line is not None and line.path == self.line.path:
                found.setdefault(line.number, []).append(finding)
        return found

    def _line_of(self, item: Instruction) -> Line | None:
        return self.view.line(self.view.code.linear(item.address))

    def _line(self, number: int, items: Sequence[Instruction], found: Sequence[Finding]) -> list[Row]:
        current = number == self.line.number
        stops = any(item.address in self.breakpoints for item in items)
        gutter = ("▶" if current else " ") + ("■" if stops else " ")
        role = Role.CURRENT if current else Role.SOURCE if items else Role.DIM
        lit, key = Role.CURRENT if current else None, items[0].address if items else None
        text = _one_column_each(self.lines[number - 1].expandtabs(_TAB))
        first, *more = _folded(text, self.width - _GUTTER) if current else [_fit(text, max(0, self.width - _GUTTER))]
        marks = (gutter, Role.BAD if stops and not current else Role.CURRENT), (f"{number:4}", Role.DIM)
        rows = [row(*marks, _flag(found) or Span(" ", Role.DIM), (first, role), lit=lit, key=key)]
        rows += [row((" " * _GUTTER, Role.DIM), (part, role), lit=lit, key=key) for part in more]
        return _with_findings(rows, found, self.width)

    def _instructions(self, above: int) -> tuple[list[Row], int]:
        """The instructions of the stretch of the line that RIP is in, and the row to keep in sight, with `above` rows.

        What else the line became may come much later: the increment of a loop, for one.
        """
        stretch, place = self._stretch()
        begin, end = max(0, place - _BEFORE), place + _AFTER + 1
        indent = " " * _GUTTER
        rows = []
        if begin:
            rows.append(row((f"{indent}… {begin} before", Role.DIM)))
        focus = above - 1
        for item in stretch[begin:end]:
            if item is self.here and place > 1:
                focus = above + len(rows)
            mark = "▶" if item is self.here and len(stretch) > 1 else " "
            mark += "■" if item.address in self.breakpoints and item is not stretch[0] else " "
            gutter = f"{mark:>{_GUTTER}}"
            found = _at(self.view, item, self.findings) if len(stretch) > 1 else []
            rows.append(instruction(self.view, item, item is self.here, self.width, indent=gutter, flag=_flag(found)))
            if item is self.here:
                rows += operand_note(self.view, self.width)
        if len(stretch) > end:
            rows.append(row((f"{indent}… {len(stretch) - end} more", Role.DIM)))
        return rows, focus

    def _stretch(self) -> tuple[Sequence[Instruction], int]:
        """The instructions around RIP that come one after another from the same line, and where in them RIP is."""
        code = self.view.code
        before = list(code.before)
        start = len(before)
        while start and self._is_same(before[start - 1]):
            start -= 1
        after = 0
        while after < len(code.after) and self._is_same(code.after[after]):
            after += 1
        return (*before[start:], self.here, *code.after[:after]), len(before) - start

    def _is_same(self, item: Instruction) -> bool:
        line = self._line_of(item)
        return line is not None and (line.path, line.number) == (self.line.path, self.line.number)


def _at(view: View, item: Instruction, findings: Sequence[Finding]) -> list[Finding]:
    linear = view.code.linear(item.address)
    return [finding for finding in findings if finding.address == linear]


def _flag(found: Sequence[Finding]) -> Span | None:
    """For the column between a line's number, or address, and its text."""
    return sign(found[0]) if found else None


def _with_findings(rows: list[Row], found: Sequence[Finding], width: int) -> list[Row]:
    """What was found there, in few words: behind the last of the rows where there is room, else below."""
    for finding in found:
        mark = sign(finding)
        text = Span(f"{finding.rule} {title(finding.rule) or printable(finding.message)}", mark.role)
        last = rows[-1]
        if len(last.text) + 4 + len(text.text) <= width:
            rows[-1] = Row((*last.spans, Span(f"  {mark.text} ", mark.role), text), last.lit, last.key)
        else:
            rows.append(fitted(row((" " * _GUTTER, Role.DIM), (f"{mark.text} ", mark.role), text), width))
    return rows


def _one_column_each(text: str) -> str:
    """The text with a `?` for each character that is not exactly one column wide."""
    return text if text.isascii() and text.isprintable() else "".join(map(_one_column, text))


def _one_column(char: str) -> str:
    wide = unicodedata.combining(char) or unicodedata.east_asian_width(char) in "WF"
    return char if char.isprintable() and not wide else "?"


def _folded(text: str, room: int) -> list[str]:
    """The line in as many rows as it needs, but not too many; the later ones are indented a little more than it."""
    comment = max(text.find(sign) for sign in _COMMENTS)
    code = text[:comment].rstrip() if comment > 0 else text
    if len(code) <= room or room < 2 * _SHORTEST_COMMENT:
        return [_fit(text, max(0, room))]
    indent = " " * min(len(text) - len(text.lstrip()) + _TAB, room // 2)
    return textwrap.wrap(
        text, room, subsequent_indent=indent, break_on_hyphens=False, max_lines=_MOST_ROWS, placeholder=" …"
    )


def _fit(text: str, room: int) -> str:
    """The line cut to `room`; a comment of which only the beginning would be left goes altogether."""
    if len(text) <= room:
        return text
    comment = max(text.find(sign) for sign in _COMMENTS)
    if comment > max(0, room - _SHORTEST_COMMENT) and text[:comment].strip():
        text = text[:comment].rstrip()
    return text if len(text) <= room else text[: max(0, room - 1)] + "…"


def _disassembly(view: View, width: int, breakpoints: Collection[int], findings: Sequence[Finding]) -> tuple[Rows, int]:
    rows: list[Row] = []
    focus = 0
    for item in view.code.instructions:
        current = item is view.code.here
        linear = view.code.linear(item.address)
        symbol = view.symbols.at(linear)
        if symbol is not None and symbol.address == linear and symbol.code:
            rows.append(row((cut(f"  {printable(symbol.shown)}:", width), Role.SYMBOL)))
        if current:
            focus = len(rows)
        mark = "▶" if current else " "
        mark += "■" if item.address in breakpoints else " "
        found = _at(view, item, findings)
        shown = instruction(view, item, current, width, indent=mark, lit=current, flag=_flag(found))
        rows += _with_findings([shown], found, width)
        if current:
            rows += operand_note(view, width)
    return tuple(rows), focus
