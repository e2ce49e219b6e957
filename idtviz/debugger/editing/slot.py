"""A slot: one value that a person can see and change, with the path that names it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from idtviz.debugger.editing.cell import Cell
from idtviz.debugger.editing.problem import EditError
from idtviz.debugger.inputs import Edit
from idtviz.machine.edits.refusal import RefusedError, fit
from idtviz.x86.fields import Bits

_FEW = 4  # bits of a field each of whose values may have a name
_ALIASES = {"R/W": ("w",), "U/S": ("u",)}


@dataclass(frozen=True, slots=True)
class Slot:
    """The whole of `cell`, or a field of it."""

    cell: Cell
    field: tuple[Bits, ...] = ()
    """The one field that this is; empty for a whole."""

    @property
    def path(self) -> str:
        """The name that it is asked for by: `idt[14].dpl`."""
        part = _one(self.field)
        return self.cell.path if part is None else f"{self.cell.path}.{name_of(part)}"

    @property
    def label(self) -> str:
        """What the manual calls it."""
        return " ".join(part.name for part in self.field) or self.cell.label

    @property
    def bits(self) -> str:
        """Which bits of its whole it is: `46:45`; empty for a whole."""
        return " ".join(part.bits for part in self.field)

    @property
    def width(self) -> int:
        """How many bits it has."""
        part = _one(self.field)
        return self.cell.width if part is None else part.width

    @property
    def value(self) -> int:
        """The number that it holds now."""
        part = _one(self.field)
        return self.cell.value if part is None else part.extract(self.cell.value)

    @property
    def text(self) -> str:
        """The number as it is shown, and as it can be typed."""
        return f"{self.value:#x}" if self.value > 9 else str(self.value)

    @property
    def meaning(self) -> str:
        """What that number means; empty where there is nothing to say."""
        part, decoded = _one(self.field), self.cell.decoded
        return self.cell.meaning if part is None or decoded is None else part.explain(decoded)

    @property
    def fixed(self) -> int:
        """The bits of it that stay as they are."""
        return self.cell.fixed if not self.field else 0

    @property
    def takes_bytes(self) -> bool:
        """Whether bytes can be written from here on."""
        return not self.field and self.cell.run is not None

    @property
    def choices(self) -> dict[int, str]:
        """What each value of a small field means, where that has different names."""
        part, kind, whole = _one(self.field), self.cell.structure, self.cell.value
        if part is None or kind is None or not 1 < part.width <= _FEW:
            return {}
        found = {value: part.explain(kind(part.insert(whole, value))) for value in range(1 << part.width)}
        return found if len(set(found.values())) > 1 else {}

    def input(self, value: int | bytes) -> Edit:
        """The edit that gives it this value. Raises EditError, saying what would fit."""
        try:
            return self._bytes(value) if isinstance(value, bytes) else self._number(value)
        except RefusedError as error:
            raise EditError(str(error)) from error

    def _number(self, value: int) -> Edit:
        fit(self.path, value, self.width)
        part = _one(self.field)
        whole = value if part is None else part.insert(self.cell.value, value)
        return self.cell.make(whole, f"{self.path} {self.text} → {_shown(value)}")

    def _bytes(self, value: bytes) -> Edit:
        if self.field or self.cell.run is None:
            raise RefusedError(f"{self.path} takes one number, not a run of bytes")
        if not value:
            raise RefusedError(f"{self.path} was given no bytes")
        shown = value.hex(" ") if len(value) <= _MANY else f"{value[:_MANY].hex(' ')}… ({len(value)} bytes)"
        return self.cell.run(value, f"{self.path} = {shown}")


def _one(field: tuple[Bits, ...]) -> Bits | None:
    return field[0] if field else None


_MANY = 16


def _shown(value: int) -> str:
    return f"{value:#x}" if value > 9 else str(value)


def name_of(bits: Bits) -> str:
    """The name of a field in a path: `dpl`, `rw`, `io_map_base`."""
    name, attribute = bits.name, bits.attribute.strip("_")
    if " " not in name:
        return re.sub(r"[^a-z0-9]+", "", name.lower())
    return re.sub(r"[^a-z0-9]+", "_", (attribute if attribute != name else name).lower())


def field_of(cell: Cell, name: str) -> Slot:
    """The field of `cell` that `name` names, by what the manual or the program calls it. Raises EditError."""
    wanted = re.sub(r"[^a-z0-9_]+", "", name.lower())
    for bits in cell.fields:
        plain = re.sub(r"[^a-z0-9]+", "", bits.name.lower())
        if wanted in (name_of(bits), bits.attribute.strip("_"), plain, *_ALIASES.get(bits.name, ())):
            return Slot(cell, (bits,))
    known = ", ".join(name_of(bits) for bits in cell.fields)
    there = f"it has {known}" if known else "it has none"
    raise EditError(f"{cell.path} has no field {name!r} that can be edited: {there}")


def fields_of(cell: Cell) -> tuple[Slot, ...]:
    """All the fields of a cell; the cell itself where it has none."""
    return tuple(Slot(cell, (bits,)) for bits in cell.fields) or (Slot(cell),)
