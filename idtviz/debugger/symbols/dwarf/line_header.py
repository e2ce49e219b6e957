"""The head of a line program: which files there are, and how the program is to be read (DWARF 5, 6.2.4)."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from idtviz.debugger.symbols.dwarf import forms
from idtviz.debugger.symbols.dwarf.cursor import Cursor, DwarfError
from idtviz.debugger.symbols.dwarf.forms import Encoding
from idtviz.debugger.symbols.dwarf.sections import DwarfSections
from idtviz.debugger.symbols.dwarf.units import Unit

_PATH, _DIRECTORY_INDEX = 1, 2  # DW_LNCT_*
_MOST_FILES = 1 << 16


@dataclass(frozen=True, slots=True)
class LineHeader:
    """What is fixed for a line program. `paths`: of the files, by the number that the program calls them."""

    folders: list[str]
    paths: list[str]
    begin: int
    end: int
    address_size: int
    minimum_instruction_length: int
    default_is_stmt: bool
    line_base: int
    line_range: int
    opcode_lengths: bytes
    """How many operands each standard opcode has, the first for opcode 1."""


def line_header(sections: DwarfSections, unit: Unit) -> LineHeader:
    """The head of a unit's line program. Raises DwarfError."""
    cursor = Cursor(sections.get(".debug_line"), unit.lines, sections.order)
    end, offset_size = cursor.unit_length()
    cursor.end = end = min(end, cursor.end)
    version = cursor.number(2)
    if not 2 <= version <= 5:
        raise DwarfError(f"line program of version {version}")
    address_size = unit.encoding.address_size
    if version == 5:
        address_size = cursor.number(1)
        cursor.take(1)  # the size of a segment selector
    length = cursor.number(offset_size)
    begin = cursor.at + length
    minimum = cursor.number(1)
    if version >= 4:
        cursor.take(1)  # operations of an instruction: x86 has no long instruction words
    default_is_stmt = bool(cursor.number(1))
    line_base = (cursor.number(1) ^ 0x80) - 0x80
    line_range, opcode_base = cursor.number(1), cursor.number(1)
    lengths = cursor.take(max(0, opcode_base - 1))
    if not line_range:
        raise DwarfError("line_range is 0")
    if version == 5:
        encoding = Encoding(offset_size, address_size, version)
        folders = [joined(unit.folder, path) for path, _ in _entries(sections, cursor, encoding)]
        paths = [_in_folder(folders, number, path) for path, number in _entries(sections, cursor, encoding)]
    else:
        folders, paths = _tables(cursor, unit)
    return LineHeader(
        folders, paths, begin, end, address_size, minimum, default_is_stmt, line_base, line_range, lengths
    )


def file_entry(cursor: Cursor, folders: list[str], name: bytes) -> str:
    """The path of a file that is listed as DWARF 2 to 4 do; the cursor stands behind its name."""
    number = cursor.leb128()
    cursor.leb128()  # when it was changed
    cursor.leb128()  # how long it is
    return _in_folder(folders, number, name.decode(errors="replace"))


def joined(folder: str, path: str) -> str:
    """`path` as it is seen from `folder`, with `/` between folders whatever wrote it, and without `..`."""
    if "\\" in path and "/" not in path:
        path = path.replace("\\", "/")
    return posixpath.normpath(posixpath.join(folder.replace("\\", "/"), path)) if path else folder


def _in_folder(folders: list[str], number: int, name: str) -> str:
    return joined(folders[number] if number < len(folders) else "", name)


def _tables(cursor: Cursor, unit: Unit) -> tuple[list[str], list[str]]:
    """Folders and files of DWARF 2 to 4: folder 0 is that of the compilation, files count from 1."""
    folders = [joined("", unit.folder)]
    while len(folders) < _MOST_FILES and (name := cursor.text()):
        folders.append(joined(unit.folder, name.decode(errors="replace")))
    paths = [joined(unit.folder, unit.name)]
    while len(paths) < _MOST_FILES and (name := cursor.text()):
        paths.append(file_entry(cursor, folders, name))
    return folders, paths


def _entries(sections: DwarfSections, cursor: Cursor, encoding: Encoding) -> list[tuple[str, int]]:
    """Path and folder number of each entry of a table of DWARF 5."""
    described = [(cursor.leb128(), cursor.leb128()) for _ in range(cursor.number(1))]
    count = cursor.leb128()
    found = []
    for _ in range(min(count, _MOST_FILES) if described else 0):
        path, number = "", 0
        for content, form in described:
            value = forms.read(cursor, form, encoding)
            if content == _PATH:
                path = forms.text(sections, form, value)
            elif content == _DIRECTORY_INDEX and isinstance(value, int):
                number = value
        found.append((path, number))
    return found
