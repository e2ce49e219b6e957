"""Running a line program: from its opcodes to the rows of a table of addresses and lines (DWARF 5, 6.2.5)."""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from idtviz.debugger.symbols.dwarf.cursor import Cursor, DwarfError
from idtviz.debugger.symbols.dwarf.line_header import LineHeader, file_entry
from idtviz.debugger.symbols.symbol import Line

_COPY, _ADVANCE_PC, _ADVANCE_LINE, _SET_FILE, _SET_COLUMN, _NEGATE_STMT = 1, 2, 3, 4, 5, 6  # DW_LNS_*
_CONST_ADD_PC, _FIXED_ADVANCE_PC = 8, 9
_END_SEQUENCE, _SET_ADDRESS, _DEFINE_FILE = 1, 2, 3  # DW_LNE_*
_MOST_ROWS = 1 << 22  # of one program
_HIGHEST = (1 << 64) - 1
_HIGHEST_LINE = (1 << 31) - 1
_NOTHING = 0  # the line of what no line has made, and of what lies behind a sequence


@dataclass(slots=True)
class Rows:
    """Rows of rising addresses, the last of which is only an end."""

    addresses: array[int] = field(default_factory=lambda: array("Q"))
    lines: array[int] = field(default_factory=lambda: array("i"))
    files: array[int] = field(default_factory=lambda: array("i"))
    statements: bytearray = field(default_factory=bytearray)

    def add(self, address: int, line: int, file: int, *, statement: bool) -> None:
        """One row more. Numbers that no compiler writes become 0."""
        self.addresses.append(address)
        self.lines.append(line if 0 < line <= _HIGHEST_LINE else _NOTHING)
        self.files.append(file if file <= _HIGHEST_LINE else 0)
        self.statements.append(statement)


class LineTable:
    """The rows of one unit."""

    def __init__(self, sequences: Sequence[Rows], paths: Sequence[str]) -> None:
        self.paths = paths
        rows = Rows()
        for each in sorted(sequences, key=lambda each: each.addresses[0]):
            rows.addresses.extend(each.addresses)
            rows.lines.extend(each.lines)
            rows.files.extend(each.files)
            rows.statements += each.statements
        if any(after < before for before, after in zip(rows.addresses, rows.addresses[1:], strict=False)):
            rows = _sorted(rows)
        self._rows = rows

    def at(self, address: int) -> Line | None:
        """The line of the last row that does not lie above `address`."""
        rows = self._rows
        place = bisect.bisect_right(rows.addresses, address) - 1
        if place < 0 or not rows.lines[place] or not 0 <= rows.files[place] < len(self.paths):
            return None
        return Line(self.paths[rows.files[place]], rows.lines[place], rows.addresses[place])

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """The first address and the one behind the last of all rows."""
        addresses = self._rows.addresses
        return [(addresses[0], addresses[-1])] if addresses and addresses[0] < addresses[-1] else []

    def stretches(self, files: frozenset[int], number: int) -> tuple[int, list[int]] | None:
        """The lowest line from `number` on that has code in one of `files`, and where its stretches begin.

        A stretch begins where the line before it is another one, at the first place fit for a breakpoint (is_stmt).
        Where a compiler has left nothing of a line, that is where the code of the next one begins.
        """
        rows = self._rows
        found: list[int] = []
        best, wanted = _HIGHEST_LINE, -1
        for place, line in enumerate(rows.lines):
            if not number <= line <= best or rows.files[place] not in files:
                wanted = -1
                continue
            if line == wanted or not rows.statements[place]:
                continue
            if line < best:
                best, found = line, []
            wanted = line
            found.append(rows.addresses[place])
        return (best, found) if found else None


def _sorted(rows: Rows) -> Rows:
    found = Rows()
    for place in sorted(range(len(rows.addresses)), key=rows.addresses.__getitem__):
        file, line = rows.files[place], rows.lines[place]
        found.add(rows.addresses[place], line, file, statement=bool(rows.statements[place]))
    return found


def run(raw: bytes, order: str, header: LineHeader) -> Iterator[Rows]:
    """The sequences of a program, up to the place where it is broken."""
    machine = _Machine(Cursor(raw, header.begin, order, header.end), header)
    try:
        yield from machine.sequences()
    except DwarfError:
        return


class _Machine:
    """The state machine that a line program drives."""

    def __init__(self, cursor: Cursor, header: LineHeader) -> None:
        self._cursor = cursor
        self._header = header
        self._reset()

    def _reset(self) -> None:
        self._address, self._file, self._line = 0, 1, 1
        self._statement = self._header.default_is_stmt
        self._rows = Rows()

    def sequences(self) -> Iterator[Rows]:
        """Run to the end. Raises DwarfError."""
        cursor, header = self._cursor, self._header
        raw, lengths = cursor.raw, header.opcode_lengths
        special = len(lengths) + 1
        minimum, base, line_range = header.minimum_instruction_length, header.line_base, header.line_range
        rows = 0
        while cursor.at < cursor.end and rows < _MOST_ROWS:
            opcode = raw[cursor.at]
            cursor.at += 1
            if opcode >= special:
                advance, step = divmod(opcode - special, line_range)
                self._address = self._address + advance * minimum & _HIGHEST
                self._line += base + step
                self._rows.add(self._address, self._line, self._file, statement=self._statement)
                rows += 1
            elif opcode == 0:
                if self._extended():
                    yield self._rows
                    self._reset()
                rows += 1
            elif opcode == _COPY:
                self._rows.add(self._address, self._line, self._file, statement=self._statement)
                rows += 1
            else:
                self._standard(opcode, lengths[opcode - 1], special)

    def _standard(self, opcode: int, operands: int, special: int) -> None:
        cursor, header = self._cursor, self._header
        if opcode == _ADVANCE_PC:
            self._advance(cursor.leb128())
        elif opcode == _ADVANCE_LINE:
            start = cursor.at
            value = cursor.leb128()
            bits = 7 * (cursor.at - start)
            self._line += value - (1 << bits) if value >> bits - 1 else value
        elif opcode == _SET_FILE:
            self._file = cursor.leb128()
        elif opcode == _NEGATE_STMT:
            self._statement = not self._statement
        elif opcode == _CONST_ADD_PC:
            self._advance((255 - special) // header.line_range)
        elif opcode == _FIXED_ADVANCE_PC:
            self._address = self._address + cursor.number(2) & _HIGHEST
        else:
            for _ in range(operands):
                cursor.leb128()

    def _advance(self, operations: int) -> None:
        self._address = self._address + operations * self._header.minimum_instruction_length & _HIGHEST

    def _extended(self) -> bool:
        """Do what an extended opcode says; returns whether it ends a sequence that has rows."""
        cursor, header = self._cursor, self._header
        length = cursor.leb128()
        following = cursor.at + length
        if not length:
            return False
        opcode = cursor.number(1)
        ended = False
        if opcode == _END_SEQUENCE:
            ended = bool(self._rows.addresses)
            self._rows.add(self._address, _NOTHING, 0, statement=False)
            if not ended:
                self._reset()
        elif opcode == _SET_ADDRESS:
            self._address = cursor.number(length - 1 if length - 1 in (1, 2, 4, 8) else header.address_size)
        elif opcode == _DEFINE_FILE:
            header.paths.append(file_entry(cursor, header.folders, cursor.text()))
        cursor.at = following
        return ended
