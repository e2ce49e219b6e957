"""Bare images: an ELF file or plain bytes, entered in the mode and the state of the contract."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.machine.board import NO_DRIVES
from idtviz.machine.boot import entry, image, long_tables
from idtviz.machine.boot.elf import parse_elf
from idtviz.machine.boot.image import Image, Part
from idtviz.machine.boot.problem import ImageError
from idtviz.machine.pc import Machine


@dataclass(frozen=True, slots=True)
class Bare:
    """An image without a loader's protocol, entered in `mode`: `real`, `protected` or `long`."""

    image: Image
    kind: str
    mode: str

    drives = NO_DRIVES

    @property
    def room(self) -> int:
        """Bytes of RAM that it needs at least, with its first page tables."""
        return self.image.end + (long_tables.size(self.image.windows) if self.mode == "long" else 0)

    @property
    def start(self) -> int:
        """RIP at the entry: physical where there is no paging yet."""
        return self.image.entry if self.mode == "long" else self.image.physical_entry

    def boot(self, machine: Machine) -> None:
        """Load it and enter it."""
        image.load(machine, self.image, self.mode)
        entry.enter(machine, self.mode, self.start, self.image.windows if self.mode == "long" else ())


def parse(raw: bytes, mode: str | None = None) -> Bare:
    """A plain ELF kernel; without a `mode`, in long mode if it is one of 64 bits, else in protected mode.

    Raises ImageError.
    """
    found = parse_elf(raw, mode)
    mode = mode or ("long" if found.bits == 64 else "protected")
    bare = Bare(found, f"elf{found.bits}", mode)
    problem = image.entry_problem(bare.start, mode)
    if problem is not None:
        raise ImageError(problem)
    if mode == "long":
        long_tables.size(found.windows)
    return bare


def flat(raw: bytes, at: int, mode: str) -> Bare:
    """Bytes that are loaded at physical `at` and entered there. Raises ImageError."""
    if not raw:
        raise ImageError("the file is empty; expected code")
    problem = image.entry_problem(at, mode)
    if problem is not None:
        raise ImageError(problem)
    return Bare(Image((Part(at, raw, len(raw)),), at), "flat", mode)
