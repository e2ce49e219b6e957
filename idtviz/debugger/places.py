"""Where in a run: the MOMENT language of scenario files, `--at` and the command line.

`812`, `#PF:2+3`, `irq1`, `symbol`, `kernel.c:42`, `end`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from idtviz.debugger.symbols import Symbols
from idtviz.machine.delivery.event import Event, Source
from idtviz.x86 import vectors


class PlaceKind(Enum):
    """What a place names."""

    COUNT = "instruction count"
    DELIVERY = "delivery index"
    VECTOR = "vector"
    IRQ = "interrupt line"
    ADDRESS = "address"
    END = "end"


@dataclass(frozen=True, slots=True)
class Place:
    """`value` is the count, index, vector, line or address; `occurrence` counts from 1; `steps` go on from there."""

    kind: PlaceKind
    value: int
    occurrence: int
    steps: int
    text: str

    def counts(self, event: Event, number: int) -> bool:
        """Whether `event`, delivery `number` of the run, is one of those that this place counts."""
        if self.kind is PlaceKind.DELIVERY:
            return number == self.value
        if self.kind is PlaceKind.VECTOR:
            return event.vector == self.value and event.source in (Source.EXCEPTION, Source.SOFTWARE, Source.NMI)
        return self.kind is PlaceKind.IRQ and event.irq == self.value


class PlaceError(ValueError):
    """A text that names no place."""


_PLACE = re.compile(r"(?P<what>.+?)(?::(?P<occurrence>\d+))?(?:\+(?P<steps>\d+))?\s*$")
_LINE = re.compile(r"(?P<file>[^:]*\.[^:]*):(?P<number>\d+)(?::(?P<occurrence>\d+))?")


def parse(text: str, symbols: Symbols) -> Place:
    """Read a MOMENT. Raises PlaceError, saying what would have been understood."""
    match = _PLACE.fullmatch(text.strip())
    if match is None:
        raise PlaceError("an empty text names no moment")
    what = match["what"].strip()
    number = int(match["occurrence"]) if match["occurrence"] else None
    steps = int(match["steps"] or 0)
    line = _LINE.fullmatch(what if number is None else f"{what}:{number}")
    if line is not None and symbols.address_of(line["file"]) is None:
        return Place(PlaceKind.ADDRESS, _address_of_line(line, symbols, text), _occurrence(line, text), steps, text)
    if number == 0 and what != "delivery":
        raise PlaceError(f"{text!r}: occurrences count from 1")
    kind, value = _kind(what, number, symbols, text)
    return Place(kind, value, 1 if kind is PlaceKind.DELIVERY else number or 1, steps, text)


def _occurrence(line: re.Match[str], text: str) -> int:
    occurrence = int(line["occurrence"] or 1)
    if not occurrence:
        raise PlaceError(f"{text!r}: occurrences count from 1")
    return occurrence


def _address_of_line(line: re.Match[str], symbols: Symbols, text: str) -> int:
    """Where the code of a source line begins; of the next line that has code, if this one has none."""
    files = symbols.files(line["file"])
    if not files:
        raise PlaceError(f"{text!r}: the image has no symbol and no source file {line['file']!r}")
    if len(files) > 1:
        raise PlaceError(f"{text!r} is a line of several files: {', '.join(files)}; write more of the path")
    found = symbols.addresses_of_line(line["file"], int(line["number"]))
    if not found:
        raise PlaceError(f"{text!r}: {line['file']} has no code on that line or after it")
    return found[0]


def _kind(what: str, number: int | None, symbols: Symbols, text: str) -> tuple[PlaceKind, int]:
    if what == "end":
        return PlaceKind.END, 0
    if what == "delivery" and number is not None:
        return PlaceKind.DELIVERY, number
    if re.fullmatch(r"\d+(_\d+)*", what):
        return PlaceKind.COUNT, int(what)
    if line := re.fullmatch(r"irq(\d+)", what, re.IGNORECASE):
        if int(line[1]) > 15:
            raise PlaceError(f"{text!r}: interrupt lines are irq0 to irq15")
        return PlaceKind.IRQ, int(line[1])
    if what.startswith("#") or what.upper() == "NMI":
        try:
            return PlaceKind.VECTOR, vectors.by_name(what).number
        except ValueError as error:
            raise PlaceError(f"{text!r}: {error}") from error
    if interrupt := re.fullmatch(r"int\s*(0x[0-9a-f]+|\d+)", what, re.IGNORECASE):
        vector = int(interrupt[1], 0)
        if vector > 255:
            raise PlaceError(f"{text!r}: vectors are 0 to 255")
        return PlaceKind.VECTOR, vector
    if re.fullmatch(r"0x[0-9a-fA-F]+(_[0-9a-fA-F]+)*", what):
        return PlaceKind.ADDRESS, int(what, 16)
    address = symbols.address_of(what)
    if address is None:
        raise PlaceError(
            f"{text!r} is no moment: expected an instruction count, delivery:N, an exception such as #PF or #PF:2, "
            "irqN, a symbol of the image, a source line such as kernel.c:42, an address in hex, or end"
        )
    return PlaceKind.ADDRESS, address
