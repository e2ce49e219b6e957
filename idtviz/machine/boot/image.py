"""Images of programs, and how they come into memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from idtviz.machine.boot import long_tables
from idtviz.machine.boot.problem import ImageError
from idtviz.machine.memory import Memory
from idtviz.machine.pc import Machine
from idtviz.x86.addresses import is_canonical


@dataclass(frozen=True, slots=True)
class Part:
    """One loadable segment: physical address, contents, and the size in memory (the rest is zero).

    `linked` is the address that its code expects to run at; None: the physical one.
    """

    address: int
    data: bytes
    size: int
    linked: int | None = None

    @property
    def end(self) -> int:
        """The physical address behind the last byte."""
        return self.address + self.size

    def physical(self, linked: int) -> int | None:
        """Where the byte that is linked at `linked` lies; None: it is no byte of this part."""
        offset = linked - (self.address if self.linked is None else self.linked)
        return self.address + offset if 0 <= offset < self.size else None


@dataclass(frozen=True, slots=True)
class Image:
    """A program as it lies in memory, and where it is entered: an address as it is linked."""

    parts: tuple[Part, ...]
    entry: int
    bits: int = 64
    """Of the code that the file says it holds: 32 or 64."""

    @property
    def end(self) -> int:
        """The physical address behind the last byte."""
        return max(part.end for part in self.parts)

    @property
    def physical_entry(self) -> int:
        """Where the entry point lies in memory without paging; as it is where no part is linked around it."""
        found = (part.physical(self.entry) for part in self.parts)
        return next((address for address in found if address is not None), self.entry)

    @property
    def windows(self) -> tuple[long_tables.Window, ...]:
        """The parts that are linked elsewhere than where they lie, above the identity map."""
        return tuple(
            long_tables.Window(part.linked, part.address, part.size)
            for part in self.parts
            if part.linked not in (None, part.address) and part.linked >= long_tables.IDENTITY
        )


def check_overlap(parts: Iterable[Part]) -> None:
    """Raises ImageError where two parts want the same memory."""
    ordered = sorted(parts, key=lambda part: part.address)
    for low, high in pairwise(ordered):
        if high.address < low.end:
            raise ImageError(f"two of its segments overlap in memory: {shown(low)} and {shown(high)}")


def shown(part: Part) -> str:
    """Where a part lies, in words."""
    return f"{part.address:#x} to {part.end:#x}"


def copy(memory: Memory, image: Image) -> None:
    """Put every part into RAM, which was zero."""
    for part in image.parts:
        memory.write(part.address, part.data)


def check_room(memory: Memory, end: int) -> None:
    """Raises ImageError where RAM ends before `end`."""
    if end > memory.size:
        raise ImageError(f"the image needs memory up to {end:#x}; the machine has {memory.size:#x} bytes")


def load(machine: Machine, image: Image, mode: str) -> None:
    """Copy `image` into RAM. Raises ImageError where it does not fit, below the page tables at the top for `long`."""
    size = machine.memory.size
    kept = long_tables.size(image.windows) if mode == "long" else 0
    if image.end > size - kept:
        tables = f", of which the last {kept:#x} hold its first page tables" if kept else ""
        raise ImageError(f"the image needs memory up to {image.end:#x}; the machine has {size:#x} bytes{tables}")
    copy(machine.memory, image)


def entry_problem(entry: int, mode: str) -> str | None:
    """Why no image can be entered at `entry` in `mode`; None: it can."""
    if mode == "long":
        return None if is_canonical(entry) else f"the entry point {entry:#x} is not canonical"
    bits = 16 if mode == "real" else 32
    if entry >> bits:
        return f"the entry point {entry:#x} has more than {bits} bits; expected less to enter in {mode} mode"
    return None
