"""How a hardware structure is declared: each bit range once, by name; decoding, encoding and the field list follow.

    class Gate64(Structure):
        SIZE = 16
        offset = Bits((15, 0), (63, 48), (95, 64), name="offset", meaning="first instruction of the handler")
        present = Flag(47, "P", "not present: using the gate raises #NP", "present")

The value of a structure is the integer that its bytes spell in little-endian order. An attribute cuts its bits out when
it is asked for, so decoding costs the same for two fields as for twenty, and reserved bits cannot be lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self, overload

Meaning = str | tuple[str, ...] | Callable[[Any], str]
"""What a value means: one text for all values, one text for each value, or a function of the whole structure."""


@dataclass(frozen=True, slots=True)
class Field:
    """One contiguous run of bits of a structure, with the value found there and what it means."""

    name: str
    high: int
    low: int
    value: int
    meaning: str

    @property
    def bits(self) -> str:
        """The position as the manuals write it: `46:45`, or `47` for a single bit."""
        return str(self.high) if self.high == self.low else f"{self.high}:{self.low}"

    @property
    def width(self) -> int:
        """How many bits the field has."""
        return self.high - self.low + 1


class Bits:
    """A number inside a structure, in one or several runs of bits; the run that holds its lowest bits comes first.

    As a class attribute it reads its number from an instance, and is itself when read from the class: `Cr0.pg.mask`.
    """

    __slots__ = ("attribute", "mask", "meaning", "name", "parts", "ranges", "width")

    def __init__(self, *ranges: tuple[int, int], name: str = "", meaning: Meaning = "") -> None:
        parts = []
        shift = 0
        for high, low in ranges:
            width = high - low + 1
            parts.append((low, (1 << width) - 1, shift))
            shift += width
        self.name = name
        self.attribute = name
        self.meaning = meaning
        self.ranges = ranges
        self.parts = tuple(parts)
        self.width = shift
        self.mask = sum(mask << low for low, mask, _ in parts)

    def __set_name__(self, owner: type, attribute: str) -> None:
        self.attribute = attribute
        self.name = self.name or attribute

    @overload
    def __get__(self, structure: None, owner: type) -> Self: ...
    @overload
    def __get__(self, structure: Structure, owner: type | None = None) -> int: ...
    def __get__(self, structure: Structure | None, owner: type | None = None) -> Self | int:
        return self if structure is None else self.extract(structure.value)

    @property
    def low(self) -> int:
        """Number of the lowest bit of the first run, from bit 0 of the structure."""
        return self.ranges[0][1]

    @property
    def byte_offset(self) -> int:
        """Where the field begins, in bytes from the start of the structure."""
        return self.low // 8

    def extract(self, word: int) -> int:
        """The number that the structure value `word` holds here."""
        number = 0
        for low, mask, shift in self.parts:
            number |= ((word >> low) & mask) << shift
        return number

    def insert(self, word: int, number: int) -> int:
        """The structure value `word` with `number` here; ValueError if it does not fit in the field's width."""
        if not 0 <= number < 1 << self.width:
            bits = "1 bit" if self.width == 1 else f"{self.width} bits"
            raise ValueError(f"{self.name} has {bits}: {number:#x} is outside 0..{(1 << self.width) - 1:#x}")
        word &= ~self.mask
        for low, mask, shift in self.parts:
            word |= ((number >> shift) & mask) << low
        return word

    def runs(self) -> tuple[Bits, ...]:
        """The field as contiguous runs; a split one names each by the bits that it holds: `offset 31:16`."""
        if len(self.ranges) == 1:
            return (self,)
        return tuple(
            Bits((high, low), name=f"{self.name} {shift + high - low}:{shift}", meaning=self.meaning)
            for (high, low), (_, _, shift) in zip(self.ranges, self.parts, strict=True)
        )

    def field(self, structure: Structure) -> Field:
        """The field as found in `structure`; for a contiguous run only."""
        ((high, low),) = self.ranges
        return Field(self.name, high, low, self.extract(structure.value), self.explain(structure))

    def explain(self, structure: Structure) -> str:
        """What the number found in `structure` means."""
        if isinstance(self.meaning, str):
            return self.meaning
        if isinstance(self.meaning, tuple):
            return self.meaning[self.extract(structure.value)]
        return self.meaning(structure)

    @property
    def bits(self) -> str:
        """The position as the manuals write it, highest run last: `46:45`, `47`, `15:0 63:48`."""
        return " ".join(str(high) if high == low else f"{high}:{low}" for high, low in self.ranges)


class Flag(Bits):
    """A single bit, read as a bool, with what it means clear and what it means set."""

    __slots__ = ()

    def __init__(self, bit: int, name: str, clear: str, set_: str) -> None:
        super().__init__((bit, bit), name=name, meaning=(clear, set_))

    @overload
    def __get__(self, structure: None, owner: type) -> Self: ...
    @overload
    def __get__(self, structure: Structure, owner: type | None = None) -> bool: ...
    def __get__(self, structure: Structure | None, owner: type | None = None) -> Self | bool:
        return self if structure is None else structure.value & self.mask != 0


class Reserved(Bits):
    """Bits that software leaves zero. They are kept as found, and said to be wrong when set."""

    __slots__ = ()

    def __init__(self, high: int, low: int, name: str = "reserved", meaning: Meaning | None = None) -> None:
        super().__init__((high, low), name=name, meaning=meaning if meaning is not None else self._judge)

    def _judge(self, structure: Structure) -> str:
        return "reserved, but not 0" if structure.value & self.mask else "reserved, 0"


@dataclass(frozen=True, init=False, repr=False)
class Structure:
    """A hardware structure: `SIZE` bytes, read as one little-endian integer `value`, whose bits have names.

    `S(value)` takes the bits as they are, `S(dpl=3, present=True)` sets named fields over zero; either raises
    ValueError for what does not fit. Structures are immutable, hashable, and equal when their class and all their bits
    are.
    """

    __slots__ = ("value",)
    SIZE: ClassVar[int]
    LAYOUT: ClassVar[tuple[Bits, ...]]
    WHOLE: ClassVar[tuple[Bits, ...]]
    """As `LAYOUT`, with a split field as one, where its first run lies."""
    UNNAMED: ClassVar[str] = "reserved"
    _named: ClassVar[dict[str, Bits]]
    _end: ClassVar[int]

    value: int

    def __init__(self, value: int = 0, **fields: int) -> None:
        if not 0 <= value < self._end:
            raise ValueError(f"{type(self).__name__} has {self.SIZE} bytes: {value:#x} does not fit")
        for name, number in fields.items():
            value = self._find(name).insert(value, number)
        object.__setattr__(self, "value", value)

    def __init_subclass__(cls) -> None:
        """Lay out the bits that the class body names, and give those it does not name to `UNNAMED` runs."""
        if not hasattr(cls, "SIZE"):
            return
        attributes = {name: item for base in reversed(cls.__mro__) for name, item in vars(base).items()}
        declared = [item for item in attributes.values() if isinstance(item, Bits)]
        runs = sorted((run for bits in declared for run in bits.runs()), key=lambda run: run.low)
        layout: list[Bits] = []
        covered = 0
        for run in [*runs, Bits((8 * cls.SIZE, 8 * cls.SIZE), name="the end")]:
            if run.low < covered:
                raise TypeError(f"{cls.__name__}: {run.name} overlaps the field below it")
            if run.low > covered:
                layout.append(Reserved(run.low - 1, covered, f"{cls.UNNAMED} {run.low - 1}:{covered}"))
            layout.append(run)
            covered = run.low + run.width
        cls.LAYOUT = tuple(layout[:-1])
        unnamed = [run for run in cls.LAYOUT if isinstance(run, Reserved) and run not in declared]
        cls.WHOLE = tuple(sorted([*declared, *unnamed], key=lambda bits: bits.low))
        cls._named = {bits.name: bits for bits in [*cls.LAYOUT, *declared]} | {b.attribute: b for b in declared}
        cls._end = 1 << (8 * cls.SIZE)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value:#0{2 * self.SIZE + 2}x})"

    def __reduce__(self) -> tuple[type[Self], tuple[int]]:
        return type(self), (self.value,)

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """The structure that `raw` spells, lowest byte first; ValueError unless it is exactly `SIZE` bytes."""
        if len(raw) != cls.SIZE:
            raise ValueError(f"{cls.__name__} has {cls.SIZE} bytes, not {len(raw)}")
        return cls(int.from_bytes(raw, "little"))

    def encode(self) -> bytes:
        """The `SIZE` bytes as they lie in memory; `decode(x).encode() == x` for every x."""
        return self.value.to_bytes(self.SIZE, "little")

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every bit of the structure, once, lowest first: named fields, and the reserved runs between them."""
        return tuple(run.field(self) for run in self.LAYOUT)

    def with_field(self, name: str, value: int) -> Self:
        """The structure with one field changed; ValueError if there is no such field or `value` does not fit.

        `name` is that of an entry of `fields`, of an attribute, or of a split field as a whole (`offset`).
        """
        return type(self)(self._find(name).insert(self.value, value))

    def names(self) -> tuple[str, ...]:
        """Names of the flags that are set, highest bit first, as a screen shows a register: `("IF", "ZF", "PF")`."""
        return tuple(run.name for run in reversed(self.LAYOUT) if isinstance(run, Flag) and self.value & run.mask)

    @classmethod
    def _find(cls, name: str) -> Bits:
        try:
            return cls._named[name]
        except KeyError:
            known = ", ".join(run.name for run in cls.LAYOUT)
            raise ValueError(f"{cls.__name__} has no field {name!r}; it has {known}") from None
