"""Symbols from the text files that linkers, assemblers and tutorials leave beside an image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from idtviz.debugger.symbols.names import REACH, Named, Names
from idtviz.debugger.symbols.table import Symbols

_MOST_BYTES = 16 << 20
_MOST_LINES = 1 << 20
_LONGEST_LINE = 1024

_GNU_MAP = "Linker script and memory map"
_NASM_MAP = "- NASM Map file"
_PER_CPU = ("__per_cpu_start", "__per_cpu_end")

_NAME = r"(?P<name>[A-Za-z_.$?@~][^\s]*)"
_NM = re.compile(rf"(?P<address>[0-9A-Fa-f]{{4,16}})(?: (?P<size>[0-9A-Fa-f]{{4,16}}))? (?P<kind>[A-Za-z?]) {_NAME}")
_OBJDUMP = re.compile(
    r"(?P<address>[0-9A-Fa-f]{8,16}) (?P<flags>[lgu! ].{6}) (?P<section>\S+)\s+(?P<size>[0-9A-Fa-f]{8,16})"
    rf" +(?:\.hidden )?{_NAME}"
)
_SIMPLE = re.compile(rf"(?P<address>0[xX][0-9A-Fa-f]{{1,16}}|[0-9A-Fa-f]{{2,16}})[ \t]+{_NAME}")
_GNU = re.compile(
    r" +0x(?P<address>[0-9a-f]{1,16}) +(?:PROVIDE(?:_HIDDEN)? \()?(?P<name>[A-Za-z_$.][^\s=()]*)(?P<script> = .*)?\)?"
)
_GNU_SECTION = re.compile(r" ?(?P<section>[._A-Za-z][\w.$*-]*)(?: +0x[0-9a-f]+ +0x[0-9a-f]+.*)?")
_NASM = re.compile(rf"\s*[0-9A-Fa-f]+\s+(?P<address>[0-9A-Fa-f]{{1,16}})\s+{_NAME}")
_NASM_SECTION = re.compile(r"-+ Section (?P<section>\S+) -+")
_COMMENT = ("#", ";", "//")
_ABSOLUTE, _UNDEFINED = frozenset("aA"), frozenset("UwvNn?-")
_CODE = frozenset("tTwWiI")


def from_text(raw: bytes) -> Symbols:
    """The symbols of a text: of `nm`, System.map, `objdump -t`, a map of GNU ld or NASM, or lines of address and name.

    A text of another kind has none.
    """
    return Symbols(Names(lambda: _read(raw)))


def _read(raw: bytes) -> Iterable[Named]:
    text = raw[:_MOST_BYTES].decode("utf-8", errors="replace")
    lines = [line.rstrip() for line in text.splitlines()[:_MOST_LINES] if len(line) <= _LONGEST_LINE]
    if any(line.startswith(_GNU_MAP) for line in lines):
        return _gnu_map(lines)
    if any(line.startswith(_NASM_MAP) for line in lines):
        return _nasm_map(lines)
    return _listing([line.strip() for line in lines])


def _listing(lines: Sequence[str]) -> list[Named]:
    """Lines of address and name, with what `nm` and `objdump` write between them."""
    told = [line for line in lines if line and not line.startswith(_COMMENT)]
    found, understood = [], 0
    per_cpu = False
    for line in told:
        match = _NM.fullmatch(line) or _OBJDUMP.fullmatch(line) or _SIMPLE.fullmatch(line)
        if match is None:
            continue
        understood += 1
        entry = _named(match)
        if entry.name in _PER_CPU:
            per_cpu = entry.name == _PER_CPU[0] and not entry.address
        # Variables of each processor have offsets where others have addresses.
        found.append(entry._replace(listed=False) if per_cpu else entry)
    return found if 2 * understood >= len(told) else []


def _named(match: re.Match[str]) -> Named:
    parts = match.groupdict()
    address, name = int(parts["address"], 16), parts["name"]
    size = int(parts.get("size") or "0", 16)
    kind, flags, section = parts.get("kind"), parts.get("flags"), parts.get("section")
    if kind is not None:
        code, listed = kind in _CODE, kind not in _ABSOLUTE and kind not in _UNDEFINED - _CODE
        return _entry(address, name, size, code=code, listed=listed and (code or address != 0), known=kind.isupper())
    if flags is not None and section is not None:
        code = "F" in flags or _is_code(section)
        listed = section[0] == "." and "d" not in flags and "f" not in flags
        return _entry(address, name, size, code=code, listed=listed, known=flags[0] != "l")
    return _entry(address, name, 0, code=True, listed=True, known=True)


def _entry(address: int, name: str, size: int, *, code: bool, listed: bool, known: bool) -> Named:
    """`known`: a global name, which is better than a local one or one that a linker script has made."""
    return Named(address, 0 if known else 2, name, size, address + (size or REACH), code, listed)


def _gnu_map(lines: Iterable[str]) -> Iterator[Named]:
    section, begun = "", False
    for line in lines:
        begun = begun or line.startswith(_GNU_MAP)
        if not begun:
            continue
        symbol = _GNU.fullmatch(line)
        if symbol is not None and symbol["name"] != ".":
            address, in_script = int(symbol["address"], 16), bool(symbol["script"])
            yield _entry(address, symbol["name"], 0, code=_is_code(section), listed=address != 0, known=not in_script)
        elif (found := _GNU_SECTION.fullmatch(line)) is not None:
            section = found["section"]


def _nasm_map(lines: Iterable[str]) -> Iterator[Named]:
    section = ""
    begun = False
    for line in lines:
        if line.startswith("-"):
            begun = begun or line.startswith("-- Symbols")
            found = _NASM_SECTION.match(line)
            section = found["section"] if found is not None else ""
        elif begun and section and (symbol := _NASM.fullmatch(line)) is not None:
            address = int(symbol["address"], 16)
            yield _entry(address, symbol["name"], 0, code=_is_code(section), listed=True, known=True)


def _is_code(section: str) -> bool:
    return "text" in section or "init" in section or "boot" in section
